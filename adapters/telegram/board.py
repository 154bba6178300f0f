"""One reply on the screen: makes the messages of its slot show exactly these pieces, with as few calls as that takes."""

from telegram import InlineKeyboardMarkup

from adapters.telegram.notes import Notes, Slot
from adapters.telegram.splitting import Piece
from adapters.telegram.writer import Lost, Writer

Shown = tuple[Piece, InlineKeyboardMarkup | None]


class Board:
    """The messages of one reply, in order. What is known to be shown already is not written again."""

    def __init__(self, writer: Writer, notes: Notes, slot: Slot) -> None:
        self._writer = writer
        self._notes = notes
        self._slot = slot
        self._shown: dict[int, Shown] = {}

    @property
    def empty(self) -> bool:
        """Whether nothing was sent yet."""
        return not self._slot.messages

    def take_over(self, message: int) -> None:
        """Let the reply begin in a message that is there already (the one that was pressed)."""
        if self.empty:
            self._slot.messages.append(message)

    async def grow(self, pieces: tuple[Piece, ...]) -> None:
        """Show an unfinished answer, one try a message. Raises Flooded, Unreachable or Unconfirmed; the rest stays undone."""
        for at, piece in enumerate(pieces):
            await self._put(at, (piece, None), patient=False)

    async def finish(self, pieces: tuple[Piece, ...], keys: InlineKeyboardMarkup | None) -> None:
        """Show the whole reply, however long Telegram makes us wait; buttons go under its last message."""
        if self._slot.whole:
            return
        last = len(pieces) - 1
        for at, piece in enumerate(pieces):
            try:
                await self._put(at, (piece, keys if at == last else None), patient=True)
            except Lost:
                continue
        if self._writer.out_of_reach:
            return
        while pieces and len(self._slot.messages) > len(pieces):
            await self._writer.delete(self._slot.messages.pop())
        self._slot.whole = True
        await self._notes.keep()

    async def _put(self, at: int, wanted: Shown, *, patient: bool) -> None:
        messages = self._slot.messages
        if at < len(messages):
            if self._shown.pop(messages[at], None) == wanted:
                self._shown[messages[at]] = wanted
                return
            if await self._writer.edit(messages[at], *wanted, patient=patient):
                self._shown[messages[at]] = wanted
                return
        number = await self._writer.send(*wanted, first=at == 0, patient=patient)
        if number is None:
            return
        messages[at : at + 1] = [number]
        self._shown[number] = wanted
        await self._notes.keep()
