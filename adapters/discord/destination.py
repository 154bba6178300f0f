"""Where the messages of one answer go: beside the question, through the interaction that asked, or to a chat that is to be told
something; and who sees them."""

import logging
from collections.abc import Mapping
from typing import Any

from adapters.discord.addresses import chat_address
from adapters.discord.inbound import command_text
from adapters.discord.rest import (
    ORIGINAL,
    Body,
    DiscordRest,
    ForOneAlone,
    Hook,
    InteractionExpired,
    Missed,
    Undeliverable,
)
from adapters.discord.slash_commands import only_looks
from core.messages import Reply, ReplyKind

log = logging.getLogger(__name__)

_FOR_THE_SENDER = (ReplyKind.PICKER, ReplyKind.STATUS, ReplyKind.ERROR)
_CHANNEL, _HOOK, _FIRST = "c", "w", "o"
"""First letter of a ref: how the message is reached again. In its channel, through the webhook, as the interaction's original."""


class Destination:
    """Sends and edits the messages of one answer. A ref names a sent message and can be stored.

    A command's first message takes the place of "thinking", whose visibility is fixed: a private one after a public deferral
    follows up and removes it. A press edits its own message once, if the reply replaces it. When the interaction takes no
    answer (expired, never acknowledged), the chat itself is used, except for what only the sender should see in a shared chat;
    a stored change concerns everybody there.
    """

    def __init__(self, rest: DiscordRest, payload: Mapping[str, Any], *, acknowledged: bool) -> None:
        self._rest = rest
        self._payload = payload
        self._kind: str = payload["type"]
        self._nonce: str = payload.get("nonce") or f"{int(payload['id']):x}"
        self._channel: str | None = payload["channel"]
        self._hook = Hook(int(payload["application"]), payload["token"]) if "token" in payload else None
        self._open = self._hook is not None and acknowledged
        self._original_free = self._hook is not None
        self._gone: set[str] = set()
        self._looks = self._kind == "command" and (payload.get("private", False) or only_looks(command_text(payload)))
        self.chat = chat_address(payload)
        self.sender: str = payload["user"]["name"]
        self.pressed: str | None = payload["message"] if self._kind == "press" else None

    def is_hidden(self, reply: Reply, ref: str) -> bool:
        """Whether the reply, as `ref` shows it, is seen by its sender alone in a chat that others share."""
        return not self._payload["direct"] and not ref.startswith(_CHANNEL) and self._is_private(reply)

    async def typing(self) -> None:
        """Show the typing sign; a command shows "thinking" already."""
        if self._kind != "command" and self._channel is not None:
            await self._rest.typing(self._channel)

    def resume(self, refs: list[str]) -> None:
        """Take note of what an earlier delivery has sent."""
        if (refs and self._kind == "command") or any(ref.startswith(_FIRST) for ref in refs):
            self._original_free = False

    async def send(self, body: Body, *, slot: str, reply: Reply | None, at: int) -> str:
        """Send message number `at` of a reply, or of an answer that is growing, and return its ref. `slot` names it within the
        whole delivery, so that the same one is not sent twice. Raises ForOneAlone for what can only be shown to all."""
        private = reply is not None and self._is_private(reply)
        replaces = reply is not None and reply.replaces and at == 0
        if self._hook is not None and self._open:
            try:
                return await self._through_hook(self._hook, body, private=private, replaces=replaces)
            except Undeliverable as error:
                log.info("An interaction takes no answer any more (%s); it goes to the chat.", error)
                self._open = False
        if reply is not None and private and not reply.shared and not self._payload["direct"]:
            raise ForOneAlone("the interaction takes no answer any more, and only its sender should see it")
        if replaces and self._kind == "press" and not self._payload["ephemeral"] and self._payload["message"]:
            return await self._replace_pressed(body, slot)
        return await self._to_channel(body, slot, first=at == 0)

    async def publish(self, body: Body, *, slot: str) -> str:
        """Send a message to everybody in the chat, whoever sees the answer, and return its ref."""
        return await self._to_channel(body, slot, first=False)

    async def edit(self, ref: str, body: Body, *, passing: bool = False) -> bool:
        """Change a message that was sent. One that has been deleted meanwhile stays deleted. `passing`: more will follow, so a
        change without an answer is not made again. Whether it is known to show this now, or nothing for ever."""
        if ref in self._gone:
            return True
        how, message = ref[0], ref[1:]
        try:
            if how != _CHANNEL and self._hook is not None and self._open:
                try:
                    named = ORIGINAL if how == _FIRST else message
                    await self._rest.edit_follow_up(self._hook, named, body, passing=passing)
                    return True
                except InteractionExpired:
                    self._open = False
            await self._rest.edit(await self._place(), message, body, passing=passing)
        except Undeliverable as error:
            self._gone.add(ref)
            log.warning("A message could not be changed: %s.", error)
        except Missed as error:
            log.info("Discord did not say whether it has changed a message (%s).", error)
            return False
        return True

    async def delete(self, ref: str) -> None:
        """Remove a message that was sent and is not part of the answer any more."""
        how, message = ref[0], ref[1:]
        try:
            if how != _CHANNEL and self._hook is not None and self._open:
                await self._rest.delete_follow_up(self._hook, ORIGINAL if how == _FIRST else message)
            elif how != _FIRST:
                await self._rest.delete(await self._place(), message)
        except Undeliverable as error:
            log.warning("A message could not be removed: %s.", error)

    async def delete_question(self) -> None:
        """Remove what the person wrote, where Discord allows it: not in a private chat."""
        if self._kind not in ("message", "edit") or self._payload["direct"]:
            return
        try:
            await self._rest.delete(await self._place(), self._payload["id"])
        except Undeliverable as error:
            log.warning("A person's message was to be removed and could not be: %s.", error)

    async def finish(self) -> None:
        """Take a "thinking" away that nothing has filled."""
        if self._kind == "command" and self._open and self._original_free:
            await self._drop_original()

    def _is_private(self, reply: Reply) -> bool:
        """Whether the reply is for the sender alone, where Discord can do that: so is what replaces a message that is."""
        if self._kind == "command":
            return self._looks or reply.private or reply.kind in _FOR_THE_SENDER
        return self._kind == "press" and (reply.private or (reply.replaces and self._payload["ephemeral"]))

    async def _through_hook(self, hook: Hook, body: Body, *, private: bool, replaces: bool) -> str:
        if self._original_free and self._kind == "command":
            if private and not self._looks and not self._payload["direct"]:
                return await self._private_instead(hook, body)
            replaces = True
        if self._original_free and replaces:
            self._original_free = False
            try:
                return _FIRST + await self._rest.edit_follow_up(hook, ORIGINAL, body)
            except InteractionExpired:
                raise
            except Undeliverable as error:
                log.info("The message to be filled is gone (%s).", error)
        return _HOOK + await self._rest.follow_up(hook, body, private=private)

    async def _private_instead(self, hook: Hook, body: Body) -> str:
        """A private message after a public deferral. The deferred one is filled before it is removed: Discord takes no
        follow-up when "thinking" was removed, and shows the first one as public while it stands (discord-api-docs 2739, 2866)."""
        self._original_free = False
        try:
            await self._rest.edit_follow_up(hook, ORIGINAL, Body(content="…"))
        except InteractionExpired:
            raise
        except Undeliverable as error:
            log.info("A deferred message is gone (%s).", error)
        ref = _HOOK + await self._rest.follow_up(hook, body, private=True)
        await self._drop_original()
        return ref

    async def _drop_original(self) -> None:
        self._original_free = False
        if self._hook is not None:
            try:
                await self._rest.delete_follow_up(self._hook, ORIGINAL)
            except Undeliverable as error:
                log.info("A deferred message could not be removed: %s.", error)

    async def _replace_pressed(self, body: Body, slot: str) -> str:
        message: str = self._payload["message"]
        try:
            await self._rest.edit(await self._place(), message, body)
        except Undeliverable:
            return await self._to_channel(body, slot, first=False)
        return _CHANNEL + message

    async def _to_channel(self, body: Body, slot: str, *, first: bool) -> str:
        reply_to = self._payload["id"] if first and self._kind in ("message", "edit") else None
        nonce = f"{self._nonce}.{slot}"
        return _CHANNEL + await self._rest.send(await self._place(), body, nonce=nonce, reply_to=reply_to)

    async def _place(self) -> str:
        """The channel's id. A person's private chat is opened when it is first needed."""
        if self._channel is None:
            self._channel = await self._rest.private_channel(self._payload["user"]["id"])
        return self._channel
