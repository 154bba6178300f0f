"""One reply on the screen: makes the messages of its slot show exactly these screens, with as few calls as that takes."""

import contextlib

from adapters.telegram.notes import Notes, Slot
from adapters.telegram.screens import Screen, digest
from adapters.telegram.splitting import Piece
from adapters.telegram.writer import Lost, Writer

UNCONFIRMED = "Telegram did not confirm a message here. If something is missing above, please ask again."


class Board:
    """The messages of one reply, in order. What is known to be shown already is not written again.

    The first one replies to the message `reply_to`, if there is one.
    """

    def __init__(self, writer: Writer, notes: Notes, slot: Slot, reply_to: int | None) -> None:
        self._writer = writer
        self._notes = notes
        self._slot = slot
        self._reply_to = reply_to
        self._shown: dict[int, Screen] = {}

    @property
    def empty(self) -> bool:
        """Whether nothing was sent yet."""
        return not self._slot.messages

    def take_over(self, message: int) -> None:
        """Let the reply begin in a message that is there already (the one that was pressed)."""
        if self.empty:
            self._slot.messages.append(message)

    async def grow(self, screens: tuple[Screen, ...]) -> None:
        """Show an unfinished answer, one try a message. Raises Flooded, Unreachable or Unconfirmed; the rest stays undone."""
        if self._slot.shown:
            return  # what is there already is more than this
        for at, screen in enumerate(screens):
            await self._put(at, screen, patient=False)

    async def finish(self, screens: tuple[Screen, ...]) -> None:
        """Show the whole reply, however long Telegram makes us wait.

        A message of which Telegram did not say whether it took it is not sent again: it is most likely there. The person is told.
        """
        wanted, lost = digest(screens), False
        if self._slot.shown == wanted:
            return
        for at, screen in enumerate(screens):
            try:
                await self._put(at, screen, patient=True)
            except Lost:
                lost = True
        if self._writer.out_of_reach:
            return
        while screens and len(self._slot.messages) > len(screens):
            await self._writer.delete(self._slot.messages.pop())
        if lost:
            with contextlib.suppress(Lost):
                await self._writer.send(Screen(Piece(UNCONFIRMED)), reply_to=None, patient=True)
        self._slot.shown = wanted
        await self._notes.keep()

    async def _put(self, at: int, wanted: Screen, *, patient: bool) -> None:
        messages = self._slot.messages
        if at < len(messages):
            if wanted.asks:
                return  # it never grows and cannot be edited: if it is there, it is right
            if self._shown.pop(messages[at], None) == wanted:
                self._shown[messages[at]] = wanted
                return
            if await self._writer.edit(messages[at], wanted, patient=patient):
                self._shown[messages[at]] = wanted
                return
        reply_to = self._reply_to if at == 0 else None
        number = await self._writer.send(wanted, reply_to=reply_to, patient=patient)
        if number is None:
            return
        messages[at : at + 1] = [number]
        self._shown[number] = wanted
        await self._notes.keep()
