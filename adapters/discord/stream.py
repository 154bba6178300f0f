"""An answer while it grows: shown when there is some text, then as often as Discord takes it, never in the next piece's way."""

import asyncio
from collections.abc import Awaitable, Callable

from core.clock import Clock

EDIT_SECONDS = 1.0
"""The least time between two changes of a message."""
SLOWEST_SECONDS = 10.0
_RECOVERY = 0.75


class GrowingText:
    """Collects pieces; a task beside it shows what there is.

    The pace is Discord's: showing that takes a second (a rate limit that is waited out, a full bucket), or that fails, doubles
    the pause after it; showing that is quick shortens it again.
    """

    def __init__(self, show: Callable[[str], Awaitable[bool]], clock: Clock) -> None:
        """`show` tells whether all of it is shown; what is not is shown again with the next piece, or at the end."""
        self._show = show
        self._clock = clock
        self._changed = asyncio.Event()
        self._showing = asyncio.Lock()
        self._task: asyncio.Task[None] | None = None
        self.pause = EDIT_SECONDS
        self.text = ""

    def feed(self, piece: str) -> None:
        """Add a piece. Returns at once."""
        self.text += piece
        if self.text.strip():
            self._changed.set()
            if self._task is None:
                self._task = asyncio.create_task(self._run())

    async def stop(self) -> None:
        """Show nothing more; returns when nothing is being shown. Raises what showing has raised."""
        task, self._task = self._task, None
        if task is None:
            return
        async with self._showing:
            task.cancel()
        await asyncio.wait({task})
        if not task.cancelled():
            task.result()

    def abandon(self) -> None:
        """Break off, even what is being shown. For the way out after an error."""
        if self._task is not None and not self._task.cancel() and not self._task.cancelled():
            self._task.exception()

    async def _run(self) -> None:
        while True:
            await self._changed.wait()
            self._changed.clear()
            began = self._clock.now()
            async with self._showing:
                whole = await self._show(self.text)
            took = (self._clock.now() - began).total_seconds()
            if took >= EDIT_SECONDS or not whole:
                self.pause = min(2 * self.pause, SLOWEST_SECONDS)
            else:
                self.pause = max(EDIT_SECONDS, _RECOVERY * self.pause)
            await self._clock.sleep(self.pause)
