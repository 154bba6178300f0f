"""Which process moves the write-ahead log into the database.

SQLite from 3.7.0 to 3.51.2 can damage a log that two connections write and checkpoint at once. So only the holder of
`<database>.checkpoint-lock` has automatic checkpoints; all others write without, and take over when the holder has ended.
"""

import sqlite3
from contextlib import suppress
from pathlib import Path

from adapters.storage.files import FileLock
from core.errors import StorageError

_PAGES = 1000
"""The log is moved when it has grown to this many pages of 4 KiB."""


class Checkpoints:
    """This process's part in them, for the one connection that writes."""

    def __init__(self, database: Path) -> None:
        self._lock = FileLock(Path(f"{database}.checkpoint-lock"))

    @property
    def are_ours(self) -> bool:
        """Whether this process is the one."""
        return self._lock.is_held

    def begin(self, connection: sqlite3.Connection) -> None:
        """For a new connection. Raises StorageError if the lock file cannot be made."""
        pages = _PAGES if self._lock.try_acquire() else 0
        connection.execute(f"PRAGMA wal_autocheckpoint = {pages}")

    def take_over(self, connection: sqlite3.Connection) -> None:
        """Before a transaction: if the process that had them is gone, they are ours. Never fails: the write matters more."""
        if not self._lock.is_held:
            with suppress(StorageError):
                self.begin(connection)

    def end(self) -> None:
        """Leave them to another process. After the connection is closed, which may checkpoint a last time."""
        self._lock.release()
