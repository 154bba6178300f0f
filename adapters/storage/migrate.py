"""The schema: brought up to date, looked at, checked.

SQLAlchemy and Alembic are loaded only where there is something to do, which at most starts there is not.
"""

from pathlib import Path
from typing import Literal

from adapters.storage.files import locked, make_private
from adapters.storage.revision import HEAD, REVISIONS, read_revision
from core.errors import StorageError

_WAIT_SECONDS = 60.0


def ensure(path: Path) -> bool:
    """For every start: upgrade if that is needed; whether it was. Costs one small read where it is not.

    Raises StorageError: `db_newer` for a database of a later version, `db_unreadable` for a file that is no database of
    ours; both are left as they are.
    """
    if read_revision(path) == HEAD:
        return False
    before, after = upgrade(path)
    return before != after


def head() -> str:
    """The revision that this program works with."""
    return HEAD


def current(path: Path) -> str | None:
    """The revision of the database; None if there is none yet. Raises as `ensure`."""
    return read_revision(path)


def upgrade(path: Path) -> tuple[str | None, str]:
    """Bring the schema to `head`, in one transaction; the revisions before and after.

    Makes the file, private, if it is missing. Of several processes that start at once one does the work, the others wait.
    Raises as `ensure`, and StorageError if the work fails; then nothing has changed.
    """
    return _move(path, HEAD, "upgrade")


def downgrade(path: Path, revision: str) -> tuple[str | None, str]:
    """Back to an older revision, or to `base`: what the older schema has no place for is lost. Raises as `upgrade`."""
    if revision not in (*REVISIONS, "base"):
        raise StorageError(
            "storage", f"There is no schema {revision!r}.", f"The schemas are: base, {', '.join(REVISIONS)}."
        )
    return _move(path, revision, "downgrade")


def _move(path: Path, revision: str, command: Literal["upgrade", "downgrade"]) -> tuple[str | None, str]:
    read_revision(path)  # before anything is made beside a file that is not ours
    make_private(path)
    with locked(Path(f"{path}.setup-lock"), _WAIT_SECONDS):
        before = read_revision(path)
        if before != revision:
            from adapters.storage import schema_steps

            schema_steps.run(path, revision, command)
        return before, revision


def check(path: Path) -> None:
    """Raises StorageError if the database is not at `head` (`db_behind`) or its tables are not as declared (`db_drift`)."""
    found = read_revision(path)
    if found != HEAD:
        raise StorageError(
            "db_behind",
            f"The database {path} has {f'the schema {found}' if found else 'no schema yet'}; this version needs {HEAD}.",
            "Run `remoteclaw db upgrade`.",
        )
    from adapters.storage import schema_steps

    differences = schema_steps.differences(path)
    if differences:
        raise StorageError(
            "db_drift",
            f"The tables of the database {path} are not those of schema {HEAD}: {'; '.join(differences)}.",
            "Restore a backup, or begin with an empty database.",
        )
