"""A database looked through for damage, over sqlite3 alone and without changing anything: what `doctor` asks of it.

Every question opens the file anew. Raises StorageError for a file that cannot be asked.
"""

import sqlite3
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby
from pathlib import Path
from typing import TypeVar

from adapters.storage.columns import to_micros
from adapters.storage.failures import misses_schema, translated
from adapters.storage.files import look
from adapters.storage.session_rows import CURRENT, read_key, read_session
from core.errors import StorageError

T = TypeVar("T")

_MOST = 10
"""Sentences about damage; a file that is broken has thousands."""
_PINS = (
    "SELECT session, pin_profile FROM choices WHERE slot = ? AND pin_profile IS NOT NULL "
    "AND (expires_at IS NULL OR expires_at > ?) AND (turns_left IS NULL OR turns_left > 0) ORDER BY session, position"
)


@dataclass(frozen=True, slots=True)
class PinnedSession:
    """A session's key as it is stored, its agent, and the profile that it is pinned to."""

    session: str
    agent: str
    profile: str


class Examination:
    """One database file."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def damage(self) -> tuple[str, ...]:
        """What SQLite finds wrong with the file itself, at most ten sentences; nothing for a sound one."""
        found = self._ask(lambda c: [str(row[0]) for row in c.execute(f"PRAGMA integrity_check({_MOST})")], ["ok"])
        return () if found == ["ok"] else tuple(found)

    def orphans(self) -> int:
        """Rows that belong to rows which are not there."""
        return self._ask(lambda c: sum(1 for _ in c.execute("PRAGMA foreign_key_check")), 0)

    def pins(self, now: datetime) -> tuple[PinnedSession, ...]:
        """The pins in force, of every session. Nothing of a database that has no tables yet."""

        def ask(connection: sqlite3.Connection) -> tuple[PinnedSession, ...]:
            rows = connection.execute(_PINS, (CURRENT, to_micros(now))).fetchall()
            return tuple(PinnedSession(row["session"], _agent(row["session"]), row["pin_profile"]) for row in rows)

        return self._ask(ask, ())

    def senseless_sessions(self) -> tuple[str, ...]:
        """The keys of sessions whose rows no version of this program can have written: their chats are not answered."""
        return self._ask(_senseless, ())

    def _ask(self, question: Callable[[sqlite3.Connection], T], nothing: T) -> T:
        with translated(self._path), closing(look(self._path)) as connection:
            connection.row_factory = sqlite3.Row
            try:
                return question(connection)
            except sqlite3.OperationalError as error:
                if misses_schema(error):
                    return nothing
                raise


def _agent(session: str) -> str:
    """The agent of a key; empty for what is none."""
    try:
        return read_key(session).agent
    except ValueError:
        return ""


def _senseless(connection: sqlite3.Connection) -> tuple[str, ...]:
    choices = connection.execute("SELECT * FROM choices ORDER BY session, slot, position").fetchall()
    of = {session: list(rows) for session, rows in groupby(choices, key=lambda row: row["session"])}
    wrong = []
    for row in connection.execute("SELECT * FROM sessions ORDER BY key"):
        try:
            read_session(read_key(row["key"]), row, of.get(row["key"], []))
        except (StorageError, ValueError):
            wrong.append(str(row["key"]))
    return tuple(wrong)
