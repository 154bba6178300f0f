"""Lines of people waiting: work of one session is done one after the other, in the order in which it came."""

import asyncio
from contextlib import AsyncExitStack
from types import TracebackType

from core.chat.ports import TurnGuard
from core.sessions.key import SessionKey


class Lanes:
    """One line for each session that has work, forgotten when it is empty. Sessions do not wait for each other."""

    def __init__(self, guard: TurnGuard | None = None) -> None:
        """`guard` keeps other processes out too, once it is our turn here."""
        self._guard = guard
        self._lines: dict[SessionKey, list[Ticket]] = {}

    def ticket(self, key: SessionKey) -> "Ticket":
        """Take a place in the session's line, at once and without waiting. Whoever takes one enters with it or gives it back."""
        ticket = Ticket(self, key, self._guard)
        self._lines.setdefault(key, []).append(ticket)
        if self._lines[key][0] is ticket:
            ticket.call()
        return ticket

    def busy(self, key: SessionKey) -> bool:
        """Whether work of this session is being done."""
        return key in self._lines and self._lines[key][0].inside

    def leave(self, key: SessionKey, ticket: "Ticket") -> None:
        """Out of the line, from whichever place; the next one is called."""
        line = self._lines.get(key, [])
        if ticket not in line:
            return
        line.remove(ticket)
        ticket.left.set()
        if not line:
            del self._lines[key]
        else:
            line[0].call()


class Ticket:
    """A place in a line. `async with` waits until it is called and leaves at the end."""

    def __init__(self, lanes: Lanes, key: SessionKey, guard: TurnGuard | None) -> None:
        self.inside = False
        self.left = asyncio.Event()
        """Set when the place is free again: what it was taken for is over, or it was given back."""
        self._lanes = lanes
        self._key = key
        self._guard = guard
        self._called = asyncio.Event()
        self._holding = AsyncExitStack()

    @property
    def must_wait(self) -> bool:
        """Whether somebody else comes first."""
        return not self._called.is_set()

    def call(self) -> None:
        """It is the first in its line."""
        self._called.set()

    def give_back(self) -> None:
        """Leave the line. Nothing happens if it was used."""
        if not self.inside:
            self._lanes.leave(self._key, self)

    async def __aenter__(self) -> None:
        try:
            await self._called.wait()
            self.inside = True
            if self._guard is not None:
                await self._holding.enter_async_context(self._guard.hold(self._key))
        except BaseException:
            self._lanes.leave(self._key, self)
            raise

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            await self._holding.aclose()
        finally:
            self._lanes.leave(self._key, self)
