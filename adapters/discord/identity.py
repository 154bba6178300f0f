"""Whose bot token this is: one request to Discord's API, without the library, for looking at an installation from the host."""

import json
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

import httpx

from core.auth.secret import Secret
from core.errors import BotError

_SECONDS = 10.0
_LONGEST = 64 * 1024
_AGENT = "DiscordBot (remoteclaw, 1.0)"
"""Discord asks for a name of this form, and blocks clients without one."""

_READS_MESSAGES = 1 << 18 | 1 << 19
"""GATEWAY_MESSAGE_CONTENT of an application that Discord has looked at, and _LIMITED of all others."""


@dataclass(frozen=True, slots=True)
class Identity:
    """The bot's name, and Discord's time if it told one."""

    name: str
    told_at: datetime | None


@dataclass(frozen=True, slots=True)
class Application:
    """What a bot belongs to. `reads_messages`: its Message Content Intent is switched on."""

    id: int
    reads_messages: bool


def ask(api_base_url: str, token: Secret) -> Identity:
    """Ask `users/@me`. Blocks until it is answered, ten seconds at most for each piece of it: an end to the whole is the
    caller's to set. No redirect is followed, and nothing of the environment leads the token elsewhere. Raises BotError: `refused`
    for a token that is not accepted, `unreachable` for everything else."""
    failure = ""
    try:
        status, headers, content = _get(f"{api_base_url}/users/@me", token)
    except (httpx.HTTPError, httpx.InvalidURL, httpx.StreamError) as error:
        failure = type(error).__name__
    if failure:
        # Raised outside the handler: httpx's exceptions carry the request, and the token in it.
        raise BotError("unreachable", f"Discord cannot be asked at {api_base_url} ({failure}).", "Check the network.")
    if status == httpx.codes.UNAUTHORIZED:
        raise BotError("refused", "Discord does not accept channels.discord.token: it was reset or mistyped.")
    name = _name(content) if status == httpx.codes.OK else None
    if name is None:
        raise BotError("unreachable", f"{api_base_url} did not answer as Discord does (status {status}).", "Try again.")
    return Identity(name, _date(headers))


def application(api_base_url: str, token: Secret) -> Application:
    """Ask `applications/@me`, as `ask` asks. Raises BotError for whatever is no answer to it."""
    failure, content = "", b""
    try:
        status, _, content = _get(f"{api_base_url}/applications/@me", token)
    except (httpx.HTTPError, httpx.InvalidURL, httpx.StreamError) as error:
        failure = type(error).__name__
    if failure or status != httpx.codes.OK:
        told = failure or f"status {status}"
        raise BotError("unreachable", f"{api_base_url} does not tell of the application ({told}).", "Try again.")
    try:
        found = json.loads(content)
        return Application(int(found["id"]), bool(int(found["flags"]) & _READS_MESSAGES))
    except (ValueError, KeyError, TypeError, RecursionError):
        raise BotError("unreachable", f"{api_base_url} did not answer as Discord does.", "Try again.") from None


def _get(url: str, token: Secret) -> tuple[int, httpx.Headers, bytes]:
    """Status, headers and the beginning of the body."""
    content = bytearray()
    tls = httpx.create_ssl_context(trust_env=False)
    sent = {"authorization": f"Bot {token.reveal()}", "user-agent": _AGENT, "accept-encoding": "identity"}
    with (
        httpx.Client(verify=tls, trust_env=False, follow_redirects=False, timeout=_SECONDS) as client,
        client.stream("GET", url, headers=sent) as answer,
    ):
        for piece in answer.iter_raw():
            content += piece
            if len(content) > _LONGEST:
                break
        return answer.status_code, answer.headers, bytes(content)


def _name(content: bytes) -> str | None:
    try:
        name = json.loads(content)["username"]
    except (ValueError, KeyError, TypeError, RecursionError):
        return None
    return name if isinstance(name, str) and name else None


def _date(headers: httpx.Headers) -> datetime | None:
    try:
        return parsedate_to_datetime(headers["date"]).astimezone(UTC)
    except (KeyError, ValueError, TypeError):
        return None
