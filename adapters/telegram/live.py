"""An answer while it is being written: shown at once, then brought up to date at a measured pace."""

import asyncio
import logging
from collections.abc import Coroutine
from typing import Any

from adapters.telegram.board import Board
from adapters.telegram.drafts import Draft
from adapters.telegram.render import markdown
from adapters.telegram.screens import Screen
from adapters.telegram.transport import Flooded, Unconfirmed, Unreachable
from adapters.telegram.writer import NoDrafts
from core.clock import Clock

_log = logging.getLogger(__name__)
PACE = 1.0
"""Seconds between two edits of a message, for the first SWIFT of an answer."""
SWIFT = 10
LATER_PACE = 3.0
"""Seconds between two edits after these: groups take about twenty writes a minute, and then none for as long again."""
DRAFT_PACE = 0.3
"""Seconds between two drafts where Telegram answers quickly: no pause is shorter than the call before it, up to PACE."""
SLOWEST_PACE = 10.0
RENEW = 20.0
"""Seconds after which a draft is shown again although nothing came: it would be gone after thirty."""
_PATIENCE = 3


class Live:
    """Shows a growing text as a draft where there is one, else by edits on a board; one write at a time.

    Flood control doubles the pace for the rest of the answer, and its wait is kept in full, also before the final text. Where
    drafts are refused, or fail three times in a row, edits go on for the rest of the answer.
    """

    def __init__(self, board: Board, clock: Clock, draft: Draft | None) -> None:
        self.text = ""
        self._board = board
        self._clock = clock
        self._draft = draft
        self._failures = 0
        self._edits = 0
        self._took = 0.0
        self._slowdown = 1.0
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
        """End the showing. On return nothing is on its way: an old edit or draft must not overtake the final text."""
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
            if self._draft is None:
                await self._fresh.wait()
            elif not self._fresh.is_set():
                await _first(self._fresh.wait(), self._clock.sleep(RENEW))
            if self._ended.is_set():
                return
            self._fresh.clear()
            if not await self._round():
                return
            await self._pause()

    async def _round(self) -> bool:
        """Show what there is. False if a message was lost on its way: no more is shown before the final text."""
        began = self._clock.now()
        try:
            if self.text.strip():
                await self._show()
            self._failures = 0
        except NoDrafts:
            self._draft = None
            return await self._round()
        except Flooded as flood:
            self._slowdown *= 2
            self._flood = flood.seconds
            self._fresh.set()
        except (Unreachable, Unconfirmed) as error:
            _log.info("A growing answer may not be shown: %s", error.message)
            self._fresh.set()
            if self._draft is None:
                return isinstance(error, Unreachable) or not self._board.empty
            self._failures += 1
            if self._failures == _PATIENCE:
                self._draft = None
        self._took = (self._clock.now() - began).total_seconds()
        return True

    async def _show(self) -> None:
        if self._draft is not None:
            await self._draft.show(self.text)
        else:
            self._edits += 1
            await self._board.grow(tuple(Screen(piece) for piece in markdown(self.text)))

    async def _pause(self) -> None:
        """Keep the pace, cut short by the end of the answer; a flood wait is not cut short."""
        flood, self._flood = self._flood, 0.0
        if flood:
            await self._clock.sleep(flood)
        pause = min(self._pace() * self._slowdown, SLOWEST_PACE)
        await _first(self._ended.wait(), self._clock.sleep(max(0.0, pause - flood)))

    def _pace(self) -> float:
        if self._draft is not None:
            return min(max(self._took, DRAFT_PACE), PACE)
        return PACE if self._edits < SWIFT else LATER_PACE


async def _first(*waits: Coroutine[Any, Any, object]) -> None:
    """Return when the first of them has ended; the others are given up."""
    tasks = [asyncio.ensure_future(wait) for wait in waits]
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
