"""Turns of one session in several processes: a byte of one file for each session, locked while its turn runs.

Byte locks of POSIX belong to a process, are released by the kernel when it dies, and leave no file behind for each session.
Inside a process they exclude nobody: that is the business of core.chat.lanes. Two sessions whose keys fall on the same byte
wait for each other, which is slow and never wrong; with 2^40 bytes it does not happen.
"""

import fcntl
import hashlib
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from core.clock import Clock
from core.errors import StorageError
from core.sessions.key import SessionKey

_BYTES = 2**40
_FIRST_PAUSE = 0.02
_LONGEST_PAUSE = 0.25
"""Seconds between looks at a lock that another process holds: a wait that a person does not feel."""


class TurnLocks:
    """`core.chat.ports.TurnGuard` on a file beside the database. Close it at the end."""

    def __init__(self, path: Path, clock: Clock) -> None:
        self._clock = clock
        try:
            self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise StorageError("storage", f"{path} cannot be opened: {error.strerror}.", "Check its owner.") from error

    @asynccontextmanager
    async def hold(self, key: SessionKey) -> AsyncIterator[None]:
        """Wait until no other process runs a turn of this session, and keep the others waiting."""
        place = int.from_bytes(hashlib.sha256(str(key).encode()).digest()[:8]) % _BYTES
        pause = _FIRST_PAUSE
        while not self._taken(place):
            await self._clock.sleep(pause)
            pause = min(2 * pause, _LONGEST_PAUSE)
        try:
            yield
        finally:
            fcntl.lockf(self._file, fcntl.LOCK_UN, 1, place)

    def _taken(self, place: int) -> bool:
        try:
            fcntl.lockf(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB, 1, place)
        except OSError as error:
            if isinstance(error, BlockingIOError | PermissionError):
                return False
            raise StorageError(
                "storage", f"A turn could not be locked: {error.strerror}.", "Check the disk."
            ) from error
        return True

    def close(self) -> None:
        """Release everything."""
        os.close(self._file)
