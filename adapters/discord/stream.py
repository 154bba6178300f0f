"""An answer while it grows: shown when there is some text, then at most once a second, never in the way of the next piece."""

import asyncio
from collections.abc import Awaitable, Callable

from core.clock import Clock

EDIT_SECONDS = 1.0


class GrowingText:
    """Collects pieces; a task beside it shows what there is."""

    def __init__(self, show: Callable[[str], Awaitable[None]], clock: Clock) -> None:
        self._show = show
        self._clock = clock
        self._changed = asyncio.Event()
        self._showing = asyncio.Lock()
        self._task: asyncio.Task[None] | None = None
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
            async with self._showing:
                await self._show(self.text)
            await self._clock.sleep(EDIT_SECONDS)
