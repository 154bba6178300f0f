"""The database for the command line: the standard library's sqlite3 only, so that a status costs no import of SQLAlchemy.

Opens the file anew for every question and changes nothing: neither the file nor its directory. A missing, empty or older
database reads as what it has, down to nothing at all.
"""

import sqlite3
from collections.abc import Callable, Sequence
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from adapters.storage.failures import misses_schema, storage_error, translated
from adapters.storage.files import look
from adapters.storage.health_rows import read_health
from adapters.storage.revision import revision_of
from adapters.storage.session_rows import read_decision, read_session
from core.auth.health import ProfileHealth
from core.resolution.ports import State
from core.sessions.key import SessionKey
from core.sessions.session import Decision, Session

if TYPE_CHECKING:
    from core.pairing import PairingRequest
    from core.sessions.overview import Overview

T = TypeVar("T")

_PAIRINGS = "SELECT * FROM pairings ORDER BY COALESCE(decided_at, asked_at) DESC, person"


class SqliteStatusReader:
    """`core.resolution.ports.StateReader`, a session's decisions, and who asks to be let in.

    Raises StorageError: `db_newer` for a schema of a later version, `db_unreadable` for a file that is no database of ours.
    """

    def __init__(self, path: Path) -> None:
        self._path = path

    def read(self, keys: Sequence[SessionKey]) -> State:
        """These sessions, the health of every credential, and who is paired, of one moment."""
        empty = State({key: Session(key=key) for key in keys})

        def ask(connection: sqlite3.Connection) -> State:
            return State(_sessions(connection, keys), _health(connection), _paired(connection))

        return self._ask(ask, empty)

    def decisions(self, key: SessionKey, limit: int) -> tuple[Decision, ...]:
        """The last `limit` decisions of a session, newest first."""
        return self._ask(lambda connection: _decisions(connection, key, limit), ())

    def pairings(self) -> "tuple[PairingRequest, ...]":
        """Everybody who asked to be let in, whatever became of it, the latest first."""
        from adapters.storage.pairing_rows import read_pairing

        return self._ask(lambda connection: tuple(map(read_pairing, connection.execute(_PAIRINGS))), ())

    def overviews(self) -> "tuple[Overview, ...]":
        """Every session in numbers, the latest first. Raises StorageError for a database of an older schema as well: no sessions
        would be a wrong answer."""
        from adapters.storage.overview_rows import read_overviews

        def ask(connection: sqlite3.Connection) -> "tuple[Overview, ...]":
            try:
                return read_overviews(connection)
            except sqlite3.OperationalError as error:
                raise storage_error(error, self._path) from error

        return self._ask(ask, ())

    def _ask(self, question: Callable[[sqlite3.Connection], T], nothing: T) -> T:
        if not self._path.exists():
            return nothing
        with translated(self._path), closing(look(self._path)) as connection:
            connection.row_factory = sqlite3.Row
            connection.execute("BEGIN")
            if revision_of(connection, self._path) is None:
                return nothing
            try:
                return question(connection)
            except sqlite3.OperationalError as error:
                if misses_schema(error):
                    return nothing
                raise


def _sessions(connection: sqlite3.Connection, keys: Sequence[SessionKey]) -> dict[SessionKey, Session]:
    found = {}
    for key in keys:
        row = connection.execute("SELECT * FROM sessions WHERE key = ?", (str(key),)).fetchone()
        choices = connection.execute("SELECT * FROM choices WHERE session = ? ORDER BY slot, position", (str(key),))
        found[key] = read_session(key, row, choices)
    return found


def _health(connection: sqlite3.Connection) -> tuple[ProfileHealth, ...]:
    credentials = connection.execute("SELECT * FROM credentials ORDER BY profile, fingerprint")
    windows = connection.execute("SELECT * FROM windows ORDER BY profile, fingerprint, position")
    return read_health(credentials, windows)


def _paired(connection: sqlite3.Connection) -> frozenset[str]:
    """Nobody in a database from before there was pairing."""
    try:
        rows = connection.execute("SELECT person FROM pairings WHERE state = 'approved'")
    except sqlite3.OperationalError as error:
        if misses_schema(error):
            return frozenset()
        raise
    return frozenset(row["person"] for row in rows)


def _decisions(connection: sqlite3.Connection, key: SessionKey, limit: int) -> tuple[Decision, ...]:
    rows = connection.execute(
        "SELECT * FROM decisions WHERE session = ? ORDER BY id DESC LIMIT ?", (str(key), max(0, limit))
    )
    return tuple(read_decision(row) for row in rows)
