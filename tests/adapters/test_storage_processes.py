"""Several processes on one database, and one that is killed."""

import asyncio
from pathlib import Path

import pytest

from adapters.storage import migrate
from adapters.storage.engine import open_database
from adapters.storage.reader import SqliteStatusReader
from adapters.storage.sessions import SqlSessionStore
from adapters.storage.state import SqlStateReader
from core.sessions.key import SessionKey
from core.sessions.session import Session
from tests.adapters.storage_child import finish, start

KEY = SessionKey("main", "terminal:child")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    migrate.upgrade(tmp_path / "remoteclaw.db")
    return tmp_path / "remoteclaw.db"


@pytest.mark.parametrize("lines", [pytest.param(1, id="early"), pytest.param(400, id="late")])
def test_what_was_acknowledged_is_there_after_kill_9(path: Path, lines: int):
    child = start(
        """
async def writer(store, number):
    session = Session(key=replace(key, chat=f"terminal:{number}"))
    while True:
        session = await store.save_choice(replace(session, choices=(choice(session.version + 1),)), [])
        say(number, session.version)

async def main():
    store = SqlSessionStore(open_database(path))
    await asyncio.gather(*(writer(store, number) for number in range(16)))

asyncio.run(main())
""",
        path,
    )
    assert child.stdout is not None
    heard = [child.stdout.readline() for _ in range(lines)]
    child.kill()
    rest, _ = child.communicate(timeout=30)
    acknowledged = {}
    for line in [*heard, *rest.splitlines(keepends=True)]:
        if line.endswith("\n"):
            number, version = line.split()
            acknowledged[SessionKey("main", f"terminal:{number}")] = int(version)
    stored = SqliteStatusReader(path).read(list(acknowledged)).sessions
    assert acknowledged
    for key, version in acknowledged.items():
        assert stored[key].version >= version
        assert [one.model.name for one in stored[key].choices] == [str(stored[key].version)]
    with open_database(path) as database:
        assert database.read(lambda connection: connection.exec_driver_sql("PRAGMA integrity_check").scalar()) == "ok"


def test_two_processes_that_race_for_one_session_lose_nothing(path: Path):
    script = """
async def main():
    with open_database(path) as database:
        store, reader = SqlSessionStore(database), SqlStateReader(database)
        say("ready")
        sys.stdin.readline()
        won = 0
        while won < 60:
            session = reader.read([key]).sessions[key]
            try:
                saved = await store.save_choice(replace(session, choices=(choice(os.getpid()),)), [decision(os.getpid())])
            except LostRace:
                continue
            won += 1
            say(saved.version)

asyncio.run(main())
"""
    children = [start(script, path) for _ in range(2)]
    for child in children:
        assert child.stdout.readline() == "ready\n"
    for child in children:
        child.stdin.write("go\n")
        child.stdin.flush()
    versions = [int(line) for child in children for line in finish(child)]
    assert sorted(versions) == list(range(1, 121))

    async def after() -> tuple[int, int]:
        with open_database(path) as database:
            decisions = await SqlSessionStore(database).decisions(KEY, 500)
            return SqlStateReader(database).read([KEY]).sessions[KEY].version, len(decisions)

    assert asyncio.run(after()) == (120, 120)


def test_another_process_s_change_is_seen_by_the_very_next_read(path: Path):
    script = """
async def main():
    with open_database(path) as database:
        session = Session(key=key)
        for line in sys.stdin:
            session = await SqlSessionStore(database).save_choice(replace(session, choices=(choice(line.strip()),)), [])
            say(session.version)

asyncio.run(main())
"""
    child = start(script, path)
    with open_database(path) as database:
        reader = SqlStateReader(database)
        assert reader.read([KEY]).sessions[KEY] == Session(key=KEY)
        for name in ("one", "two", "three"):
            child.stdin.write(f"{name}\n")
            child.stdin.flush()
            child.stdout.readline()
            assert reader.read([KEY]).sessions[KEY].choices[0].model.name == name
        finish(child)


def test_one_process_has_the_checkpoints_and_another_takes_over_when_it_ends(path: Path):
    script = """
async def main():
    with open_database(path) as database:
        say(database.checkpoints_itself)
        sys.stdin.readline()

asyncio.run(main())
"""

    async def save(store: SqlSessionStore, session: Session) -> Session:
        return await store.save_choice(session, [])

    holder = start(script, path)
    assert holder.stdout.readline() == "True\n"
    with open_database(path) as database:
        store = SqlSessionStore(database)
        assert not database.checkpoints_itself
        assert asyncio.run(database.write(autocheckpoint)) == 0
        session = asyncio.run(save(store, Session(key=KEY)))
        assert not database.checkpoints_itself
        finish(holder)
        asyncio.run(save(store, session))
        assert database.checkpoints_itself
        assert asyncio.run(database.write(autocheckpoint)) == 1000
        with open_database(path) as second:
            assert not second.checkpoints_itself
    with open_database(path) as alone:
        assert alone.checkpoints_itself


def autocheckpoint(connection) -> int:
    return connection.exec_driver_sql("PRAGMA wal_autocheckpoint").scalar_one()


def test_many_processes_may_open_a_new_database_at_once(tmp_path: Path):
    path = tmp_path / "new" / "remoteclaw.db"
    script = """
migrate.ensure(path)
with open_database(path) as database:
    say(database.checkpoints_itself)
    sys.stdin.readline()
"""
    children = [start(script, path) for _ in range(3)]
    said = [child.stdout.readline().strip() for child in children]
    for child in children:
        finish(child)
    assert sorted(said) == ["False", "False", "True"]
    migrate.check(path)
