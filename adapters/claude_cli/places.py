"""How many runs of the program may go on at a time. The limit is asked for each time: a reload may change it."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager


class Places:
    """Whoever finds none free waits, first come first served."""

    def __init__(self) -> None:
        self._taken = 0
        self._free = asyncio.Condition()

    @asynccontextmanager
    async def take(self, most: int) -> AsyncIterator[None]:
        """Have one of at most so many places."""
        async with self._free:
            await self._free.wait_for(lambda: self._taken < most)
            self._taken += 1
        try:
            yield
        finally:
            self._taken -= 1
            await asyncio.shield(self._tell())

    async def _tell(self) -> None:
        async with self._free:
            self._free.notify()
