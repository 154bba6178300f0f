"""Who asks to be let in, for the host: read without SQLAlchemy, decided beside whoever serves the same database."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from core.clock import Clock
    from core.pairing import Pairing, PairingRequest


def read_pairings(database: "Path") -> "tuple[PairingRequest, ...]":
    """Everybody who asked, the latest first; nobody where there is no database yet. Changes nothing. Raises StorageError."""
    from adapters.storage.reader import SqliteStatusReader

    return SqliteStatusReader(database).pairings()


@contextmanager
def open_pairing(database: "Path", clock: "Clock") -> "Iterator[Pairing]":
    """For deciding. A running gateway goes by it with its next message, and tells the person. Raises StorageError."""
    from adapters.storage.engine import open_database
    from adapters.storage.migrate import ensure
    from adapters.storage.pairings import SqlPairingStore
    from core.pairing import Pairing

    ensure(database)
    with open_database(database) as opened:
        yield Pairing(SqlPairingStore(opened), clock)
