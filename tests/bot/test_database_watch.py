"""Whether the database takes writes: seen without a message, said once, and over as soon as a write is taken."""

import asyncio
import logging
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import datetime

import pytest

from bot.ops.database_watch import DatabaseWatch
from core.errors import StorageError
from core.ports import InboxItem, Update
from tests.fakes.clock import START
from tests.fakes.inbox import FakeInbox

LOCKED = StorageError("storage", "The database is locked.")
AGAIN = "The database can be written again."


class Disk(FakeInbox):
    """Takes nothing while it is locked, and no more than looks while it is full."""

    def __init__(self) -> None:
        super().__init__()
        self.locked: Exception | None = None
        self.full = False
        self.tried = asyncio.Event()

    async def receive(self, updates: Sequence[Update], now: datetime) -> tuple[InboxItem, ...]:
        if self.locked is not None:
            raise self.locked
        return await super().receive(updates, now)

    async def set_mark(self, platform: str, account: str, mark: str) -> None:
        self.tried.set()
        if self.locked is not None or self.full:
            raise self.locked or LOCKED
        await super().set_mark(platform, account, mark)


@asynccontextmanager
async def watching(disk: Disk) -> AsyncIterator[DatabaseWatch]:
    watch = DatabaseWatch(disk, lambda: START, every=0.01, again=0.01)
    running = asyncio.create_task(watch.run())
    try:
        async with asyncio.timeout(20):
            yield watch
    finally:
        running.cancel()
        await asyncio.wait((running,))


@pytest.fixture(autouse=True)
def _listening(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "bot.ops.database_watch")


@pytest.mark.parametrize("error", [LOCKED, RuntimeError("a mistake")], ids=["locked", "a mistake"])
async def test_a_lock_is_seen_without_a_message_and_said_once(
    error: Exception, caplog: pytest.LogCaptureFixture
) -> None:
    disk = Disk()
    async with watching(disk) as watch:
        disk.locked = error
        for _ in range(3):
            await disk.tried.wait()
            disk.tried.clear()
        reason = watch.reason
        disk.locked = None
        await watch.outlast(LOCKED)
    assert reason == (str(LOCKED) if error is LOCKED else "The database fails unexpectedly (RuntimeError).")
    assert (watch.reason, caplog.messages) == ("", [reason, AGAIN])


async def test_what_could_not_be_stored_waits_until_something_can_be_even_if_looks_are_well(
    caplog: pytest.LogCaptureFixture,
) -> None:
    disk = Disk()
    async with watching(disk) as watch:
        disk.full = True
        waiting = [asyncio.create_task(watch.outlast(LOCKED)) for _ in range(2)]
        for _ in range(3):
            await disk.tried.wait()
            disk.tried.clear()
        assert not any(task.done() for task in waiting)
        disk.full = False
        await asyncio.gather(*waiting)
    assert caplog.messages == [str(LOCKED), AGAIN]
