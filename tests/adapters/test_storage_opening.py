"""What opening a database makes, sets and refuses."""

import asyncio
import contextlib
import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from adapters.storage import migrate
from adapters.storage.engine import Database, open_database
from adapters.storage.sessions import SqlSessionStore
from adapters.storage.state import SqlStateReader
from core.errors import BotError, ConfigError, StorageError
from core.sessions.key import SessionKey
from core.sessions.session import Session

KEY = SessionKey("main", "terminal:opening")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    migrate.upgrade(tmp_path / "remoteclaw.db")
    return tmp_path / "remoteclaw.db"


@pytest.fixture
def database(path: Path) -> Iterator[Database]:
    with open_database(path, busy_seconds=0.05) as database:
        yield database


@pytest.mark.parametrize(
    "url",
    [
        pytest.param("postgresql+psycopg://me:hunter2@db/x", id="postgresql"),
        pytest.param("mysql://me:hunter2@db/x", id="mysql"),
        pytest.param("sqlite://", id="memory"),
        pytest.param("sqlite:///", id="no name"),
    ],
)
def test_a_database_of_another_kind_is_refused_without_its_password(url: str):
    with pytest.raises(ConfigError) as caught:
        open_database(url)
    assert isinstance(caught.value, BotError)
    assert caught.value.path == "database.url"
    assert caught.value.hint
    assert "hunter2" not in str(caught.value)


def test_a_url_or_a_plain_name_may_stand_for_the_file(tmp_path: Path):
    path = tmp_path / "odd name #1%?.db"
    for target in (path, str(path), f"sqlite:///{path}", f"sqlite+pysqlite:///{path}"):
        with open_database(target) as database:
            assert database.path == path
    assert path.exists()


def test_files_are_for_nobody_else(tmp_path: Path):
    path = tmp_path / "state" / "remoteclaw.db"
    before = os.umask(0)
    try:
        with open_database(path):
            modes = {file.name: file.stat().st_mode & 0o777 for file in path.parent.iterdir()}
    finally:
        os.umask(before)
    assert path.parent.stat().st_mode & 0o777 == 0o700
    assert len(modes) >= 2
    assert set(modes.values()) == {0o600}
    path.chmod(0o644)
    open_database(path).close()
    assert path.stat().st_mode & 0o777 == 0o600


def test_a_failed_opening_leaves_the_checkpoints_to_others(tmp_path: Path):
    path = tmp_path / "remoteclaw.db"
    path.write_bytes(b"no database" * 500)
    with pytest.raises(StorageError):
        open_database(path)
    path.unlink()
    with open_database(path) as database:
        assert database.checkpoints_itself


async def test_durability_settings_are_in_force(database: Database):
    def pragma(name: str):
        return lambda connection: connection.exec_driver_sql(f"PRAGMA {name}").scalar()

    wanted = {"journal_mode": "wal", "synchronous": 2, "foreign_keys": 1, "secure_delete": 1}
    assert {name: await database.write(pragma(name)) for name in wanted} == wanted


def test_asking_the_database_leaves_no_descriptor_behind(path: Path):
    def open_files() -> int:
        return len(os.listdir("/proc/self/fd"))

    async def use() -> None:
        with open_database(path) as database:
            SqlStateReader(database).read([KEY])
            await SqlSessionStore(database).save_choice(Session(key=replace(KEY, thread="x")), [])

    if not Path("/proc/self/fd").exists():
        pytest.skip("counts descriptors in /proc, which this system has not")
    with contextlib.suppress(StorageError):
        asyncio.run(use())
    before = open_files()
    for _ in range(3):
        with contextlib.suppress(StorageError):
            asyncio.run(use())
    assert open_files() == before
