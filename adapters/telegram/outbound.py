"""Delivering one answer: the gateway's events become messages, in order, each shown in full in the end."""

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Iterator

from telegram import Bot
from telegram.error import InvalidToken

from adapters.telegram.board import Board
from adapters.telegram.drafts import Draft, DraftRefusals, draft_number
from adapters.telegram.live import Live
from adapters.telegram.notes import Notes, Slot
from adapters.telegram.places import Address
from adapters.telegram.query import GRACE, GRACE_AMONG_OTHERS, QueryAnswer, alert_text
from adapters.telegram.render import markdown
from adapters.telegram.screens import Screen, digest, screens
from adapters.telegram.transport import token_refused
from adapters.telegram.writer import Writer
from core.clock import Clock
from core.messages import Delta, Event, Reply, ReplyKind, TurnReport, Working

_log = logging.getLogger(__name__)
TYPING_EVERY = 4.0
PRESSED_IN_VAIN = "That press changed nothing, and why can no longer be told to one person alone. Open /model anew."


class Delivery:
    """One answer on its way. `run` is all there is to call, once.

    A chat that is out of reach swallows the answer. A revoked token raises ConfigError when all events were taken in: the
    answer stays undelivered, and a start with a good token delivers it. `item` is the stored update that is answered.
    """

    def __init__(self, bot: Bot, to: Address, notes: Notes, clock: Clock, *, item: int, drafts: DraftRefusals) -> None:
        self._clock = clock
        self._notes = notes
        self._item = item
        self._drafts = drafts
        self._to = to
        self._writer = Writer(bot, to, clock)
        self._query = QueryAnswer(bot, to.query, clock, GRACE_AMONG_OTHERS if to.onlookers else GRACE)
        self._pressed = to.pressed
        self._written, self._reply_to, self._asked = to.written, to.reply_to, to.asked
        self._grown = 0
        self._hushed = to.onlookers and (to.query is not None or to.pressed is not None)
        self._typing: asyncio.Task[None] | None = None
        self._growing: tuple[Board, Live] | None = None
        self._refused: InvalidToken | None = None

    async def run(self, events: AsyncIterator[Event]) -> None:
        """Show every event; returns when Telegram has accepted the whole answer."""
        try:
            try:
                async for event in events:
                    with self._refusals():
                        await self._show(event)
            except Exception:
                with self._refusals():
                    await self._end()
                raise
            with self._refusals():
                await self._end()
        finally:
            await self._abandon()
        if self._refused is not None:
            raise token_refused(self._refused) from self._refused

    @contextlib.contextmanager
    def _refusals(self) -> Iterator[None]:
        """Keep a refusal of the token for the end: the events are taken in first."""
        try:
            yield
        except InvalidToken as error:
            self._refused = error

    async def _show(self, event: Event) -> None:
        if self._refused is not None:
            return
        match event:
            case Reply():
                await self._reply(event)
            case Delta(text):
                self._open_turn()
                self._stop_typing()
                self._grow(text)
            case Working():
                self._open_turn()
                if self._typing is None:
                    self._typing = asyncio.create_task(self._keep_typing(), name="telegram: typing")
            case TurnReport():
                pass

    def _open_turn(self) -> None:
        """A turn has begun, after a press on a card too. What becomes of it concerns everybody who saw the question."""
        self._query.dismiss()
        self._hushed = False

    async def _whisper(self, reply: Reply) -> bool:
        """Tell a private reply to a press to the person alone. True if it is dealt with, False if it is to be a message.

        In a group an alert is the only way that nobody else sees. If there can be none (any more), the chat is told no more than
        that the press did nothing: a stored change is never private. Whoever may not press does not make the bot speak.
        """
        if not reply.private or reply.shared or reply.prompt:
            return False
        if self._hushed:
            if not await self._query.alert(alert_text(reply)):
                _log.info(
                    "What a press in chat %s was answered could not be shown to one person alone and is left out.",
                    self._to.chat,
                )
                if reply.code != "not_authorised":
                    await self._show_whole(Reply(kind=ReplyKind.NOTICE, text=PRESSED_IN_VAIN), self._reply_to)
            return True
        return not reply.buttons and await self._query.alert(reply.text)

    async def _reply(self, reply: Reply) -> None:
        if reply.deletes:
            await self._withdraw()
        if await self._whisper(reply):
            return
        if reply.replaces or reply.prompt or reply.kind is not ReplyKind.NOTICE:
            # A mere announcement may be followed by a refusal, which needs the query; the grace bounds the wait.
            self._query.dismiss()
        if reply.kind in (ReplyKind.TEXT, ReplyKind.ERROR):
            self._stop_typing()
        if reply.kind is ReplyKind.ERROR:
            await self._close_growing()
        await self._show_whole(reply, self._asked if reply.prompt else self._reply_to)

    async def _show_whole(self, reply: Reply, reply_to: int | None) -> None:
        """Show a reply in its final form: where it has grown, in the message that was pressed, or in messages of its own."""
        wanted = screens(reply)
        if reply.kind is ReplyKind.TEXT and self._growing is not None:
            (board, live), self._growing = self._growing, None
            await live.settle()
        else:
            text = reply.kind is ReplyKind.TEXT
            board = self._board(self._notes.next_text() if text else self._notes.slot_of(digest(wanted)), reply_to)
        # A question has to be a message of its own: Telegram puts none under one that is there.
        if reply.replaces and self._pressed is not None and not reply.prompt:
            board.take_over(self._pressed)
            self._pressed = None
        await board.finish(wanted)

    async def _withdraw(self) -> None:
        """Remove what the person wrote; nothing can reply to it any more."""
        for message in self._written:
            await self._writer.withdraw(message)
        self._written, self._reply_to, self._asked = (), None, None

    def _board(self, slot: Slot, reply_to: int | None) -> Board:
        return Board(self._writer, self._notes, slot, reply_to)

    def _grow(self, text: str) -> None:
        if self._growing is None:
            board = self._board(self._notes.next_text(), self._reply_to)
            self._growing = board, Live(board, self._clock, self._draft(board))
        self._growing[1].add(text)

    def _draft(self, board: Board) -> Draft | None:
        """A draft, where nobody else reads and the answer has not begun to grow by edits before a restart."""
        if self._to.onlookers or not board.empty or not self._drafts.allow(self._to.chat):
            return None
        number = draft_number(self._item, self._grown)
        self._grown += 1
        return Draft(self._writer, self._drafts, self._to.chat, number)

    async def _close_growing(self) -> None:
        """The answer broke off: what came of it stays, in its final form."""
        if self._growing is not None:
            (board, live), self._growing = self._growing, None
            await live.settle()
            await board.finish(tuple(Screen(piece) for piece in markdown(live.text)))

    async def _keep_typing(self) -> None:
        while True:
            await self._writer.typing()
            await self._clock.sleep(TYPING_EVERY)

    def _stop_typing(self) -> None:
        if self._typing is not None:
            self._typing.cancel()

    async def _end(self) -> None:
        self._stop_typing()
        await self._close_growing()
        await self._query.close()

    async def _abandon(self) -> None:
        """Leave no task behind, whatever ended the delivery."""
        self._stop_typing()
        if self._typing is not None:
            await asyncio.gather(self._typing, return_exceptions=True)
        if self._growing is not None:
            await self._growing[1].abandon()
        await self._query.abandon()
