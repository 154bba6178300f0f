"""A TurnGuard where there is only one process."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from core.sessions.key import SessionKey


class FakeTurnGuard:
    """`core.chat.ports.TurnGuard`. Look at `held`: the sessions that were held, in order."""

    def __init__(self) -> None:
        self.held: list[SessionKey] = []

    @asynccontextmanager
    async def hold(self, key: SessionKey) -> AsyncIterator[None]:
        self.held.append(key)
        yield
