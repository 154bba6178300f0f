"""One lock for each session, held while somebody needs it and forgotten afterwards."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, nullcontext

from core.chat.ports import TurnGuard
from core.sessions.key import SessionKey


class Lanes:
    """Work of one session runs one after the other, in the order in which it asked; sessions run side by side."""

    def __init__(self, guard: TurnGuard | None = None) -> None:
        """`guard` keeps other processes out too, once it is our turn here."""
        self._guard = guard
        self._locks: dict[SessionKey, tuple[asyncio.Lock, int]] = {}

    def busy(self, key: SessionKey) -> bool:
        """Whether work of this session is under way or waiting."""
        return key in self._locks

    @asynccontextmanager
    async def enter(self, key: SessionKey) -> AsyncIterator[None]:
        """Wait for the session's turn."""
        lock, users = self._locks.get(key, (asyncio.Lock(), 0))
        self._locks[key] = (lock, users + 1)
        try:
            async with lock, self._guard.hold(key) if self._guard is not None else nullcontext():
                yield
        finally:
            lock, users = self._locks.pop(key)
            if users > 1:
                self._locks[key] = (lock, users - 1)
