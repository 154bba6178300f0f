"""What core may rely on from a store of pairing requests, and from the readers of who is paired."""

import asyncio
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path

import pytest

from adapters.storage.engine import open_database
from adapters.storage.inbox import SqlInbox
from adapters.storage.pairings import SqlPairingStore
from adapters.storage.reader import SqliteStatusReader
from adapters.storage.state import SqlStateReader
from core.pairing import CODE_HOLDS, MOST_OPEN, QUIET, PairingRequest, PairingState, PairingStore
from core.ports import Inbox, InboxState
from core.resolution.ports import StateReader
from core.sessions.ports import Answered
from tests.contracts.values import KEY, NOW, update
from tests.fakes.inbox import FakeInbox
from tests.fakes.pairing_store import FakePairingStore
from tests.fakes.state_reader import FakeStateReader

APPROVED, DENIED = PairingState.APPROVED, PairingState.DENIED
LATER = NOW + timedelta(minutes=5)


@dataclass(frozen=True)
class Door:
    """The store, the inbox beside it, and everything that reads who is paired."""

    pairings: PairingStore
    inbox: Inbox
    readers: tuple[StateReader, ...]


@pytest.fixture(params=["fake", "sqlite"])
def door(request: pytest.FixtureRequest, tmp_path: Path, empty_database: bytes) -> Iterator[Door]:
    if request.param == "fake":
        inbox = FakeInbox()
        fake = FakePairingStore(inbox)
        yield Door(fake, inbox, (FakeStateReader(pairings=fake),))
        return
    path = tmp_path / "remoteclaw.db"
    path.write_bytes(empty_database)
    with open_database(path) as database:
        readers = (SqlStateReader(database), SqliteStatusReader(path))
        yield Door(SqlPairingStore(database), SqlInbox(database), readers)


def request(number: int = 7, **changes: object) -> PairingRequest:
    given = {
        "person": f"telegram:{number}",
        "account": "default",
        "name": "Ädä 😀",
        "chat": str(number),
        "code": f"CODE{number:04}",
        "asked_at": NOW,
        "expires_at": NOW + CODE_HOLDS,
        **changes,
    }
    return PairingRequest(**given)  # type: ignore[arg-type]


async def test_a_request_comes_back_as_it_was_asked(door: Door):
    assert await door.pairings.ask(request())
    assert await door.pairings.waiting(NOW) == (request(),)
    assert await door.pairings.approved() == ()


async def test_those_who_wait_stand_in_the_order_of_their_asking(door: Door):
    for number, minutes in ((3, 2), (1, 1), (2, 3)):
        await door.pairings.ask(request(number, asked_at=NOW + timedelta(minutes=minutes)))
    assert [one.person for one in await door.pairings.waiting(NOW)] == ["telegram:1", "telegram:3", "telegram:2"]


async def test_a_person_waits_once_and_may_ask_again_when_the_code_is_over(door: Door):
    assert await door.pairings.ask(request())
    again = request(code="OTHER", asked_at=NOW + CODE_HOLDS - timedelta(microseconds=1))
    assert not await door.pairings.ask(again)
    assert await door.pairings.waiting(NOW) == (request(),)
    assert await door.pairings.ask(replace(again, asked_at=NOW + CODE_HOLDS, expires_at=NOW + 2 * CODE_HOLDS))
    assert [one.code for one in await door.pairings.waiting(NOW + CODE_HOLDS)] == ["OTHER"]


async def test_the_number_of_open_requests_is_limited_until_some_are_over(door: Door):
    for number in range(MOST_OPEN):
        assert await door.pairings.ask(request(number))
    assert not await door.pairings.ask(request(999))
    await door.pairings.decide("CODE0003", DENIED, "telegram:1", NOW)
    assert await door.pairings.ask(request(999)), "a decided one is no longer open"
    assert not await door.pairings.ask(request(998))
    after = NOW + CODE_HOLDS
    assert await door.pairings.ask(request(998, asked_at=after, expires_at=after + CODE_HOLDS))


async def test_a_code_names_one_request(door: Door):
    await door.pairings.ask(request(1))
    assert not await door.pairings.ask(request(2, code="CODE0001"))


@pytest.mark.parametrize("named", ["CODE0007", "telegram:7"])
async def test_a_decision_is_made_by_code_or_person_and_remembered_with_who_and_when(door: Door, named: str):
    await door.pairings.ask(request())
    decided = replace(request(), state=APPROVED, decided_by="telegram:1", decided_at=LATER)
    assert await door.pairings.decide(named, APPROVED, "telegram:1", LATER) == decided
    assert await door.pairings.approved() == (decided,)
    assert await door.pairings.waiting(NOW) == ()


async def test_of_two_who_decide_at_once_the_second_learns_who_was_first(door: Door):
    await door.pairings.ask(request())
    answers = await asyncio.gather(
        *(
            door.pairings.decide("CODE0007", APPROVED if n % 2 else DENIED, f"telegram:{n}", NOW + timedelta(seconds=n))
            for n in range(1, 9)
        )
    )
    first = answers[0]
    assert first is not None
    assert set(answers) == {first}, "everybody gets the one decision that was made"


async def test_what_nobody_asked_or_what_is_over_cannot_be_decided(door: Door):
    assert await door.pairings.decide("CODE0007", APPROVED, "telegram:1", NOW) is None
    await door.pairings.ask(request())
    for named in ("code0007", "", "telegram:70"):
        assert await door.pairings.decide(named, APPROVED, "telegram:1", NOW) is None
    assert await door.pairings.decide("CODE0007", APPROVED, "telegram:1", NOW + CODE_HOLDS) is None
    assert await door.pairings.waiting(NOW) == (request(),)


async def test_a_denial_keeps_somebody_quiet_for_a_day_and_can_be_taken_back_by_id_only(door: Door):
    await door.pairings.ask(request())
    denied = await door.pairings.decide("CODE0007", DENIED, "telegram:1", NOW)
    assert denied is not None
    quiet = NOW + QUIET
    assert not await door.pairings.ask(request(code="NEW", asked_at=quiet - timedelta(microseconds=1)))
    assert await door.pairings.decide("CODE0007", APPROVED, "telegram:2", LATER) == denied
    mended = await door.pairings.decide("telegram:7", APPROVED, "telegram:2", LATER)
    assert mended == replace(denied, state=APPROVED, decided_by="telegram:2", decided_at=LATER)


async def test_after_a_quiet_day_somebody_who_was_denied_may_ask_again(door: Door):
    await door.pairings.ask(request())
    await door.pairings.decide("CODE0007", DENIED, "telegram:1", NOW)
    again = request(code="NEW", asked_at=NOW + QUIET, expires_at=NOW + QUIET + CODE_HOLDS)
    assert await door.pairings.ask(again)
    assert await door.pairings.waiting(NOW + QUIET) == (again,)


async def test_somebody_who_is_let_in_asks_no_more(door: Door):
    await door.pairings.ask(request())
    await door.pairings.decide("CODE0007", APPROVED, "telegram:1", NOW)
    far = NOW + timedelta(days=400)
    assert not await door.pairings.ask(request(code="NEW", asked_at=far, expires_at=far + CODE_HOLDS))


async def test_only_who_is_let_in_can_be_put_out(door: Door):
    assert await door.pairings.revoke("telegram:7", "telegram:1", NOW) is None
    await door.pairings.ask(request())
    assert await door.pairings.revoke("telegram:7", "telegram:1", NOW) is None
    await door.pairings.decide("CODE0007", APPROVED, "telegram:1", NOW)
    assert await door.pairings.revoke("CODE0007", "telegram:1", NOW) is None, "a code puts nobody out"
    revoked = await door.pairings.revoke("telegram:7", "telegram:2", LATER)
    assert revoked == replace(request(), state=DENIED, decided_by="telegram:2", decided_at=LATER)
    assert await door.pairings.approved() == ()
    assert await door.pairings.revoke("telegram:7", "telegram:2", LATER) is None


async def test_a_request_and_the_answer_to_it_are_stored_together_or_not_at_all(door: Door):
    items = await door.inbox.receive([update("1"), update("2")], NOW)
    reply = {"kind": "notice", "text": "a code"}
    assert await door.pairings.ask(request(), Answered(items[0].id, (reply,)))
    assert not await door.pairings.ask(request(code="B"), Answered(items[1].id, (reply,)))
    kept = {item.id: item for item in await door.inbox.unfinished(items[0].update.platform, items[0].update.account)}
    assert (kept[items[0].id].state, kept[items[0].id].replies) == (InboxState.ANSWERED, (reply,))
    assert kept[items[1].id].state is InboxState.NEW


async def test_every_change_of_who_is_paired_is_seen_by_the_very_next_read(door: Door):
    def paired() -> set[frozenset[str]]:
        return {reader.read([KEY]).paired for reader in door.readers}

    assert paired() == {frozenset()}
    await door.pairings.ask(request())
    assert paired() == {frozenset()}
    await door.pairings.decide("CODE0007", APPROVED, "telegram:1", NOW)
    assert paired() == {frozenset({"telegram:7"})}
    await door.pairings.revoke("telegram:7", "telegram:1", NOW)
    assert paired() == {frozenset()}


async def test_while_nothing_changes_the_very_same_set_is_read(door: Door):
    await door.pairings.ask(request())
    await door.pairings.decide("CODE0007", APPROVED, "telegram:1", NOW)
    reader = door.readers[0]
    if isinstance(reader, SqlStateReader):
        before = reader.read([KEY]).paired
        await door.inbox.receive([update("1")], NOW)
        assert reader.read([KEY]).paired is before


async def test_a_database_from_before_there_was_pairing_reads_as_nobody(tmp_path: Path, empty_database: bytes):
    path = tmp_path / "remoteclaw.db"
    path.write_bytes(empty_database)
    with closing(sqlite3.connect(path)) as old:
        old.execute("DROP TABLE pairings")
    reader = SqliteStatusReader(path)
    assert reader.read([KEY]).paired == frozenset()
    assert reader.pairings() == ()


async def test_the_host_reads_everybody_who_asked_the_latest_first(tmp_path: Path, empty_database: bytes):
    path = tmp_path / "remoteclaw.db"
    path.write_bytes(empty_database)
    with open_database(path) as database:
        store = SqlPairingStore(database)
        await store.ask(request(1))
        await store.ask(request(2, asked_at=NOW + timedelta(seconds=1)))
        approved = await store.decide("CODE0001", APPROVED, "host:ada", LATER)
    assert SqliteStatusReader(path).pairings() == (approved, request(2, asked_at=NOW + timedelta(seconds=1)))
