"""Whose bot token this is: one request to the Bot API, without the library, for looking at an installation from the host."""

import json
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

import httpx

from core.auth.secret import Secret
from core.errors import BotError

_SECONDS = 10.0
_LONGEST = 64 * 1024
_REFUSED = (401, 404)
"""Telegram's answers to a token that it does not know, and to one of a wrong form."""


@dataclass(frozen=True, slots=True)
class Identity:
    """The bot's name, and Telegram's time if it told one."""

    name: str
    told_at: datetime | None


def ask(api_base_url: str, token: Secret) -> Identity:
    """Ask `getMe`. Blocks until it is answered, ten seconds at most for each piece of it: an end to the whole is the
    caller's to set. No redirect is followed, and nothing of the environment leads the token elsewhere. Raises BotError: `refused`
    for a token that is not accepted, `unreachable` for everything else."""
    failure = ""
    try:
        status, headers, content = _get(f"{api_base_url}/bot{token.reveal()}/getMe")
    except (httpx.HTTPError, httpx.InvalidURL, httpx.StreamError) as error:
        failure = type(error).__name__
    if failure:
        # Raised outside the handler: httpx's exceptions carry the request with its URL, and the token in it.
        raise BotError("unreachable", f"Telegram cannot be asked at {api_base_url} ({failure}).", "Check the network.")
    if status in _REFUSED:
        raise BotError("refused", "Telegram does not accept channels.telegram.token: it was revoked or mistyped.")
    name = _name(content) if status == httpx.codes.OK else None
    if name is None:
        raise BotError(
            "unreachable", f"{api_base_url} did not answer as the Bot API does (status {status}).", "Try again."
        )
    return Identity(f"@{name}", _date(headers))


def _get(url: str) -> tuple[int, httpx.Headers, bytes]:
    """Status, headers and the beginning of the body."""
    content = bytearray()
    tls = httpx.create_ssl_context(trust_env=False)
    with (
        httpx.Client(verify=tls, trust_env=False, follow_redirects=False, timeout=_SECONDS) as client,
        client.stream("GET", url, headers={"accept-encoding": "identity"}) as answer,
    ):
        for piece in answer.iter_raw():
            content += piece
            if len(content) > _LONGEST:
                break
        return answer.status_code, answer.headers, bytes(content)


def _name(content: bytes) -> str | None:
    try:
        name = json.loads(content)["result"]["username"]
    except (ValueError, KeyError, TypeError, RecursionError):
        return None
    return name if isinstance(name, str) and name else None


def _date(headers: httpx.Headers) -> datetime | None:
    try:
        return parsedate_to_datetime(headers["date"]).astimezone(UTC)
    except (KeyError, ValueError, TypeError):
        return None
