"""The command line's reader: no library, no trace, and an answer for every state of the file."""

import asyncio
import shutil
import sqlite3
import subprocess
import sys
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from adapters.storage import migrate
from adapters.storage.engine import open_database
from adapters.storage.reader import SqliteStatusReader
from adapters.storage.sessions import SqlSessionStore
from core.errors import StorageError
from core.resolution.ports import State
from core.sessions.key import SessionKey
from core.sessions.session import Decision, Session
from tests.adapters.storage_child import ROOT

NOW = datetime(2026, 3, 1, tzinfo=UTC)
KEY = SessionKey("main", "terminal:me")
NOTHING = State({KEY: Session(key=KEY)}, ())


def decision(number: int) -> Decision:
    return Decision(at=NOW, actor="a", action="select", before="", after=str(number), reason="")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "remoteclaw.db"
    migrate.upgrade(path)

    async def fill() -> None:
        with open_database(path) as database:
            await SqlSessionStore(database).save_choice(Session(key=KEY), [decision(n) for n in range(3)])

    asyncio.run(fill())
    return path


def contents(directory: Path) -> dict[str, bytes]:
    return {file.name: file.read_bytes() for file in directory.iterdir()}


def test_reading_loads_neither_sqlalchemy_nor_alembic_nor_asyncio():
    script = (
        "import sys, adapters.storage.reader, adapters.storage.migrate, adapters.storage.revision;"
        "adapters.storage.reader.SqliteStatusReader(__import__('pathlib').Path('/nowhere/x.db')).read([]);"
        "print(sorted({name.partition('.')[0] for name in sys.modules} & {'sqlalchemy', 'alembic', 'asyncio', 'httpx'}))"
    )
    done = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_a_database_at_rest_is_read_without_a_trace(path: Path):
    before = contents(path.parent)
    reader = SqliteStatusReader(path)
    assert reader.read([KEY]).sessions[KEY].version == 1
    assert reader.decisions(KEY, 2) == (decision(2), decision(1))
    assert reader.decisions(KEY, 0) == ()
    assert contents(path.parent) == before


async def test_a_database_in_use_is_read_as_it_is_now(path: Path):
    reader = SqliteStatusReader(path)
    with open_database(path) as database:
        session = reader.read([KEY]).sessions[KEY]
        for _ in range(3):
            session = await SqlSessionStore(database).save_choice(session, [])
            assert reader.read([KEY]).sessions[KEY] == session


def test_what_a_killed_process_left_in_the_log_is_read(path: Path, tmp_path: Path):
    crashed = tmp_path / "crashed"
    crashed.mkdir()

    async def save() -> None:
        with open_database(path) as database:
            await SqlSessionStore(database).save_choice(Session(key=KEY, version=1), [])
            for file in path.parent.glob("remoteclaw.db*"):
                shutil.copy(file, crashed)

    asyncio.run(save())
    assert (crashed / "remoteclaw.db-wal").stat().st_size > 0
    assert SqliteStatusReader(crashed / "remoteclaw.db").read([KEY]).sessions[KEY].version == 2


def make_unmigrated(path: Path) -> None:
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA journal_mode = WAL")


def make_downgraded(path: Path) -> None:
    migrate.upgrade(path)
    migrate.downgrade(path, "base")


def make_older(path: Path) -> None:
    migrate.upgrade(path)
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("ALTER TABLE choices RENAME TO not_yet")


@pytest.mark.parametrize(
    "make",
    [
        pytest.param(lambda path: None, id="missing"),
        pytest.param(Path.touch, id="empty file"),
        pytest.param(make_unmigrated, id="no schema"),
        pytest.param(make_downgraded, id="schema taken away"),
        pytest.param(make_older, id="an older schema"),
    ],
)
def test_a_database_without_our_tables_reads_as_empty(tmp_path: Path, make):
    path = tmp_path / "remoteclaw.db"
    make(path)
    before = contents(tmp_path)
    assert SqliteStatusReader(path).read([KEY]) == NOTHING
    assert SqliteStatusReader(path).decisions(KEY, 5) == ()
    assert contents(tmp_path) == before


@pytest.mark.parametrize("ask", [lambda reader: reader.read([KEY]), lambda reader: reader.decisions(KEY, 5)])
def test_a_newer_database_is_not_guessed_at(path: Path, ask):
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("UPDATE alembic_version SET version_num = '0999_later'")
    before = contents(path.parent)
    with pytest.raises(StorageError, match="0999_later") as caught:
        ask(SqliteStatusReader(path))
    assert caught.value.code == "db_newer"
    assert contents(path.parent) == before


def test_a_damaged_database_is_told(path: Path):
    content = bytearray(path.read_bytes())
    content[4096:] = b"\xa5" * (len(content) - 4096)
    path.write_bytes(content)
    with pytest.raises(StorageError) as caught:
        SqliteStatusReader(path).read([KEY])
    assert caught.value.code == "db_unreadable"


def test_a_name_that_no_database_can_hold_is_told(path: Path):
    with pytest.raises(StorageError, match="cannot hold this value"):
        SqliteStatusReader(path).read([replace(KEY, chat="terminal:\udcff")])
