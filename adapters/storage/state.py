"""What a decision reads, kept in memory while the database stays as it is.

SQLite tells in one cheap pragma whether any other connection, of this process or another, has committed since: then what is
kept of sessions is dropped, so that a choice made anywhere is seen by the very next read. Of the credentials, those are read
anew that were touched since; there may be a thousand, and nearly every commit touches one.
"""

import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import groupby

from sqlalchemy import Connection, bindparam, func, select

from adapters.storage.engine import Database
from adapters.storage.health_rows import read_health
from adapters.storage.session_rows import read_session
from adapters.storage.sql_errors import translating
from adapters.storage.tables import choices, credentials, pairings, sessions, windows
from adapters.storage.writer import driver_of
from core.auth.health import ProfileHealth
from core.pairing import PairingState
from core.resolution.ports import State
from core.sessions.key import SessionKey
from core.sessions.session import Session

SESSIONS_KEPT = 10_000
_KEYS_AT_ONCE = 500

_SESSIONS = select(sessions).where(sessions.c.key.in_(bindparam("named", expanding=True)))
_CHOICES = (
    select(choices)
    .where(choices.c.session.in_(bindparam("named", expanding=True)))
    .order_by(choices.c.session, choices.c.slot, choices.c.position)
)
_IS_NEW = credentials.c.touched_at > bindparam("touched")
_CREDENTIALS = select(credentials).where(_IS_NEW)
_WINDOWS = (
    select(windows)
    .join(
        credentials, (windows.c.profile == credentials.c.profile) & (windows.c.fingerprint == credentials.c.fingerprint)
    )
    .where(_IS_NEW)
    .order_by(windows.c.profile, windows.c.fingerprint, windows.c.position)
)
_NUMBER = select(func.count()).select_from(credentials)
_PAIRED = select(pairings.c.person).where(pairings.c.state == PairingState.APPROVED.value)


@dataclass(frozen=True, slots=True)
class _Health:
    """What is known of the credentials, up to and with the change numbered `touched` (see health.py)."""

    known: Mapping[tuple[str, str], ProfileHealth] = field(default_factory=dict)
    records: tuple[ProfileHealth, ...] = ()
    touched: int = -(1 << 63)


class SqlStateReader:
    """`core.resolution.ports.StateReader`. May be asked from any thread. Raises StorageError.

    Keeps up to `sessions_kept` sessions in memory.
    """

    def __init__(self, database: Database, sessions_kept: int = SESSIONS_KEPT) -> None:
        self._sessions_kept = sessions_kept
        self._database = database
        self._connection = database.dedicated_reader()
        self._driver = driver_of(self._connection)
        self._lock = threading.Lock()
        self._version: int | None = None
        self._sessions: dict[SessionKey, Session] = {}
        self._health = _Health()
        self._paired: frozenset[str] = frozenset()

    def read(self, keys: Sequence[SessionKey]) -> State:
        """These sessions, the health of every credential, and who is paired, of one moment."""
        with self._lock, translating(self._database.path):
            if self._read_version() != self._version or not all(key in self._sessions for key in keys):
                self._refresh(keys)
            return State({key: self._sessions[key] for key in keys}, self._health.records, self._paired)

    def _read_version(self) -> int:
        return int(self._driver.execute("PRAGMA data_version").fetchone()[0])

    def _refresh(self, keys: Sequence[SessionKey]) -> None:
        with self._connection.begin():
            version = self._read_version()  # inside the transaction: of the very snapshot that is read here
            if version != self._version:
                self._version = None  # should reading fail half-way, nothing half-read is believed
                self._sessions = {}
                self._health = _read_health(self._connection, self._health)
                paired = frozenset(self._connection.execute(_PAIRED).scalars())
                if paired != self._paired:  # the very same answer while nothing has changed
                    self._paired = paired
            elif len(self._sessions) + len(keys) > self._sessions_kept:
                self._sessions = {}
            missing = [key for key in dict.fromkeys(keys) if key not in self._sessions]
            for start in range(0, len(missing), _KEYS_AT_ONCE):
                self._sessions |= _read_sessions(self._connection, missing[start : start + _KEYS_AT_ONCE])
            self._version = version


def _read_sessions(connection: Connection, keys: Sequence[SessionKey]) -> dict[SessionKey, Session]:
    bound = {"named": [str(key) for key in keys]}
    rows = {row["key"]: row for row in connection.execute(_SESSIONS, bound).mappings()}
    stacks = groupby(connection.execute(_CHOICES, bound).mappings(), lambda row: row["session"]) if rows else ()
    chosen = {session: list(stack) for session, stack in stacks}
    return {key: read_session(key, rows.get(str(key)), chosen.get(str(key), ())) for key in keys}


def _read_health(connection: Connection, before: _Health) -> _Health:
    since = {"touched": before.touched}
    rows = connection.execute(_CREDENTIALS, since).mappings().all()
    known = before.known
    if rows:
        fresh = read_health(rows, connection.execute(_WINDOWS, since).mappings())
        known = {**known, **{(one.profile, one.fingerprint): one for one in fresh}}
    if before.known and len(known) != connection.execute(_NUMBER).scalar_one():
        return _read_health(connection, _Health())  # some were forgotten, and nothing tells which
    if not rows:
        return before
    if len(known) != len(before.known):
        known = dict(sorted(known.items(), key=lambda item: item[0]))
    return _Health(known, tuple(known.values()), max(row["touched_at"] for row in rows))
