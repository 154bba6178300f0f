"""SQLite's errors as sentences: what happened to which file, and what to do. Translated here once, for every reader and writer.

Codes: `db_unreadable` for a file that is no database or a damaged one, `storage` for everything else.
"""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from core.errors import StorageError

_UNREADABLE = {
    sqlite3.SQLITE_NOTADB: "is not a database",
    sqlite3.SQLITE_CORRUPT: "is damaged",
}
_UNUSABLE = {
    sqlite3.SQLITE_FULL: ("cannot grow: the disk is full", "Free some space; nothing was half-written."),
    sqlite3.SQLITE_READONLY: ("cannot be written", "Check who owns the file and its directory, and their permissions."),
    sqlite3.SQLITE_PERM: ("cannot be opened", "Check who owns the file and its directory, and their permissions."),
    sqlite3.SQLITE_CANTOPEN: (
        "cannot be opened",
        "Check that it is a file, who owns it, and the permissions of its directory.",
    ),
    sqlite3.SQLITE_BUSY: ("is locked by another program", "Close the other program, or try again."),
    sqlite3.SQLITE_LOCKED: ("is locked by another program", "Close the other program, or try again."),
    sqlite3.SQLITE_IOERR: ("could not be read or written", "Check the disk: space, quota, and the system's log."),
}
_PRIMARY = 0xFF
"""The low byte of an extended result code is the code that it refines."""


def storage_error(error: sqlite3.Error, path: Path) -> StorageError:
    """The sentence for an error of SQLite about the database at `path`."""
    code = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_ERROR) & _PRIMARY
    if code in _UNREADABLE:
        return unreadable(path, _UNREADABLE[code])
    if code in _UNUSABLE:
        what, hint = _UNUSABLE[code]
        return StorageError("storage", f"The database {path} {what}.", hint)
    if misses_schema(error):
        return StorageError(
            "storage", f"The database {path} has not the tables of this version.", "Run `remoteclaw db upgrade`."
        )
    return StorageError("storage", f"The database {path} refused a request: {error}.", "Run `remoteclaw db check`.")


def unreadable(path: Path, what: str) -> StorageError:
    """A file in the database's place that cannot be taken for one. It is left as it is."""
    return StorageError(
        "db_unreadable",
        f"The file {path} {what}. It was not touched.",
        "Move it away to begin with an empty database, or restore a backup.",
    )


def misses_schema(error: sqlite3.Error) -> bool:
    """Whether a table or column is missing: the database is older than the question."""
    return isinstance(error, sqlite3.OperationalError) and str(error).startswith(("no such table", "no such column"))


def unstorable(error: UnicodeError | OverflowError, path: Path) -> StorageError:
    """For a text that is not Unicode or a number beyond 64 bits, which no database takes."""
    return StorageError(
        "storage",
        f"The database {path} cannot hold this value: {type(error).__name__}.",
        "Leave out characters that are not Unicode, and numbers beyond 64 bits.",
    )


@contextmanager
def translated(path: Path) -> Iterator[None]:
    """Turns what the standard library's sqlite3 raises inside into StorageError."""
    try:
        yield
    except sqlite3.Error as error:
        raise storage_error(error, path) from error
    except (UnicodeEncodeError, OverflowError) as error:
        raise unstorable(error, path) from error
