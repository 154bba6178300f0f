"""Ending a running turn because a person asks for it (`/stop`). Nothing is held against a credential for that."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, suppress


class Stop:
    """The wish to end one turn. `asked` stays true once it was uttered. `forgets`: nothing of the turn is to be remembered, as its
    question was taken back."""

    def __init__(self) -> None:
        self.asked = False
        self.forgets = False
        self._limit: asyncio.Timeout | None = None

    def ask(self) -> None:
        """End the turn: whatever it waits for, it waits no longer."""
        if self.asked:
            return
        self.asked = True
        if self._limit is not None:
            with suppress(RuntimeError):  # its time is over at this very moment
                self._limit.reschedule(asyncio.get_running_loop().time())

    @asynccontextmanager
    async def within(self, seconds: float | None) -> AsyncGenerator[None, None]:
        """Raises TimeoutError when the block takes longer (None: it has no limit), or as soon as the end is asked for."""
        span = seconds if seconds is None else max(0.0, seconds)
        async with asyncio.timeout(0 if self.asked else span) as limit:
            self._limit = limit
            try:
                yield
            finally:
                self._limit = None
