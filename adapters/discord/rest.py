"""Discord's REST calls for messages: bodies as they go on the wire, refusals translated once, outages waited out.

Rate limits (429) are discord.py's: it waits as long as Discord asks. What remains is sorted into two errors and a retry.
"""

import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any, TypeVar

import aiohttp
import discord
from discord.http import Route
from discord.webhook.async_ import async_context

from adapters.discord.wire import NO_MENTIONS, bad_token
from core.clock import Clock
from core.errors import BotError
from core.troubles import Trouble

log = logging.getLogger(__name__)

ORIGINAL = "@original"
_EPHEMERAL, _NO_PREVIEWS = 64, 4
_UNKNOWN_WEBHOOK, _UNKNOWN_INTERACTION, _BAD_WEBHOOK_TOKEN, _ACKNOWLEDGED = 10015, 10062, 50027, 40060
_UNKNOWN_MESSAGE = 10008
_CLOSED = frozenset({10003, 10004, 10013, 50001, 50007, 50013, 50083, 50278, 160005})
"""Codes for a chat that takes nothing from us: unknown channel, server, person; no access, no private messages, no permission;
archived thread; no server in common; locked thread."""
_WAITS = (1, 2, 4, 8, 15, 30, 60, 60, 60, 60)
_T = TypeVar("_T")


class Undeliverable(Exception):
    """Discord will not show it: the chat or message is gone, or the bot may not write there. Carries Discord's reason."""


class Refused(Undeliverable):
    """Discord does not take this message as it is. Others may be taken in the same chat."""


class Gone(Refused):
    """The message that is to change is not there any more."""


class ForOneAlone(Undeliverable):
    """It is for the sender alone, and there is no way left to show it to nobody else. Other replies may still be shown."""


class Missed(Exception):
    """A change that may or may not be there: Discord gave no answer. What follows it will say what is meant."""


class InteractionExpired(Undeliverable):
    """The interaction's token is no longer accepted; other ways to the same chat may be."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Body:
    """What a message shows."""

    content: str
    components: list[dict[str, Any]] = field(default_factory=list)

    def wire(self, *, private: bool = False) -> dict[str, Any]:
        """The JSON of it: no pings, no link previews, components named even if none, so that an edit removes them."""
        return {
            "content": self.content,
            "components": self.components,
            "allowed_mentions": NO_MENTIONS,
            "flags": _NO_PREVIEWS | (_EPHEMERAL if private else 0),
        }


@dataclass(frozen=True, slots=True)
class Hook:
    """The way to answer an interaction, open for fifteen minutes."""

    application: int
    token: str = field(repr=False)


class DiscordRest:
    """Message calls over one logged-in client. `outage` is that of all calls: it is logged once."""

    def __init__(self, client: discord.Client, clock: Clock, outage: Trouble) -> None:
        self._client = client
        self._clock = clock
        self._outage = outage

    async def send(self, channel: str, body: Body, *, nonce: str, reply_to: str | None) -> str:
        """A new message; its id. The same `nonce` (at most 25 characters) again within minutes answers with the message that is
        there already."""
        payload = body.wire() | {"nonce": nonce, "enforce_nonce": True}
        if reply_to is not None:
            payload["message_reference"] = {"message_id": reply_to, "channel_id": channel, "fail_if_not_exists": False}
        route = Route("POST", "/channels/{channel_id}/messages", channel_id=channel)
        sent: Any = await self._call(lambda: self._client.http.request(route, json=payload))
        if str(sent.get("content", "")).strip() != body.content.strip():
            # It was there already, from a delivery that broke off, with what there was to show then.
            await self.edit(channel, str(sent["id"]), body)
        return str(sent["id"])

    async def edit(self, channel: str, message: str, body: Body, *, passing: bool = False) -> None:
        """Change a message. `passing`: more will follow, so it is tried once; raises Missed if no answer comes."""
        path = "/channels/{channel_id}/messages/{message_id}"
        route = Route("PATCH", path, channel_id=channel, message_id=message)
        await self._call(lambda: self._client.http.request(route, json=body.wire()), passing=passing)

    async def private_channel(self, person: str) -> str:
        """The chat of the bot with a person, opened if need be; its id."""
        opened: Any = await self._call(lambda: self._client.http.start_private_message(int(person)))
        return str(opened["id"])

    async def delete(self, channel: str, message: str) -> None:
        await self._call(lambda: self._client.http.delete_message(int(channel), int(message)))

    async def typing(self, channel: str) -> None:
        """Show the typing sign for some ten seconds. A refusal is of no importance."""
        try:
            await self._client.http.send_typing(int(channel))
        except (discord.HTTPException, aiohttp.ClientError, OSError):
            log.debug("Discord did not take the typing sign.")

    async def follow_up(self, hook: Hook, body: Body, *, private: bool) -> str:
        """A further message of an interaction; its id, empty if Discord's answer is lost. It takes no nonce here, so it is not sent
        again then: it is most likely there."""
        try:
            sent = await self._call(lambda: self._hook_send(hook, body.wire(private=private)), doubles=True)
        except Missed as error:
            log.warning("Discord did not say whether a message is there (%s); it is not sent again.", error)
            return ""
        return str(sent["id"])

    async def edit_follow_up(self, hook: Hook, message: str, body: Body, *, passing: bool = False) -> str:
        """Edit a message of an interaction, `@original` being the deferred one or the pressed one; its id. `passing` as in
        `edit`."""
        edited = await self._call(lambda: self._hook_edit(hook, message, body.wire()), passing=passing)
        return str(edited["id"])

    async def delete_follow_up(self, hook: Hook, message: str) -> None:
        await self._call(lambda: self._hook_delete(hook, message))

    async def _hook_send(self, hook: Hook, payload: dict[str, Any]) -> Any:
        return await async_context.get().execute_webhook(
            hook.application,
            hook.token,
            session=session_of(self._client),
            payload=payload,
            wait=True,
            with_components=True,
        )

    async def _hook_edit(self, hook: Hook, message: str, payload: dict[str, Any]) -> Any:
        adapter = async_context.get()
        if message == ORIGINAL:
            return await adapter.edit_original_interaction_response(
                hook.application, hook.token, session=session_of(self._client), payload=payload
            )
        return await adapter.edit_webhook_message(
            hook.application,
            hook.token,
            int(message),
            session=session_of(self._client),
            payload=payload,
            with_components=True,
        )

    async def _hook_delete(self, hook: Hook, message: str) -> Any:
        adapter = async_context.get()
        if message == ORIGINAL:
            return await adapter.delete_original_interaction_response(
                hook.application, hook.token, session=session_of(self._client)
            )
        return await adapter.delete_webhook_message(
            hook.application, hook.token, int(message), session=session_of(self._client)
        )

    async def _call(self, attempt: Callable[[], Awaitable[_T]], *, passing: bool = False, doubles: bool = False) -> _T:
        """Run a call; wait out outages for some five minutes, then raise BotError `discord_unreachable`. One in passing is not
        tried again, nor is one that `doubles` if done twice and may have been done: raises Missed.

        Raises the bad token's BotError for a 401 that is the bot's: another token can still deliver, so nothing is given up.
        """
        for wait in (*_WAITS, None):
            try:
                done = await attempt()
            except discord.HTTPException as error:
                if error.status < 500 and error.status != 429:
                    raise (bad_token() if _is_the_bots(error) else refusal(error)) from error
                what = f"status {error.status}"
            except (aiohttp.ClientError, OSError, TimeoutError) as error:
                what = type(error).__name__
                if doubles and not isinstance(error, aiohttp.ClientConnectorError):
                    raise Missed(what) from error
            except RuntimeError as error:
                if not self._client.is_closed():
                    raise
                raise BotError("discord_unreachable", "The connection to Discord was closed.") from error
            else:
                self._outage.is_over()
                return done
            if passing:
                raise Missed(what)
            if wait is None:
                break
            self._outage.begins(f"Discord does not take messages ({what}); they are sent as soon as it does.")
            await self._clock.sleep(wait)
        raise BotError(
            "discord_unreachable", "Discord took no messages for minutes.", "The answer is kept for the next start."
        )


def session_of(client: discord.Client) -> aiohttp.ClientSession:
    """The session in which discord.py itself answers interactions: no bot token goes along."""
    data: Any = {"id": 0, "type": 3, "token": ""}
    session: aiohttp.ClientSession = discord.Webhook.from_state(data=data, state=client._connection).session
    return session


def refusal(error: discord.HTTPException) -> Undeliverable:
    """The meaning of a 4xx for a message."""
    reason = f"{error.status}, code {error.code}: {error.text}"
    if error.code in (_UNKNOWN_WEBHOOK, _UNKNOWN_INTERACTION, _BAD_WEBHOOK_TOKEN):
        return InteractionExpired(reason)
    if error.code == _UNKNOWN_MESSAGE:
        return Gone(reason)
    if error.code in _CLOSED or (error.code == 0 and error.status in (403, 404)):
        return Undeliverable(reason)
    return Refused(reason)


def _is_the_bots(error: discord.HTTPException) -> bool:
    """A 401 that is not about the token of an interaction."""
    return error.status == 401 and error.code != _BAD_WEBHOOK_TOKEN


def is_acknowledged(error: discord.HTTPException) -> bool:
    """Discord says that the interaction was answered before."""
    return bool(error.code == _ACKNOWLEDGED)
