"""Where the messages of one answer go: beside the question, through the interaction that asked, or to a chat that is to be told
something; and who sees them."""

import hashlib
import logging
from collections.abc import Mapping
from enum import Enum, auto
from typing import Any

from adapters.discord.addresses import chat_address
from adapters.discord.inbound import is_unseen
from adapters.discord.rest import (
    ORIGINAL,
    Body,
    DiscordRest,
    ForOneAlone,
    Gone,
    Hook,
    InteractionExpired,
    Missed,
    Refused,
    Undeliverable,
)
from core.messages import Reply, ReplyKind

log = logging.getLogger(__name__)

_FOR_THE_SENDER = (ReplyKind.PICKER, ReplyKind.STATUS, ReplyKind.ERROR)
_CHANNEL, _HOOK, _FIRST = "c", "w", "o"
"""First letter of a ref: how the message is reached again. In its channel, through the webhook, as the interaction's original."""
_NONCE_BYTES = 12


class Change(Enum):
    """What became of a change of a message. UNKNOWN: Discord gave no answer, and it was only made in passing."""

    SHOWN = auto()
    UNKNOWN = auto()
    REFUSED = auto()


class Destination:
    """Sends and edits the messages of one answer. A ref names a sent message and can be stored; one without a message is of a
    message that cannot be reached again.

    A command's first message takes the place of "thinking", whose visibility is fixed: a private one after a public deferral
    follows up and removes it. A press edits its own message once, if the reply replaces it. What is for everybody and takes no
    place goes to the chat, where a nonce keeps it from being there twice. When the interaction takes no answer (expired, never
    acknowledged), the chat itself is used, except for what only the sender should see in a shared chat; a stored change concerns
    everybody there.
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
        self._unchanging: set[str] = set()
        self._looks = self._kind == "command" and is_unseen(payload)
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
        is_taken = any(ref.startswith(_FIRST) or ref[1:] == self.pressed for ref in refs)
        if is_taken or (any(refs) and self._kind == "command"):
            self._original_free = False

    async def send(self, body: Body, *, slot: str, reply: Reply | None, at: int) -> str:
        """Send message number `at` of a reply, or of an answer that is growing, and return its ref. `slot` names it within the
        whole delivery, so that the same one is not sent twice. What is refused is tried once more as bare words. Raises
        ForOneAlone for what can only be shown to all."""
        try:
            return await self._send(body, slot, reply, at)
        except Refused as error:
            log.info("A message is refused (%s) and tried as bare words.", error)
            return await self._send(Body(content=body.content), slot, reply, at, bare=True)

    async def _send(self, body: Body, slot: str, reply: Reply | None, at: int, *, bare: bool = False) -> str:
        private = reply is not None and self._is_private(reply)
        replaces = reply is not None and reply.replaces and at == 0
        if self._hook is not None and self._open:
            try:
                if (ref := await self._through_hook(self._hook, body, private=private, replaces=replaces)) is not None:
                    return ref
            except Refused:
                raise
            except Undeliverable as error:
                log.info("An interaction takes no answer any more (%s); it goes to the chat.", error)
                self._open = False
        if reply is not None and private and not reply.shared and not self._payload["direct"]:
            raise ForOneAlone("the interaction takes no answer any more, and only its sender should see it")
        if replaces and self._original_free and self.pressed is not None and not self._payload["ephemeral"]:
            return await self._replace_pressed(self.pressed, body, slot)
        return await self._to_all(body, slot, first=at == 0 and not bare)

    async def publish(self, body: Body, *, slot: str) -> str:
        """Send a message to everybody in the chat, whoever sees the answer, and return its ref."""
        return await self._to_all(body, slot, first=False)

    async def edit(self, ref: str, body: Body, *, passing: bool = False) -> Change:
        """Change a message that was sent. `passing`: more will follow, so a change without an answer is not made again, nor one
        of a message that has taken none."""
        how, message = ref[0], ref[1:]
        if not message:
            return Change.SHOWN  # as far as anybody will ever know
        if passing and ref in self._unchanging:
            return Change.REFUSED
        try:
            if how != _CHANNEL and self._hook is not None and self._open:
                try:
                    named = ORIGINAL if how == _FIRST else message
                    await self._rest.edit_follow_up(self._hook, named, body, passing=passing)
                    return Change.SHOWN
                except InteractionExpired:
                    self._open = False
            await self._rest.edit(await self._place(), message, body, passing=passing)
        except Undeliverable as error:
            self._unchanging.add(ref)
            log.warning("A message could not be changed: %s.", error)
            return Change.REFUSED
        except Missed as error:
            log.info("Discord did not say whether it has changed a message (%s).", error)
            return Change.UNKNOWN
        return Change.SHOWN

    async def delete(self, ref: str) -> None:
        """Remove a message that was sent and is not part of the answer any more."""
        how, message = ref[:1], ref[1:]
        if not message:
            return
        try:
            if how != _CHANNEL and self._hook is not None and self._open:
                await self._rest.delete_follow_up(self._hook, ORIGINAL if how == _FIRST else message)
            elif how != _FIRST:
                await self._rest.delete(await self._place(), message)
        except Gone:
            return
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

    async def _through_hook(self, hook: Hook, body: Body, *, private: bool, replaces: bool) -> str | None:
        """Fill or replace the original, or follow up in private; None for what does neither."""
        if self._original_free and self._kind == "command":
            if private and not self._looks and not self._payload["direct"]:
                return await self._private_instead(hook, body)
            replaces = True
        if self._original_free and replaces:
            try:
                ref = _FIRST + await self._rest.edit_follow_up(hook, ORIGINAL, body)
            except Gone as error:
                log.info("The message to be filled is gone (%s).", error)
                self._original_free = False
            else:
                self._original_free = False
                return ref
        return _HOOK + await self._rest.follow_up(hook, body, private=True) if private else None

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
        try:
            return _HOOK + await self._rest.follow_up(hook, body, private=True)
        finally:
            await self._drop_original()

    async def _drop_original(self) -> None:
        self._original_free = False
        if self._hook is not None:
            try:
                await self._rest.delete_follow_up(self._hook, ORIGINAL)
            except Undeliverable as error:
                log.info("A deferred message could not be removed: %s.", error)

    async def _replace_pressed(self, message: str, body: Body, slot: str) -> str:
        self._original_free = False
        try:
            await self._rest.edit(await self._place(), message, body)
        except Undeliverable:
            return await self._to_all(body, slot, first=False)
        return _CHANNEL + message

    async def _to_all(self, body: Body, slot: str, *, first: bool) -> str:
        """In the chat, under a nonce; or as a follow-up where the bot may only answer interactions."""
        reply_to = self._payload["id"] if first and self._kind in ("message", "edit") else None
        nonce = hashlib.blake2b(f"{self._nonce}.{slot}".encode(), digest_size=_NONCE_BYTES).hexdigest()
        try:
            return _CHANNEL + await self._rest.send(await self._place(), body, nonce=nonce, reply_to=reply_to)
        except Refused:
            raise
        except Undeliverable:
            if self._hook is None or not self._open:
                raise
            return _HOOK + await self._rest.follow_up(self._hook, body, private=False)

    async def _place(self) -> str:
        """The channel's id. A person's private chat is opened when it is first needed."""
        if self._channel is None:
            self._channel = await self._rest.private_channel(self._payload["user"]["id"])
        return self._channel
