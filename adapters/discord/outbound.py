"""Deliver one answer: show every event, note what was sent, and carry on from the notes of an interrupted delivery."""

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

from adapters.discord.cards import card_parts, with_footer
from adapters.discord.components import build_components
from adapters.discord.destination import Destination
from adapters.discord.markdown import model_markdown
from adapters.discord.plain import plain_name, plain_text
from adapters.discord.refusals import Refusals
from adapters.discord.rest import Body, ForOneAlone, Undeliverable
from adapters.discord.sheets import Sheets
from adapters.discord.splitting import split_text
from adapters.discord.stream import GrowingText
from core.clock import Clock
from core.errors import BotError, StorageError
from core.messages import Delta, Event, Reply, ReplyKind, Working
from core.ports import Inbox, InboxItem

log = logging.getLogger(__name__)

TYPING_SECONDS = 8.0
_EMPTY = "(empty answer)"

_Send = Callable[[Body, int], Awaitable[str]]
"""Sends message number n of a reply and returns its ref."""


class Delivery:
    """One answer on its way. The notes hold the refs of every reply's messages, and of the answer that is still growing.

    They are an aid for a delivery that goes on after a restart: one that cannot be stored is told once and stops nothing.
    """

    def __init__(
        self,
        item: InboxItem,
        destination: Destination,
        inbox: Inbox,
        clock: Clock,
        sheets: Sheets,
        refusals: Refusals,
    ) -> None:
        self._item = item.id
        self._to = destination
        self._inbox = inbox
        self._sheets = sheets
        self._refusals = refusals
        self._clock = clock
        self._replies: dict[str, list[str]] = {k: list(refs) for k, refs in item.delivery.get("replies", {}).items()}
        self._streamed: list[str] = list(item.delivery.get("stream", ()))
        self._shown: dict[str, Body] = {}
        self._growing = GrowingText(self._show_growing, clock)
        self._typing: asyncio.Task[None] | None = None
        self._count = 0
        self._unnoted = False
        for refs in (*self._replies.values(), self._streamed):
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
        if self._streamed:
            self._replies.setdefault(str(self._count), []).extend(self._streamed)
            self._streamed = []
        self._growing = GrowingText(self._show_growing, self._clock)
        await self._reply(reply)

    async def _reply(self, reply: Reply) -> None:
        number, self._count = self._count, self._count + 1
        if reply.deletes:
            await self._to.delete_question()
        parts = _parts(reply)
        bodies = [Body(content=part) for part in parts]
        bodies[-1] = Body(content=parts[-1], components=build_components(reply))
        refs = self._replies.setdefault(str(number), [])
        try:
            await self._place(bodies, refs, self._sender(str(number), reply), whole=True)
        except ForOneAlone as error:
            log.warning("Discord does not show a reply: %s.", error)
            return
        if reply.replaces and self._to.pressed is not None:
            await self._sheets.clear(self._to.pressed)
        if reply.token:
            self._sheets.remember(self._to, refs)
        if reply.shared and self._to.is_hidden(reply, refs[0]):
            await self._tell_all(f"{number}a", plain_text(reply.text))

    async def _tell_all(self, number: str, text: str) -> None:
        """A change that only its sender saw: the others in the chat are told what it is and whose."""
        bodies = [Body(content=part) for part in split_text(f"{plain_name(self._to.sender)}: {text}")]
        refs = self._replies.setdefault(number, [])
        try:
            await self._place(bodies, refs, lambda body, at: self._to.publish(body, slot=f"{number}.{at}"), whole=True)
        except Undeliverable as error:
            log.warning("A change could not be told to the others in the chat: %s.", error)

    async def _show_growing(self, text: str) -> bool:
        return await self._show_text(text, whole=False)

    async def _show_text(self, text: str, *, whole: bool) -> bool:
        """Show an answer whose end has not come. `whole`: it will not come. Whether all of it is shown."""
        if not self._streamed:
            # After a restart in the middle of the answer: what was sent of it is noted under its number.
            self._streamed = self._replies.pop(str(self._count), [])
        bodies = [Body(content=part) for part in split_text(model_markdown(text))]
        return await self._place(bodies, self._streamed, self._sender(str(self._count), None), whole=whole)

    def _sender(self, slot: str, reply: Reply | None) -> _Send:
        return lambda body, at: self._to.send(body, slot=f"{slot}.{at}", reply=reply, at=at)

    async def _place(self, bodies: list[Body], refs: list[str], send: _Send, *, whole: bool) -> bool:
        """Bring the messages of `refs` to show `bodies`: edit those that differ, send those that lack, remove those too many.

        What is not `whole` yet is edited in passing. Whether everything is known to be shown; what is not is edited next time.
        """
        known = True
        for at, body in enumerate(bodies):
            if at == len(refs):
                refs.append(await send(body, at))
                self._refusals.taken(self._to.chat)
                await self._note()
            elif self._shown.get(refs[at]) != body and not await self._to.edit(refs[at], body, passing=not whole):
                self._shown.pop(refs[at], None)
                known = False
                continue
            self._shown[refs[at]] = body
        if whole and len(refs) > len(bodies):
            for ref in refs[len(bodies) :]:
                await self._to.delete(ref)
            del refs[len(bodies) :]
            await self._note()
        return known

    async def _note(self) -> None:
        notes: dict[str, Any] = {"replies": self._replies}
        if self._streamed:
            notes["stream"] = self._streamed
        try:
            await self._inbox.note_delivery(self._item, notes)
        except StorageError as error:
            if not self._unnoted:
                log.error("What is sent to Discord cannot be noted; it goes on without: %s", error)
            self._unnoted = True

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
