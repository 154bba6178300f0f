"""Which schema a database has, read without SQLAlchemy or Alembic: every start looks here, and most need nothing more."""

import sqlite3
from contextlib import closing
from pathlib import Path

from adapters.storage.failures import misses_schema, translated, unreadable
from adapters.storage.files import look
from core.errors import StorageError

REVISIONS = ("0001_initial", "0002_spending", "0003_chat")
"""Every revision that this program knows, oldest first. A test holds it against the migrations themselves."""

HEAD = REVISIONS[-1]


def read_revision(path: Path) -> str | None:
    """The revision of the database at `path`; None if there is no file, or an empty one.

    Raises StorageError: `db_newer` for a revision that this program does not know, `db_unreadable` for a file that is not
    ours to read. The file and its directory are left as they were.
    """
    if not path.exists():
        return None
    with translated(path), closing(look(path)) as connection:
        return revision_of(connection, path)


def revision_of(connection: sqlite3.Connection, path: Path) -> str | None:
    """The same for an open connection. sqlite3's own errors pass through."""
    try:
        found = [str(row[0]) for row in connection.execute("SELECT version_num FROM alembic_version")]
    except sqlite3.OperationalError as error:
        if not misses_schema(error):
            raise
        _refuse_strangers(connection, path)
        return None
    unknown = [revision for revision in found if revision not in REVISIONS]
    if unknown:
        raise _newer(path, unknown[0])
    return max(found, key=REVISIONS.index, default=None)


def _refuse_strangers(connection: sqlite3.Connection, path: Path) -> None:
    """Tables without a revision are another program's."""
    if connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]:
        raise unreadable(path, "is a database of another program")


def _newer(path: Path, revision: str) -> StorageError:
    return StorageError(
        "db_newer",
        f"The database {path} has the schema {revision!r} of a newer RemoteClaw; this one knows {HEAD!r}. It was not touched.",
        "Upgrade RemoteClaw, or use another state directory (REMOTECLAW_STATE_DIR) or a backup from before the upgrade.",
    )
