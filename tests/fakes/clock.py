"""A Clock that stands still until a test moves it."""

import asyncio
from datetime import UTC, datetime, timedelta

START = datetime(2026, 5, 4, 12, 0, tzinfo=UTC)


class FakeClock:
    """`now()` moves only when told to. With `jumps` a sleep is over at once and moves the time by its length; without, it
    lasts until `advance` or `set` has moved the time far enough.
    """

    def __init__(self, now: datetime = START, *, jumps: bool = True) -> None:
        self._now = now
        self.jumps = jumps
        self._sleepers: list[tuple[datetime, asyncio.Future[None]]] = []
        self._changed = asyncio.Event()
        self.slept: list[float] = []
        """The length in seconds of every sleep that was asked for."""

    def now(self) -> datetime:
        return self._now

    def set(self, moment: datetime) -> None:
        """Move to a moment, also backwards, and wake whoever has slept long enough."""
        self._now = moment
        for until, done in self._sleepers:
            if until <= moment and not done.done():
                done.set_result(None)

    def advance(self, span: timedelta) -> None:
        """Move on by a span."""
        self.set(self._now + span)

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        if self.jumps:
            self._now += timedelta(seconds=seconds)
            await asyncio.sleep(0)
            return
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        entry = (self._now + timedelta(seconds=seconds), done)
        self._sleepers.append(entry)
        self._changed.set()
        try:
            if seconds > 0:
                await done
        finally:
            self._sleepers.remove(entry)

    async def sleeping(self, count: int = 1) -> None:
        """Return when at least `count` sleeps are under way. Raises TimeoutError after five real seconds."""
        async with asyncio.timeout(5):
            while len(self._sleepers) < count:
                self._changed.clear()
                await self._changed.wait()
