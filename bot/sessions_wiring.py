"""Sessions, for the host: read without SQLAlchemy, changed beside whoever serves the same database."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from core.sessions.ports import SessionStore


@contextmanager
def open_sessions(database: "Path") -> "Iterator[SessionStore]":
    """For changing them. A running gateway goes by it with its next message. Raises StorageError."""
    from adapters.storage.engine import open_database
    from adapters.storage.migrate import ensure
    from adapters.storage.sessions import SqlSessionStore

    ensure(database)
    with open_database(database) as opened:
        yield SqlSessionStore(opened)
