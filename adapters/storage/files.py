"""The database's files: born private, opened for looking without leaving a trace, and locked between processes.

The file is never opened except by SQLite once it exists: closing a second descriptor would drop SQLite's own locks.
"""

import fcntl
import os
import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from urllib.parse import quote

from core.errors import StorageError

_PRIVATE_FILE = 0o600
_PRIVATE_DIRECTORY = 0o700
_POLL_SECONDS = 0.02


def make_private(path: Path) -> None:
    """See that the file and its directory are there, made for nobody but us. An existing file loses the rights of others.

    Raises StorageError if the system refuses.
    """
    try:
        path.parent.mkdir(mode=_PRIVATE_DIRECTORY, parents=True, exist_ok=True)
        with suppress(FileExistsError):
            os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, _PRIVATE_FILE))
            _sync_directory(path.parent)
        found = path.stat()
        if found.st_mode & 0o077 and found.st_uid == os.geteuid() and path.is_file():
            path.chmod(_PRIVATE_FILE)
    except OSError as error:
        raise _refused(path, error) from error


def _sync_directory(directory: Path) -> None:
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _refused(path: Path, error: OSError) -> StorageError:
    return StorageError(
        "storage",
        f"The database {path} cannot be opened: {error.strerror}.",
        "Check who owns the file and its directory, and their permissions.",
    )


def address(path: Path, mode: str, *, immutable: bool = False) -> str:
    """SQLite's URI of the file; `mode` is ro or rw."""
    return f"file:{quote(str(path.absolute()))}?mode={mode}" + ("&immutable=1" if immutable else "")


def look(path: Path, busy_seconds: float = 5.0) -> sqlite3.Connection:
    """A connection for one look at an existing file. It writes nothing, and makes no -wal or -shm beside a database at rest.

    Without a write-ahead log no process has the database open, so that it may be read as if it could not change. Not for
    keeping: a database opened so at rest would not show what is written later.
    """
    at_rest = not any(Path(f"{path}{suffix}").exists() for suffix in ("-wal", "-journal"))
    return sqlite3.connect(address(path, "ro", immutable=at_rest), uri=True, timeout=busy_seconds, isolation_level=None)


class FileLock:
    """An exclusive `flock` on a file of its own. The kernel releases it when the process ends, however it ends."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._descriptor: int | None = None

    @property
    def is_held(self) -> bool:
        """Whether this object holds the lock."""
        return self._descriptor is not None

    def try_acquire(self) -> bool:
        """Take the lock if it is free; whether it is ours now. Raises StorageError if the lock file cannot be made."""
        if self._descriptor is not None:
            return True
        try:
            descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, _PRIVATE_FILE)
        except OSError as error:
            raise _refused(self._path, error) from error
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            os.close(descriptor)
            return False
        self._descriptor = descriptor
        return True

    def release(self) -> None:
        """Give it back, if it is ours. The file stays: removing it would let two processes lock two files of one name."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None


@contextmanager
def locked(path: Path, seconds: float) -> Iterator[None]:
    """Hold the lock file at `path`, waiting up to `seconds` for it. Raises StorageError if somebody keeps it longer."""
    lock = FileLock(path)
    deadline = time.monotonic() + seconds
    while not lock.try_acquire():
        if time.monotonic() > deadline:
            raise StorageError(
                "storage",
                f"Another process has been preparing the database for {seconds:.0f} seconds ({path}).",
                "Look at what it is doing, then start again.",
            )
        time.sleep(_POLL_SECONDS)
    try:
        yield
    finally:
        lock.release()
