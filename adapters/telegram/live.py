"""An answer while it is being written: shown at once, then brought up to date at a measured pace."""

import asyncio
import logging

from adapters.telegram.board import Board
from adapters.telegram.render import markdown
from adapters.telegram.transport import Flooded, Unconfirmed, Unreachable
from core.clock import Clock

_log = logging.getLogger(__name__)
PACE = 1.0
SLOWEST_PACE = 10.0


class Live:
    """Shows a growing text on a board, one write at a time and at most one round a second.

    Flood control doubles the pace for the rest of the answer, and its wait is kept in full, also before the final text.
    """

    def __init__(self, board: Board, clock: Clock) -> None:
        self.text = ""
        self._board = board
        self._clock = clock
        self._pace = PACE
        self._flood = 0.0
        self._fresh = asyncio.Event()
        self._ended = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    def add(self, text: str) -> None:
        """Append a piece of the answer. Returns at once; the showing goes on beside."""
        self.text += text
        self._fresh.set()
        if self._task is None:
            self._task = asyncio.create_task(self._run(), name="telegram: growing answer")

    async def settle(self) -> None:
        """End the showing. On return nothing is on its way: an old edit must not overtake the final one."""
        self._ended.set()
        self._fresh.set()
        if self._task is not None:
            await self._task

    async def abandon(self) -> None:
        """End it now, because the process stops or the answer failed."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def _run(self) -> None:
        while True:
            await self._fresh.wait()
            if self._ended.is_set():
                return
            self._fresh.clear()
            if not await self._round():
                return
            await self._pause()

    async def _round(self) -> bool:
        """Show what there is. False if a message was lost on its way: no more is shown before the final text."""
        try:
            if self.text.strip():
                await self._board.grow(markdown(self.text))
        except Flooded as flood:
            self._pace = min(self._pace * 2, SLOWEST_PACE)
            self._flood = flood.seconds
            self._fresh.set()
        except Unreachable as error:
            _log.info("A growing answer could not be shown yet: %s", error.message)
            self._fresh.set()
        except Unconfirmed as error:
            _log.info("A growing answer may not be shown: %s", error.message)
            self._fresh.set()
            return not self._board.empty
        return True

    async def _pause(self) -> None:
        """Keep the pace, cut short by the end of the answer; a flood wait is not cut short."""
        flood, self._flood = self._flood, 0.0
        if flood:
            await self._clock.sleep(flood)
        rest = asyncio.create_task(self._clock.sleep(max(0.0, self._pace - flood)))
        ended = asyncio.create_task(self._ended.wait())
        try:
            await asyncio.wait({rest, ended}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            rest.cancel()
            ended.cancel()
