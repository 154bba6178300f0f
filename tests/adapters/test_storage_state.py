"""The gateway's reader: what it keeps in memory, and how it knows that this is still true."""

import asyncio
import threading
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random

import pytest

from adapters.storage import migrate
from adapters.storage.engine import Database, open_database
from adapters.storage.health import SqlHealthStore
from adapters.storage.sessions import SqlSessionStore
from adapters.storage.state import SqlStateReader
from core.auth.health import Lane, ProfileHealth, Window
from core.errors import FailureReason
from core.sessions.key import SessionKey
from core.sessions.session import Session

NOW = datetime(2026, 3, 1, tzinfo=UTC)
COOLING = Window(lane=Lane.COOLDOWN, reason=FailureReason.RATE_LIMIT, model="m", since=NOW, until=None, step=0)
KEYS = [SessionKey("main", f"terminal:{number}") for number in range(5)]


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    migrate.upgrade(tmp_path / "remoteclaw.db")
    with open_database(tmp_path / "remoteclaw.db") as database:
        yield database


@pytest.fixture
def reader(database: Database) -> SqlStateReader:
    return SqlStateReader(database)


def traced(database: Database) -> list[str]:
    """Every statement of reading connections that are opened from now on."""
    statements: list[str] = []
    connection = database.dedicated_reader()
    driver = connection.connection.driver_connection
    driver.set_trace_callback(statements.append)
    database.dedicated_reader = lambda: connection  # the reader made next gets this one
    return statements


def test_an_unchanged_database_answers_again_without_sql_beyond_the_pragma(database: Database):
    statements = traced(database)
    reader = SqlStateReader(database)
    first = reader.read(KEYS[:2])
    assert len(statements) > 4
    statements.clear()
    assert reader.read(KEYS[:2]) == first
    assert reader.read(KEYS[1:2]).sessions == {KEYS[1]: Session(key=KEYS[1])}
    assert statements == ["PRAGMA data_version"] * 2


async def test_a_new_key_is_added_to_what_is_known(database: Database):
    store = SqlSessionStore(database)
    saved = [await store.save_choice(Session(key=key), []) for key in KEYS]
    statements = traced(database)
    reader = SqlStateReader(database)
    reader.read(KEYS[:2])
    statements.clear()
    assert reader.read(KEYS).sessions == dict(zip(KEYS, saved, strict=True))
    assert not any("credentials" in statement for statement in statements)


async def test_a_change_of_anything_is_seen(database: Database, reader: SqlStateReader):
    reader.read(KEYS)
    await SqlHealthStore(database).update_health("acme:a", "1", lambda health: replace(health, last_used=NOW))
    assert reader.read([]).health == (ProfileHealth(profile="acme:a", fingerprint="1", last_used=NOW),)
    await SqlSessionStore(database).save_choice(Session(key=KEYS[3]), [])
    assert [session.version for session in reader.read(KEYS).sessions.values()] == [0, 0, 0, 1, 0]


async def test_of_the_credentials_only_those_are_read_that_were_touched(database: Database):
    store = SqlHealthStore(database)
    for name in "abc":
        await store.update_health(name, "1", lambda health: replace(health, last_used=NOW, windows=(COOLING,)))
    statements = traced(database)
    reader = SqlStateReader(database)
    reader.read([])
    before, fetched = reader.read([]).health, len(statements)
    await store.update_health("b", "1", lambda health: replace(health, windows=()))
    after = reader.read([]).health
    assert after == (before[0], replace(before[1], windows=()), before[2])
    assert (after[0] is before[0], after[2] is before[2]) == (True, True)
    assert len(statements) > fetched
    await SqlSessionStore(database).save_choice(Session(key=KEYS[0]), [])
    assert reader.read([]).health is after


@pytest.mark.parametrize("seed", range(4))
async def test_what_is_read_bit_by_bit_is_what_is_read_at_once(database: Database, reader: SqlStateReader, seed: int):
    """Whatever happens to credentials, with clocks that jump, some forgotten and some coming back."""
    random = Random(seed)
    store = SqlHealthStore(database, kept=4)
    for _ in range(60):
        at = NOW + timedelta(minutes=random.randint(-500, 500))
        windows = tuple(replace(COOLING, model=str(n), since=at) for n in range(random.randint(0, 2)))
        used = random.choice([None, at])
        await store.update_health(
            random.choice("abcdef"),
            random.choice("12"),
            lambda health, used=used, windows=windows: replace(health, last_used=used, windows=windows),
        )
        if random.random() < 0.7:
            health = reader.read([]).health
            assert health == SqlStateReader(database).read([]).health
            assert len(health) <= 4


async def test_memory_is_bounded(database: Database):
    reader = SqlStateReader(database, sessions_kept=3)
    saved = await SqlSessionStore(database).save_choice(Session(key=KEYS[0]), [])
    for keys in (KEYS[:2], KEYS[1:4], KEYS[:1], KEYS, KEYS[:2]):
        assert reader.read(keys).sessions == {key: saved if key == KEYS[0] else Session(key=key) for key in keys}


def test_very_many_keys_may_be_asked_for_at_once(database: Database, reader: SqlStateReader):
    keys = [SessionKey("main", f"terminal:{number}") for number in range(1203)]
    saved = asyncio.run(SqlSessionStore(database).save_choice(Session(key=keys[-1]), []))
    sessions = reader.read(keys).sessions
    assert len(sessions) == 1203
    assert sessions[keys[-1]] == saved


async def test_threads_may_read_while_others_write(database: Database, reader: SqlStateReader):
    """Each thread sees versions that only grow, and at the end the last one."""
    store = SqlSessionStore(database)
    stop = threading.Event()

    def watch() -> list[int]:
        seen = []
        while not stop.is_set():
            seen.append(reader.read([KEYS[0]]).sessions[KEYS[0]].version)
        return [*seen, reader.read([KEYS[0]]).sessions[KEYS[0]].version]

    watching = [asyncio.ensure_future(asyncio.to_thread(watch)) for _ in range(3)]
    session = Session(key=KEYS[0])
    for _ in range(50):
        session = await store.save_choice(session, [])
    stop.set()
    for seen in await asyncio.gather(*watching):
        assert seen == sorted(seen)
        assert seen[-1] == 50


async def test_a_read_that_fails_half_way_is_not_believed(database: Database, reader: SqlStateReader):
    store = SqlSessionStore(database)
    saved = await store.save_choice(Session(key=KEYS[0]), [])
    reader.read(KEYS[:1])
    broken = SessionKey("main", "terminal:\udcff")
    await store.save_choice(saved, [])
    with pytest.raises(Exception, match="cannot hold this value"):
        reader.read([KEYS[0], broken])
    assert reader.read(KEYS[:1]).sessions[KEYS[0]].version == 2
