"""Writes that come together share a commit; each fails or succeeds by itself."""

import asyncio
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import Connection, text

from adapters.storage.engine import Database, open_database
from core.errors import LostRace, StorageError


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    with open_database(tmp_path / "state" / "remoteclaw.db") as database:
        yield database


def insert(number: int):
    def run(connection: Connection) -> int:
        connection.execute(text("INSERT INTO numbers VALUES (:number)"), {"number": number})
        return number

    return run


async def make_table(database: Database) -> None:
    await database.write(lambda connection: connection.execute(text("CREATE TABLE numbers (number INTEGER)")) and None)


def numbers(database: Database) -> list[int]:
    return database.read(lambda connection: list(connection.execute(text("SELECT number FROM numbers")).scalars()))


async def test_64_writers_at_once_need_far_fewer_commits_than_writes(database: Database):
    await make_table(database)
    before = database.commits

    async def writer(number: int) -> None:
        for write in range(10):
            assert await database.write(insert(number * 10 + write)) == number * 10 + write

    await asyncio.gather(*(writer(number) for number in range(64)))
    assert sorted(numbers(database)) == list(range(640))
    assert 10 <= database.commits - before <= 160


async def test_what_is_acknowledged_is_seen_by_the_next_read(database: Database):
    await make_table(database)
    for number in range(20):
        await database.write(insert(number))
        assert numbers(database) == list(range(number + 1))


async def test_a_write_that_fails_is_taken_back_alone_with_its_own_error(database: Database):
    await make_table(database)

    def fails_after_writing(error: Exception):
        def run(connection: Connection) -> None:
            insert(-1)(connection)
            raise error

        return run

    bad_sql = database.write(lambda connection: connection.execute(text("INSERT INTO nowhere VALUES (1)")))
    with_hold = await hold(database)
    writes = [asyncio.ensure_future(database.write(insert(number))) for number in range(3)]
    writes += [
        asyncio.ensure_future(bad)
        for bad in (
            database.write(fails_after_writing(LostRace())),
            database.write(fails_after_writing(ZeroDivisionError("mine"))),
            bad_sql,
            database.write(lambda connection: next(iter(()))),
            database.write(insert(3)),
        )
    ]
    await asyncio.sleep(0)
    commits = database.commits
    with_hold.set()
    results = await asyncio.gather(*writes, return_exceptions=True)
    assert [type(result) for result in results] == [
        *(int, int, int),
        *(LostRace, ZeroDivisionError, StorageError, RuntimeError),
        int,
    ]
    assert numbers(database) == [0, 1, 2, 3]
    assert database.commits - commits == 2  # the one that held the door, and all of these together


async def hold(database: Database) -> threading.Event:
    """Keeps the writer busy with a transaction of its own until the event is set, so that others queue up behind it."""
    inside, release = asyncio.Event(), threading.Event()
    loop = asyncio.get_running_loop()

    def wait(connection: Connection) -> None:
        loop.call_soon_threadsafe(inside.set)
        assert release.wait(10)

    holding = asyncio.ensure_future(database.write(wait))
    holding.add_done_callback(lambda done: done.result())
    await inside.wait()
    return release


async def test_a_cancelled_caller_disturbs_nobody(database: Database):
    await make_table(database)
    release = await hold(database)
    writes = [asyncio.ensure_future(database.write(insert(number))) for number in range(4)]
    await asyncio.sleep(0)
    writes[1].cancel()
    release.set()
    results = await asyncio.gather(*writes, return_exceptions=True)
    assert [type(result) for result in results] == [int, asyncio.CancelledError, int, int]
    assert await database.write(insert(9)) == 9


async def test_a_batch_is_bounded(database: Database):
    await make_table(database)
    release = await hold(database)
    writes = [asyncio.ensure_future(database.write(insert(number))) for number in range(600)]
    await asyncio.sleep(0)
    before = database.commits
    release.set()
    await asyncio.gather(*writes)
    assert database.commits - before == 1 + 3  # 256, 256, 88


async def test_closing_writes_what_is_queued_and_refuses_the_rest(database: Database):
    await make_table(database)
    release = await hold(database)
    writes = [asyncio.ensure_future(database.write(insert(number))) for number in range(50)]
    await asyncio.sleep(0)
    release.set()
    await asyncio.to_thread(database.close)
    database.close()
    assert await asyncio.gather(*writes) == list(range(50))
    with pytest.raises(StorageError, match="is closed"):
        await database.write(insert(50))
    with pytest.raises(StorageError, match="is closed"):
        numbers(database)
    with open_database(database.path, write=False) as again:
        assert numbers(again) == list(range(50))


def test_several_loops_may_write_to_one_database(database: Database):
    asyncio.run(make_table(database))

    async def write(start: int) -> None:
        await asyncio.gather(*(database.write(insert(start + number)) for number in range(20)))

    threads = [threading.Thread(target=asyncio.run, args=(write(start),)) for start in (0, 20, 40)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)
    assert sorted(numbers(database)) == list(range(60))


def test_a_loop_that_ended_before_its_write_does_not_stop_the_writer(database: Database):
    asyncio.run(make_table(database))
    release = threading.Event()

    async def leave_behind() -> None:
        task = asyncio.ensure_future(database.write(lambda connection: release.wait(10) and None))
        await asyncio.sleep(0)
        task.cancel()

    asyncio.run(leave_behind())
    release.set()
    assert asyncio.run(database.write(insert(1))) == 1


async def test_a_reading_database_refuses_to_write_and_a_missing_one_to_open(database: Database, tmp_path: Path):
    await make_table(database)
    with open_database(database.path, write=False) as reading:
        assert numbers(reading) == []
        with pytest.raises(StorageError, match="for reading only"):
            await reading.write(insert(1))
        with pytest.raises(StorageError, match="cannot be written"):
            reading.read(insert(1))
    with pytest.raises(StorageError, match="no database"):
        open_database(tmp_path / "missing.db", write=False)


async def test_reading_connections_cannot_write(database: Database):
    await make_table(database)
    with pytest.raises(StorageError, match="cannot be written"):
        database.read(insert(1))


async def test_a_reader_keeps_its_snapshot_while_others_write(database: Database):
    await make_table(database)
    loop = asyncio.get_running_loop()

    def count_twice(connection: Connection) -> tuple[int, int]:
        count = text("SELECT count(*) FROM numbers")
        first = connection.execute(count).scalar_one()
        asyncio.run_coroutine_threadsafe(database.write(insert(1)), loop).result(10)
        return first, connection.execute(count).scalar_one()

    assert await database.query(count_twice) == (0, 0)
    assert numbers(database) == [1]
