"""What Alembic does for us, in one transaction. The lock and the look before are the business of `migrate`.

The migrations lie beside the program: `migrations/` of a checkout, `adapters/storage/migrations` of an installed wheel.
"""

import sqlite3
from pathlib import Path
from typing import Literal

import alembic.command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.util import CommandError
from sqlalchemy import NullPool, create_engine

from adapters.storage.files import address, look
from adapters.storage.sql_errors import translating
from adapters.storage.tables import metadata
from core.errors import StorageError

_INSTALLED = Path(__file__).with_name("migrations")
SCRIPTS = _INSTALLED if _INSTALLED.is_dir() else Path(__file__).parents[2] / "migrations"


def run(path: Path, revision: str, command: Literal["upgrade", "downgrade"], scripts: Path = SCRIPTS) -> None:
    """Take the database to `revision`. Whatever is raised on the way, nothing has changed then."""
    config = Config()
    config.set_main_option("script_location", str(scripts).replace("%", "%%"))
    engine = create_engine("sqlite://", creator=lambda: _connect(path), poolclass=NullPool, hide_parameters=True)
    with translating(path), engine.connect() as connection:
        connection.exec_driver_sql("BEGIN IMMEDIATE")
        config.attributes["connection"] = connection
        step = alembic.command.upgrade if command == "upgrade" else alembic.command.downgrade
        try:
            step(config, revision)
        except CommandError as error:
            raise _failed(path, str(error)) from error
        orphans = connection.exec_driver_sql("PRAGMA foreign_key_check").all()
        if orphans:
            raise _failed(path, f"{len(orphans)} rows would be left without what they belong to")
        connection.commit()


def differences(path: Path) -> list[str]:
    """How the tables of the database differ from those that are declared. Changes nothing."""
    engine = create_engine("sqlite://", creator=lambda: look(path), poolclass=NullPool)
    with translating(path), engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True, "compare_server_default": True})
        return [str(difference) for difference in compare_metadata(context, metadata)]


def _connect(path: Path) -> sqlite3.Connection:
    """Foreign keys stay unchecked until the end, as a table may be rebuilt; checkpoints are left to whoever serves."""
    connection = sqlite3.connect(address(path, "rw"), uri=True, isolation_level=None)
    for pragma in ("journal_mode = WAL", "synchronous = FULL", "fullfsync = ON", "wal_autocheckpoint = 0"):
        connection.execute(f"PRAGMA {pragma}")
    return connection


def _failed(path: Path, why: str) -> StorageError:
    return StorageError(
        "storage",
        f"The schema of {path} cannot be changed: {why}. Nothing was changed.",
        "Install RemoteClaw anew, or restore a backup.",
    )
