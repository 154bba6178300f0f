"""The device flow: the person allows the login on another device, and this one asks until that has happened (RFC 8628)."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from adapters.oauth.calls import origin
from adapters.oauth.token_server import TokenEndpoint, login_refused
from core.auth.oauth import OAuthProvider, Tokens, error_code, read_tokens
from core.auth.secret import Secret
from core.clock import Clock
from core.errors import BotError, ProviderError

_GRANT = "urn:ietf:params:oauth:grant-type:device_code"
_INTERVAL, _LONGEST_INTERVAL = timedelta(seconds=5), timedelta(minutes=1)
"""What counts where the server says nothing (RFC 8628 3.2), and the longest that is kept to."""
_SHORTEST_INTERVAL = timedelta(seconds=1)
_LIFE, _LONGEST_LIFE = timedelta(minutes=15), timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class Invitation:
    """What the person has to be shown: where to go, and what to enter there. `complete` has the code in it already."""

    uri: str
    user_code: str
    complete: str
    device_code: Secret
    ends: datetime
    interval: timedelta = field(default=_INTERVAL)


async def log_in(
    provider: OAuthProvider, server: TokenEndpoint, clock: Clock, show: Callable[[Invitation], None]
) -> Tokens:
    """The tokens, once the person has allowed it. Raises BotError: login_denied, login_expired, login_refused."""
    invitation = _invitation(await server.start_device(provider), provider, clock.now())
    show(invitation)
    interval = invitation.interval
    form = {"grant_type": _GRANT, "device_code": invitation.device_code.reveal()}
    while clock.now() + interval < invitation.ends:
        await clock.sleep(interval.total_seconds())
        asked = clock.now()
        try:
            answer = await server.ask(provider, form, provider.client_id)
        except ProviderError:
            interval = min(2 * interval, _LONGEST_INTERVAL)  # nothing is lost by asking later (RFC 8628 3.5)
            continue
        if answer.is_ok and "access_token" in answer.fields:
            try:
                return read_tokens(answer.fields, asked)
            except ValueError as error:
                raise BotError("login_failed", f"{origin(provider.token_url)} {error}.") from None
        code = error_code(answer.fields)
        if code == "slow_down":
            interval = min(interval + provider.slow_down, _LONGEST_INTERVAL)
        elif code == "expired_token":
            break
        elif code != "authorization_pending" and answer.status < 500:
            raise login_refused(answer, origin(provider.token_url))
    raise BotError(
        "login_expired", "The code has expired before the login was allowed. Nothing was stored.", "Begin again."
    )


def _invitation(fields: Mapping[str, object], provider: OAuthProvider, now: datetime) -> Invitation:
    place = origin(provider.device_url)
    uri = _address(fields, "verification_uri") or _address(fields, "verification_url")
    code, device = _word(fields, "user_code"), _word(fields, "device_code")
    if not uri or not code or not device:
        raise BotError("login_failed", f"{place} gave no code to log in with.")
    return Invitation(
        uri=uri,
        user_code=code.strip(),
        complete=_address(fields, "verification_uri_complete"),
        device_code=Secret(device),
        ends=now + _span(fields.get("expires_in"), _LIFE, _LONGEST_LIFE),
        interval=max(_SHORTEST_INTERVAL, _span(fields.get("interval"), _INTERVAL, _LONGEST_INTERVAL)),
    )


def _word(fields: Mapping[str, object], name: str) -> str:
    """A text that can be shown and sent, empty if there is none."""
    value = fields.get(name)
    return value if isinstance(value, str) and value.isprintable() and value.strip() else ""


def _address(fields: Mapping[str, object], name: str) -> str:
    """An address to show, which a terminal may make a link of."""
    value = fields.get(name)
    is_address = isinstance(value, str) and value.startswith(("https://", "http://")) and value.isprintable()
    return value if isinstance(value, str) and is_address and " " not in value else ""


def _span(value: object, usual: timedelta, longest: timedelta) -> timedelta:
    """So many seconds, `longest` at most; `usual` where that is no number above 0."""
    if isinstance(value, str) and value.strip().isascii() and value.strip().isdigit():
        value = int(value.strip()[:12])  # as `expires_in` of tokens is taken
    if isinstance(value, bool) or not isinstance(value, int | float) or not value > 0:
        return usual
    return timedelta(seconds=min(value, longest.total_seconds()))
