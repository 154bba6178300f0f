"""The machine's time, and a way to skip some of it."""

import asyncio
from datetime import UTC, datetime, timedelta


class MovedClock:
    """A Clock that goes on as the machine's does, and jumps ahead when a scenario says so: whoever sleeps that long wakes."""

    def __init__(self) -> None:
        self._ahead = timedelta()
        self._moved = asyncio.Event()

    def now(self) -> datetime:
        return datetime.now(UTC) + self._ahead

    async def sleep(self, seconds: float) -> None:
        until = self.now() + timedelta(seconds=seconds)
        await asyncio.sleep(0)
        while (rest := (until - self.now()).total_seconds()) > 0:
            try:
                await asyncio.wait_for(self._moved.wait(), rest)
            except TimeoutError:
                return

    def skip(self, span: timedelta) -> None:
        """Move on by a span at once."""
        self._ahead += span
        moved, self._moved = self._moved, asyncio.Event()
        moved.set()
