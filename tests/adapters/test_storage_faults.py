"""What the disk, the permissions and other programs can do, and how it is told."""

import contextlib
import sqlite3
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from adapters.storage import migrate
from adapters.storage.engine import Database, open_database
from adapters.storage.files import FileLock, locked
from adapters.storage.reader import SqliteStatusReader
from adapters.storage.sessions import SqlSessionStore
from adapters.storage.shown import SqlShownStore
from adapters.storage.state import SqlStateReader
from core.errors import StorageError
from core.sessions.history import Message, Role
from core.sessions.key import SessionKey
from core.sessions.ports import Shown, TurnRecord
from core.sessions.session import Session
from tests.adapters.storage_child import finish, start

KEY = SessionKey("main", "terminal:faults")
NOW = datetime(2026, 3, 1, tzinfo=UTC)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    migrate.upgrade(tmp_path / "remoteclaw.db")
    return tmp_path / "remoteclaw.db"


@pytest.fixture
def database(path: Path) -> Iterator[Database]:
    with open_database(path, busy_seconds=0.05) as database:
        yield database


def turn(key: SessionKey, text: str) -> TurnRecord:
    messages = (Message(Role.USER, text),)
    return TurnRecord(key=key, epoch=0, version=0, messages=messages, session=Session(key=key), decisions=())


async def test_a_full_disk_is_told_stores_nothing_by_halves_and_heals(database: Database):
    store = SqlSessionStore(database)
    await store.finish_turn(turn(KEY, "before"))

    def limit(pages: int):
        return lambda connection: connection.exec_driver_sql(f"PRAGMA max_page_count = {pages}").scalar()

    await database.write(limit(1))  # SQLite takes the present size as the least
    big = turn(replace(KEY, thread="big"), "x" * 200_000)
    with pytest.raises(StorageError, match="disk is full") as caught:
        await store.finish_turn(big)
    assert caught.value.code == "storage"
    assert str(database.path) in caught.value.message
    assert await store.history(big.key, 0, 9) == ()
    await database.write(limit(100_000))
    await store.finish_turn(big)
    assert [len(message.text) for message in await store.history(big.key, 0, 9)] == [200_000]
    assert [message.text for message in await store.history(KEY, 0, 9)] == ["before"]


def test_a_commit_that_the_system_refuses_fails_all_of_its_writes_and_the_next_succeeds(path: Path):
    """A limit on file size in a process of its own: the write-ahead log cannot grow, so that the whole transaction fails."""
    script = """
import resource
from core.sessions.history import Message, Role
from core.sessions.ports import TurnRecord

def turn(number, size):
    mine = replace(key, chat=f"terminal:{number}")
    text = (Message(Role.USER, "x" * size),)
    return TurnRecord(key=mine, epoch=0, version=0, messages=text, session=Session(key=mine), decisions=())

async def main():
    with open_database(path) as database:
        store = SqlSessionStore(database)
        await store.finish_turn(turn(0, 10))
        _, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (300_000, hard))
        results = await asyncio.gather(*(store.finish_turn(turn(n, 400_000)) for n in range(1, 9)), return_exceptions=True)
        say(*sorted({type(result).__name__ for result in results}))
        say(results[0])
        resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))
        for number in range(1, 9):
            assert await store.history(turn(number, 1).key, 0, 9) == ()
        await asyncio.gather(*(store.finish_turn(turn(n, 400_000)) for n in range(1, 9)))
        say(sum([len(await store.history(turn(number, 1).key, 0, 9)) for number in range(9)]))

asyncio.run(main())
"""
    kinds, sentence, stored = finish(start(script, path))
    assert kinds == "StorageError"
    assert str(path) in sentence
    assert stored == "9"
    with contextlib.closing(sqlite3.connect(path)) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)


@pytest.mark.parametrize(
    "exists", [pytest.param(False, id="no file yet"), pytest.param(True, id="a file of another user")]
)
def test_a_directory_that_may_not_be_written_is_told(exists: bool):
    script = """
open_database(path.parent / "warm" / "up.db").close()  # loads everything while it still may be read
if os.geteuid() == 0:
    os.setuid(65534)
try:
    open_database(path)
except StorageError as error:
    say(error.code, error)
"""
    with tempfile.TemporaryDirectory() as name:
        directory = Path(name) / "state"
        directory.mkdir()
        if exists:
            migrate.upgrade(directory / "remoteclaw.db")
            (directory / "remoteclaw.db").chmod(0o444)
        child_path = directory / "remoteclaw.db"
        script = script.replace("path.parent", f"Path({name!r})")
        Path(name).chmod(0o755)
        directory.chmod(0o555)
        (said,) = finish(start(script, child_path))
        directory.chmod(0o755)
    assert said.startswith(f"storage The database {child_path} cannot be ")
    assert "permissions" in said


async def test_a_database_that_another_program_holds_is_told_and_heals(database: Database):
    store = SqlSessionStore(database)
    with contextlib.closing(sqlite3.connect(database.path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(StorageError, match="locked by another program"):
            await store.save_choice(Session(key=KEY), [])
        assert SqlStateReader(database).read([KEY]).sessions[KEY].version == 0
        other.execute("ROLLBACK")
    assert (await store.save_choice(Session(key=KEY), [])).version == 1


@pytest.mark.parametrize("write", [True, False])
@pytest.mark.parametrize(
    "content",
    [pytest.param(b"this is a letter, and no database at all" * 50, id="text"), pytest.param(b"\0" * 4096, id="zeros")],
)
def test_a_file_that_is_no_database_is_named_and_not_touched(tmp_path: Path, content: bytes, write: bool):
    path = tmp_path / "remoteclaw.db"
    path.write_bytes(content)
    with pytest.raises(StorageError) as caught, open_database(path, write=write) as database:
        SqlStateReader(database).read([KEY])
    assert caught.value.code == "db_unreadable"
    assert str(path) in caught.value.message
    assert path.read_bytes() == content


def test_a_directory_in_its_place_is_told(tmp_path: Path):
    with pytest.raises(StorageError, match="cannot be opened"):
        open_database(tmp_path)


async def test_a_database_without_tables_says_what_to_do(tmp_path: Path):
    with open_database(tmp_path / "remoteclaw.db") as database:
        with pytest.raises(StorageError, match="db upgrade"):
            await SqlSessionStore(database).save_choice(Session(key=KEY), [])
        with pytest.raises(StorageError, match="db upgrade"):
            SqlStateReader(database).read([KEY])


@pytest.mark.parametrize(
    ("damage", "told"),
    [
        pytest.param("UPDATE sessions SET served_model = 'none', served_at = 0", "session agent:main", id="session"),
        pytest.param("INSERT INTO credentials VALUES ('a', 'f', 9223372036854775807, 0)", "credentials", id="health"),
    ],
)
async def test_rows_that_make_no_sense_are_told_by_every_reader(database: Database, damage: str, told: str):
    await SqlSessionStore(database).save_choice(Session(key=KEY), [])
    await database.write(lambda connection: connection.exec_driver_sql(damage) and None)
    for reader in (SqlStateReader(database), SqliteStatusReader(database.path)):
        with pytest.raises(StorageError, match=f"{told}.* make no sense"):
            reader.read([KEY])


async def test_shown_choices_that_make_no_sense_are_told(database: Database):
    shown = SqlShownStore(database)
    await shown.show(Shown(token="t", session=KEY, sender="s", commands=(), catalog="", at=NOW))
    await database.write(
        lambda connection: connection.exec_driver_sql("UPDATE shown SET commands = 'not json'") and None
    )
    with pytest.raises(StorageError, match="make no sense"):
        await shown.find_shown("t")


async def test_a_time_without_a_zone_is_refused(database: Database):
    shown = Shown(token="t", session=KEY, sender="s", commands=(), catalog="", at=NOW.replace(tzinfo=None))
    with pytest.raises(ValueError, match="time zone"):
        await SqlShownStore(database).show(shown)


def test_a_lock_that_somebody_keeps_is_told(tmp_path: Path):
    somebody = FileLock(tmp_path / "setup-lock")
    assert somebody.try_acquire()
    with pytest.raises(StorageError, match="Another process"), locked(tmp_path / "setup-lock", seconds=0.05):
        raise AssertionError
    somebody.release()
    with locked(tmp_path / "setup-lock", seconds=0.05):
        assert not somebody.try_acquire()
    with pytest.raises(StorageError, match="cannot be opened"), locked(tmp_path / "nowhere" / "setup-lock", seconds=0):
        raise AssertionError


async def test_half_a_surrogate_pair_is_replaced_in_texts_and_refused_in_names(database: Database):
    store = SqlSessionStore(database)
    await store.finish_turn(turn(KEY, "broken \ud83d emoji"))
    assert [message.text for message in await store.history(KEY, 0, 9)] == ["broken ? emoji"]
    name = replace(KEY, chat="terminal:\udcff")
    with pytest.raises(StorageError, match="cannot hold this value"):
        await store.save_choice(Session(key=name), [])
    with pytest.raises(StorageError, match="cannot hold this value"):
        SqlStateReader(database).read([name])
    with pytest.raises(StorageError, match="cannot hold this value"):
        await store.save_choice(Session(key=KEY, epoch=2**70), [])
