"""Deliver one answer: show every event, note what was sent, and carry on from the notes of an interrupted delivery."""

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable

from adapters.discord.cards import card_parts, with_footer
from adapters.discord.components import build_components
from adapters.discord.destination import Change, Destination
from adapters.discord.markdown import model_markdown
from adapters.discord.notes import Notes, text_slot
from adapters.discord.plain import plain_name, plain_text
from adapters.discord.refusals import Refusals
from adapters.discord.rest import Body, ForOneAlone, Refused, Undeliverable
from adapters.discord.sheets import Sheets
from adapters.discord.splitting import split_text
from adapters.discord.stream import GrowingText
from core.clock import Clock
from core.errors import BotError
from core.messages import Delta, Event, Reply, ReplyKind, Working
from core.ports import Inbox, InboxItem

log = logging.getLogger(__name__)

TYPING_SECONDS = 8.0
_EMPTY = "(empty answer)"
_MISSING = "A part of this answer was refused by Discord and is missing."

_Send = Callable[[Body, int, str], Awaitable[str]]
"""Sends message number n of a reply, in the place of one that is lost if a ref is given, and returns its ref."""


class Delivery:
    """One answer on its way. A chat that takes nothing ends it; a message that is refused for what it is, is left out and told."""

    def __init__(
        self,
        item: InboxItem,
        destination: Destination,
        inbox: Inbox,
        clock: Clock,
        sheets: Sheets,
        refusals: Refusals,
    ) -> None:
        self._to = destination
        self._notes = Notes(item, inbox)
        self._sheets = sheets
        self._refusals = refusals
        self._clock = clock
        self._shown: dict[str, Body] = {}
        self._growing = GrowingText(self._show_growing, clock)
        self._typing: asyncio.Task[None] | None = None
        self._count = 0
        self._texts = 0
        self._missing = self._missing_told = False
        for refs in self._notes.all():
            destination.resume(refs)

    async def run(self, events: AsyncIterator[Event]) -> None:
        """Show all events. What Discord refuses is logged once and the rest is still consumed.

        Raises BotError, after the last event, if Discord did not answer for minutes or does not take the bot's token: the
        answer can still be delivered by a later start.
        """
        try:
            await self._show(events)
            await self._growing.stop()
            if self._growing.text.strip():
                await self._show_text(self._growing.text, whole=True)
                await self._tell_missing(None)
            for ref in self._notes.take_unfinished():
                await self._to.delete(ref)
            await self._to.finish()
        except Undeliverable as error:
            self._refusals.refused(self._to.chat, str(error))
            async for _ in events:
                pass
        except BotError as error:
            log.warning("Discord does not show an answer: %s", error)
            async for _ in events:
                pass
            raise
        finally:
            self._stop_typing()
            self._growing.abandon()

    async def _show(self, events: AsyncIterator[Event]) -> None:
        async for event in events:
            match event:
                case Working():
                    self._start_typing()
                case Delta(text):
                    self._stop_typing()
                    self._growing.feed(text)
                case Reply(kind=ReplyKind.TEXT):
                    self._stop_typing()
                    await self._growing.stop()
                    await self._text(event)
                case Reply():
                    await self._reply(event)

    async def _text(self, reply: Reply) -> None:
        """The whole answer takes the place of what has grown so far."""
        self._growing = GrowingText(self._show_growing, self._clock)
        await self._reply(reply)
        self._texts += 1

    async def _reply(self, reply: Reply) -> None:
        number, self._count = self._count, self._count + 1
        if reply.deletes:
            await self._to.delete_question()
        parts = _parts(reply)
        bodies = [Body(content=part) for part in parts]
        bodies[-1] = Body(content=parts[-1], components=build_components(reply))
        slot = text_slot(self._texts) if reply.kind is ReplyKind.TEXT else self._notes.slot(reply, parts)
        refs = self._notes.refs(slot, str(number))
        try:
            await self._place(bodies, refs, self._sender(slot, reply), whole=True)
            await self._tell_missing(reply)
        except ForOneAlone as error:
            log.warning("Discord does not show a reply: %s.", error)
            return
        if reply.replaces and self._to.pressed is not None:
            await self._sheets.clear(self._to.pressed)
        if reply.token:
            self._sheets.remember(self._to, refs)
        if reply.shared and self._to.is_hidden(reply, refs[0]):
            await self._tell_all(slot, f"{number}a", plain_text(reply.text))

    async def _tell_all(self, of: str, older: str, text: str) -> None:
        """A change that only its sender saw: the others in the chat are told what it is and whose."""
        bodies = [Body(content=part) for part in split_text(f"{plain_name(self._to.sender)}: {text}")]
        slot = f"all-{of}"

        async def publish(body: Body, at: int, lost: str) -> str:
            return await self._to.publish(body, slot=f"{slot}.{at}.{lost}")

        try:
            await self._place(bodies, self._notes.refs(slot, older), publish, whole=True)
        except Undeliverable as error:
            log.warning("A change could not be told to the others in the chat: %s.", error)

    async def _tell_missing(self, reply: Reply | None) -> None:
        """Once for an answer, to whoever sees the reply from which something is missing."""
        if not self._missing or self._missing_told:
            return
        self._missing_told = True
        slot = "missing"
        refs = self._notes.refs(slot, slot)
        await self._place([Body(content=_MISSING)], refs, self._sender(slot, reply, beside=True), whole=True)

    async def _show_growing(self, text: str) -> bool:
        return await self._show_text(text, whole=False)

    async def _show_text(self, text: str, *, whole: bool) -> bool:
        """Show an answer whose end has not come. `whole`: it will not come. Whether all of it is shown."""
        slot = text_slot(self._texts)
        bodies = [Body(content=part) for part in split_text(model_markdown(text))]
        refs = self._notes.refs(slot, str(self._count))
        return await self._place(bodies, refs, self._sender(slot, None), whole=whole)

    def _sender(self, slot: str, reply: Reply | None, *, beside: bool = False) -> _Send:
        """`beside`: it says something of the reply and takes no place of its own."""

        async def send(body: Body, at: int, lost: str) -> str:
            at = at + 1 if beside else at
            return await self._to.send(body, slot=f"{slot}.{at}.{lost}", reply=reply, at=at)

        return send

    async def _place(self, bodies: list[Body], refs: list[str], send: _Send, *, whole: bool) -> bool:
        """Bring the messages of `refs` to show `bodies`: edit those that differ, send those that lack, remove those too many.

        What is not `whole` yet is edited in passing. What is whole and takes no edit is sent anew, and so is what stands behind
        it, for the order. Whether everything is known to be shown; what is not is edited next time.
        """
        known, anew = True, False
        for at, body in enumerate(bodies):
            if at == len(refs):
                refs.append("")
            old = refs[at]
            if old and not anew:
                change = await self._show_in(old, body, passing=not whole)
                known = known and change is not Change.UNKNOWN
                if change is not Change.REFUSED or not whole:
                    continue
            sent = await self._sent(send, body, at, old, whole=whole)
            if not sent and not whole:
                return False  # what comes behind it must not be there before it
            if sent:
                anew, refs[at] = True, sent
                await self._notes.store()
                if old:
                    await self._to.delete(old)
        if whole and len(refs) > len(bodies):
            for ref in refs[len(bodies) :]:
                await self._to.delete(ref)
            del refs[len(bodies) :]
            await self._notes.store()
        return known

    async def _show_in(self, ref: str, body: Body, *, passing: bool) -> Change:
        """Let a message that was sent show this."""
        if self._shown.get(ref) == body:
            return Change.SHOWN
        change = await self._to.edit(ref, body, passing=passing)
        if change is Change.SHOWN:
            self._shown[ref] = body
        else:
            self._shown.pop(ref, None)
        return change

    async def _sent(self, send: _Send, body: Body, at: int, lost: str, *, whole: bool) -> str:
        """The ref of a new message; empty if Discord refuses this one. What is not `whole` is tried again with the next words."""
        try:
            ref = await send(body, at, lost)
        except Refused as error:
            if whole:
                log.warning("Discord refuses a message, and it is left out: %s.", error)
                self._missing = True
            return ""
        self._refusals.taken(self._to.chat)
        self._shown[ref] = body
        return ref

    def _start_typing(self) -> None:
        if self._typing is None:
            self._typing = asyncio.create_task(self._type())

    def _stop_typing(self) -> None:
        if self._typing is not None:
            self._typing.cancel()
            self._typing = None

    async def _type(self) -> None:
        while True:
            await self._to.typing()
            await self._clock.sleep(TYPING_SECONDS)


def _parts(reply: Reply) -> list[str]:
    """The messages of a reply: a card where it has facts, the model's Markdown, or plain words."""
    if reply.blocks:
        parts = card_parts(reply.blocks)
    elif reply.kind is ReplyKind.TEXT:
        parts = split_text(model_markdown(reply.text))
    else:
        parts = split_text(plain_text(reply.text))
    parts = parts or [_EMPTY]
    return with_footer(parts, reply.footer) if reply.footer.strip() else parts
