"""Who is at the keyboard, as Telegram knows them: they send the bot a code that only they have seen, and the message says who
they are.

Looks at waiting updates without an offset, which confirms none: whoever serves the bot later finds all of them, this one too.
"""

import json
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import httpx

from core.auth.secret import Secret
from core.errors import BotError

_POLL = 2
"""Seconds that Telegram holds a request back while nothing waits."""
_PAUSE = 0.5
"""Seconds between two looks where something waits already: Telegram answers those at once."""
_SECONDS = 15.0
_MOST = 100
"""As many updates as one answer shows; what waits behind them cannot be seen without confirming them."""
_LONGEST = 8 * 1024 * 1024
_CONFLICT = 409


@dataclass(frozen=True, slots=True)
class Introduced:
    """A person: the numeric id, and how they call themselves."""

    id: int
    name: str


def wait_for_code(
    api_base_url: str,
    token: Secret,
    code: str,
    seconds: float,
    is_over: Callable[[], bool],
    pause: Callable[[float], None] = time.sleep,
) -> Introduced | None:
    """Whoever sends the code in a private chat, in capitals or not; None where nobody does in time, or it `is_over` before.
    Blocks; looks at `is_over` every few seconds.

    Raises BotError: `busy` where another program takes this bot's updates, `unreachable` for everything else.
    """
    until = time.monotonic() + seconds
    tls = httpx.create_ssl_context(trust_env=False)
    with httpx.Client(verify=tls, trust_env=False, follow_redirects=False, timeout=_SECONDS) as client:
        while (left := until - time.monotonic()) > 0 and not is_over():
            updates = _updates(client, api_base_url, token, min(_POLL, int(left)))
            found = next(_senders(updates, code), None)
            if found is not None:
                return found
            if len(updates) >= _MOST:
                raise BotError("busy", "So many messages wait for the bot that a new one cannot be seen.")
            if updates:
                pause(min(_PAUSE, left))
    return None


def _updates(client: httpx.Client, api_base_url: str, token: Secret, wait: int) -> list[Any]:
    failure = ""
    try:
        with client.stream(
            "GET", f"{api_base_url}/bot{token.reveal()}/getUpdates", params={"timeout": wait, "limit": _MOST}
        ) as answer:
            status, content = answer.status_code, bytearray()
            for piece in answer.iter_bytes():
                content += piece
                if len(content) > _LONGEST:
                    break
    except (httpx.HTTPError, httpx.InvalidURL, httpx.StreamError) as error:
        failure = type(error).__name__
    if failure:
        # Raised outside the handler: httpx's exceptions carry the request with its URL, and the token in it.
        raise BotError("unreachable", f"Telegram cannot be asked at {api_base_url} ({failure}).", "Check the network.")
    if status == _CONFLICT:
        raise BotError("busy", "Another program takes the messages of this bot: a gateway that runs, or a webhook.")
    try:
        found = json.loads(content)["result"] if status == httpx.codes.OK else None
    except (ValueError, KeyError, TypeError, RecursionError):
        found = None
    if not isinstance(found, list):
        raise BotError("unreachable", f"{api_base_url} did not answer as the Bot API does (status {status}).")
    return found


def _senders(updates: list[Any], code: str) -> Iterator[Introduced]:
    """Who has written the code, alone or behind /start, in a private chat. Phones make the first letter of a message a capital."""
    wanted = code.casefold()
    for update in updates:
        message = update.get("message") if isinstance(update, dict) else None
        if not isinstance(message, dict):
            continue
        chat, sender, text = message.get("chat"), message.get("from"), message.get("text")
        if not (isinstance(chat, dict) and isinstance(sender, dict) and isinstance(text, str)):
            continue
        number = sender.get("id")
        is_person = not sender.get("is_bot") and chat.get("type") == "private"
        if not isinstance(number, int) or number <= 0 or not is_person:
            continue
        if text.strip().casefold().removeprefix("/start").strip() == wanted:
            yield Introduced(number, str(sender.get("first_name") or ""))
