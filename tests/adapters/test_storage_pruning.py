"""Nothing grows without bound, and what is erased is gone."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from adapters.storage import migrate
from adapters.storage.engine import Database, open_database
from adapters.storage.health import SqlHealthStore
from adapters.storage.inbox import SqlInbox
from adapters.storage.sessions import SqlSessionStore
from adapters.storage.shown import SqlShownStore
from adapters.storage.state import SqlStateReader
from core.auth.health import after_failure, after_success
from core.errors import Failure, FailureReason
from core.ports import Update
from core.sessions.history import Message, Role
from core.sessions.key import SessionKey
from core.sessions.ports import Shown, TurnRecord
from core.sessions.session import Decision, Session

NOW = datetime(2026, 3, 1, tzinfo=UTC)
KEY = SessionKey("main", "terminal:old")
OTHER = SessionKey("main", "terminal:other")


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    migrate.upgrade(tmp_path / "remoteclaw.db")
    with open_database(tmp_path / "remoteclaw.db") as database:
        yield database


def count(database: Database, table: str) -> int:
    return database.read(lambda connection: connection.exec_driver_sql(f"SELECT count(*) FROM {table}").scalar_one())


def update(number: int) -> Update:
    return Update(platform="telegram", account="bot", key=str(number), lane="1", payload={"text": "canary-in-a-mine"})


async def test_keys_of_updates_done_long_ago_are_forgotten_and_what_is_not_done_stays(database: Database):
    inbox = SqlInbox(database)
    done, waiting, answered = await inbox.receive([update(1), update(2), update(3)], NOW)
    await inbox.done(done.id)
    await inbox.answered(answered.id, [])
    assert await inbox.receive([update(1)], NOW + timedelta(days=3)) == ()
    (later,) = await inbox.receive([update(4)], NOW + timedelta(days=3, microseconds=1))
    assert [item.id for item in await inbox.unfinished("telegram", "bot")] == [waiting.id, answered.id, later.id]
    assert count(database, "inbox") == 3
    (again,) = await inbox.receive([update(1)], NOW + timedelta(days=4))
    assert again.id > later.id


async def test_the_number_of_a_forgotten_item_names_no_other(database: Database):
    inbox = SqlInbox(database)
    (last,) = await inbox.receive([update(1)], NOW)
    await inbox.done(last.id)
    (after,) = await inbox.receive([update(2)], NOW + timedelta(days=9))
    assert count(database, "inbox") == 1
    assert after.id > last.id


async def test_a_done_item_leaves_nothing_of_its_payload_in_the_files(database: Database):
    inbox = SqlInbox(database)
    (item,) = await inbox.receive([update(1)], NOW)
    await inbox.answered(item.id, [{"text": "canary-in-a-cage"}])
    await inbox.done(item.id)
    database.close()
    files = [file.read_bytes() for file in database.path.parent.iterdir()]
    assert not any(b"canary" in content for content in files)


async def test_history_keeps_the_newest_messages_of_each_session(database: Database):
    store = SqlSessionStore(database, history_kept=5)

    async def say(key: SessionKey, *words: str) -> None:
        messages = tuple(Message(Role.USER, word) for word in words)
        await store.finish_turn(
            TurnRecord(key=key, epoch=0, version=0, messages=messages, session=Session(key=key), decisions=())
        )

    await say(OTHER, "kept")
    await say(KEY, "1", "2", "3")
    await say(KEY, "4", "5")
    assert len(await store.history(KEY, 0, 99)) == 5
    await say(KEY, "6", "7")
    assert [message.text for message in await store.history(KEY, 0, 99)] == ["3", "4", "5", "6", "7"]
    assert [message.text for message in await store.history(OTHER, 0, 99)] == ["kept"]
    assert count(database, "history") == 6


async def test_decisions_keep_the_newest_200_of_each_session(database: Database):
    store = SqlSessionStore(database)

    def decisions(start: int, number: int) -> list[Decision]:
        return [
            Decision(at=NOW, actor="a", action="select", before="", after=str(n), reason="")
            for n in range(start, start + number)
        ]

    await store.save_choice(Session(key=OTHER), decisions(0, 1))
    saved = await store.save_choice(Session(key=KEY), decisions(0, 200))
    assert len(await store.decisions(KEY, 999)) == 200
    await store.save_choice(saved, decisions(200, 3))
    kept = await store.decisions(KEY, 999)
    assert [int(decision.after) for decision in kept] == list(range(202, 2, -1))
    assert len(await store.decisions(OTHER, 999)) == 1


async def test_shown_choices_are_forgotten_after_a_day(database: Database):
    store = SqlShownStore(database)
    for hours in (0, 1, 26):
        at = NOW + timedelta(hours=hours)
        await store.show(Shown(token=str(hours), session=KEY, sender="s", commands=(), catalog="", at=at))
    assert count(database, "shown") == 1


async def test_credentials_that_nothing_happened_to_for_longest_are_forgotten(database: Database):
    store = SqlHealthStore(database, kept=3)
    failure = Failure(reason=FailureReason.BILLING)

    async def use(name: str, minute: int, works: bool) -> None:
        at = NOW + timedelta(minutes=minute)
        await store.update_health(
            name, "f", lambda one: after_success(one, "m", at, at) if works else after_failure(one, failure, "m", at)
        )

    for name, minute, works in [("a", 0, True), ("b", 1, False), ("c", 2, True), ("a", 3, False), ("d", 4, True)]:
        await use(name, minute, works)
    assert [one.profile for one in SqlStateReader(database).read([]).health] == ["a", "c", "d"]
    assert count(database, "windows") == 1
    await use("of a clock set back", -9, False)
    assert [one.profile for one in SqlStateReader(database).read([]).health] == ["a", "d", "of a clock set back"]
