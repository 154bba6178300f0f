"""What core may rely on from the stores of announcements, of the places of chats, and from questions over all sessions."""

import asyncio
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path

import pytest

from adapters.storage.announcements import SqlAnnouncements
from adapters.storage.chats import SqlChatBook
from adapters.storage.engine import open_database
from adapters.storage.inbox import SqlInbox
from adapters.storage.sessions import SqlSessionStore
from adapters.storage.shown import SqlShownStore
from adapters.storage.watched import SqlWatchedSessions
from core.announcements import Announcements, Chat, ChatBook, Settled
from core.errors import LostRace
from core.messages import Inbound, Ingress, Place, Sender
from core.ports import Inbox, InboxState
from core.sessions.history import Message, Role
from core.sessions.key import SessionKey
from core.sessions.ports import SessionStore, Shown, ShownStore, TurnRecord
from core.sessions.session import Session
from core.sessions.spending import Spent
from core.sessions.watched import Waiting, WatchedSessions
from tests.contracts.values import KEY, LASTING, NOW, TOPIC, UNTIL, decision, update
from tests.fakes.announcements import FakeAnnouncements, FakeChatBook, FakeWatchedSessions
from tests.fakes.inbox import FakeInbox
from tests.fakes.session_store import FakeSessionStore
from tests.fakes.shown_store import FakeShownStore

REPLIES = ({"kind": "notice", "text": "hello 😀", "buttons": []},)
SHOWN = Shown(token="t1", session=KEY, sender="telegram:1", commands=("/model auto",), catalog="c0ffee", at=NOW)
CARD = replace(
    SHOWN, card=True, commands=("/model auto", ""), message=Message(Role.USER, "kept"), code="all_unavailable"
)
DAY = timedelta(days=1)


@dataclass(frozen=True)
class Stores:
    announcements: Announcements
    chats: ChatBook
    watched: WatchedSessions
    inbox: Inbox
    sessions: SessionStore
    shown: ShownStore
    other_chats: ChatBook
    """The same places as another process has them."""


@pytest.fixture(params=["fake", "sqlite"])
def stores(request: pytest.FixtureRequest, tmp_path: Path, empty_database: bytes) -> Iterator[Stores]:
    if request.param == "fake":
        inbox, used = FakeInbox(), dict[str, int | None]()
        sessions, shown, chats = FakeSessionStore(inbox, used=used), FakeShownStore(used), FakeChatBook()
        watched = FakeWatchedSessions(sessions, shown, chats)
        announcements = FakeAnnouncements(inbox, sessions, shown)
        yield Stores(announcements, chats, watched, inbox, sessions, shown, chats)
        return
    path = tmp_path / "remoteclaw.db"
    path.write_bytes(empty_database)
    with open_database(path) as one, open_database(path) as two:
        yield Stores(
            SqlAnnouncements(one),
            SqlChatBook(one),
            SqlWatchedSessions(one),
            SqlInbox(one),
            SqlSessionStore(one),
            SqlShownStore(one),
            SqlChatBook(two),
        )


def heard(session: SessionKey = KEY, chat: str = "chat 7", account: str = "bot") -> Inbound:
    sender = Sender("telegram", "1")
    place = Place(direct=False)
    return Inbound(ingress=Ingress.MESSAGE, sender=sender, session=session, place=place, chat=chat, account=account)


class TestAnnouncing:
    async def test_it_is_stored_answered_with_its_replies_and_taken_up_like_every_other_item(self, stores: Stores):
        item = await stores.announcements.announce(update("a1"), REPLIES, NOW)
        assert item is not None
        assert (item.state, item.update, item.received_at, item.replies) == (
            InboxState.ANSWERED,
            update("a1"),
            NOW,
            REPLIES,
        )
        assert await stores.inbox.unfinished("telegram", "bot") == (item,)

    async def test_a_key_that_is_known_is_announced_once_whatever_became_of_it(self, stores: Stores):
        first = await stores.announcements.announce(update("a1"), REPLIES, NOW)
        assert first is not None
        again = {"shown": (SHOWN,), "settled": Settled(Session(key=KEY, choices=(LASTING,)), (decision(1),))}
        for _ in range(2):
            assert await stores.announcements.announce(update("a1"), REPLIES, NOW, **again) is None
            assert await stores.shown.find_shown("t1") is None, "nothing of it is stored"
            assert await stores.sessions.decisions(KEY, 5) == ()
            await stores.inbox.done(first.id)

    async def test_of_many_at_the_same_time_one_is_stored(self, stores: Stores):
        made = await asyncio.gather(*(stores.announcements.announce(update("a1"), REPLIES, NOW) for _ in range(8)))
        assert len([item for item in made if item is not None]) == 1

    async def test_its_choices_and_what_it_tells_of_are_stored_with_it(self, stores: Stores):
        settled = Settled(Session(key=KEY, choices=(LASTING,)), (decision(1),))
        assert await stores.announcements.announce(update("a1"), REPLIES, NOW, (SHOWN,), settled)
        assert await stores.shown.find_shown("t1") == SHOWN
        assert await stores.sessions.decisions(KEY, 5) == (decision(1),)

    async def test_where_the_session_has_changed_meanwhile_nothing_is_said(self, stores: Stores):
        await stores.sessions.save_choice(Session(key=KEY), ())
        settled = Settled(Session(key=KEY, choices=(LASTING,)), (decision(1),))
        with pytest.raises(LostRace):
            await stores.announcements.announce(update("a1"), REPLIES, NOW, (SHOWN,), settled)
        assert await stores.inbox.unfinished("telegram", "bot") == ()
        assert await stores.shown.find_shown("t1") is None
        assert await stores.announcements.announce(update("a1"), REPLIES, NOW) is not None, "its key is free"


class TestPlaces:
    async def test_a_chat_is_found_where_it_was_heard_last(self, stores: Stores):
        assert await stores.chats.find(KEY) is None
        await stores.chats.note(heard(), NOW)
        await stores.chats.note(heard(TOPIC, "chat 7 topic 9"), NOW)
        assert await stores.other_chats.find(KEY) == Chat("telegram", "bot", "chat 7")
        await stores.chats.note(heard(chat="chat 8"), NOW)
        await stores.chats.note(heard(chat="chat 8", account="other"), NOW)
        assert await stores.other_chats.find(KEY) == Chat("telegram", "other", "chat 8")
        assert await stores.chats.find(TOPIC) == Chat("telegram", "bot", "chat 7 topic 9")

    async def test_the_roles_by_which_somebody_was_let_in_last_are_known_there_alone(self, stores: Stores):
        for person, roles in (("1", ("3003", "77")), ("2", ())):
            sender = replace(heard().sender, id=person)
            await stores.chats.note(replace(heard(), sender=sender), NOW, roles)
        assert await stores.other_chats.roles(KEY, "telegram:1") == ("3003", "77")
        for nobody in ((KEY, "telegram:2"), (KEY, "telegram:9"), (TOPIC, "telegram:1")):
            assert await stores.other_chats.roles(*nobody) == ()
        await stores.chats.note(heard(), NOW, ("77",))
        assert await stores.other_chats.roles(KEY, "telegram:1") == ("77",)
        await stores.chats.note(heard(), NOW)
        assert await stores.other_chats.roles(KEY, "telegram:1") == ()

    async def test_what_has_no_address_is_nowhere(self, stores: Stores):
        await stores.chats.note(heard(chat=""), NOW)
        assert await stores.chats.find(KEY) is None


async def test_the_same_place_is_written_once_a_day_also_after_a_restart(tmp_path: Path, empty_database: bytes):
    path = tmp_path / "remoteclaw.db"
    path.write_bytes(empty_database)
    with open_database(path) as database:
        book = SqlChatBook(database)
        for minutes in range(3):
            await book.note(heard(), NOW + timedelta(minutes=minutes))
        assert database.commits == 1
    with open_database(path) as database, closing(sqlite3.connect(path)) as looking:
        book = SqlChatBook(database)
        await book.note(heard(), NOW + timedelta(hours=23))
        assert database.commits == 0
        await book.note(heard(), NOW + DAY)
        assert database.commits == 1
        await book.note(heard(), NOW - 2 * DAY)
        assert database.commits == 2, "a clock that was set back"
        seen = looking.execute("select seen_at from chats").fetchall()
        assert seen == [(int((NOW - 2 * DAY).timestamp() * 1_000_000),)]


class TestWatched:
    async def test_choices_whose_time_is_over_are_found_where_their_chat_is_known(self, stores: Stores):
        ends = UNTIL.expires_at
        assert ends is not None
        for key in (KEY, TOPIC):
            await stores.sessions.save_choice(Session(key=key, choices=(LASTING, UNTIL), undo=(UNTIL,)), ())
        await stores.chats.note(heard(), NOW)
        assert await stores.watched.ended(ends - timedelta(microseconds=1)) == ()
        assert await stores.watched.ended(ends) == (KEY,)
        await stores.sessions.save_choice(Session(key=KEY, choices=(LASTING,), undo=(UNTIL,), version=1), ())
        assert await stores.watched.ended(ends + DAY) == (), "what undo would bring back is not in force"

    async def test_pins_are_found_by_their_profile(self, stores: Stores):
        assert await stores.watched.pinned() == frozenset()
        await stores.sessions.save_choice(Session(key=KEY, choices=(LASTING, UNTIL)), ())
        await stores.chats.note(heard(), NOW)
        assert await stores.watched.pinned() == {"acme:wörk 😀"}
        assert await stores.watched.pinning(["acme:wörk 😀", "acme:other"]) == (KEY,)
        assert await stores.watched.pinning(["acme:other"]) == ()
        assert await stores.watched.pinning([]) == ()

    async def test_a_card_that_stands_unused_waits(self, stores: Stores):
        await stores.chats.note(heard(), NOW)
        await stores.shown.show(CARD)
        await stores.shown.show(replace(SHOWN, token="t2", at=NOW + timedelta(minutes=1)))  # a picker is no answer
        waiting = (Waiting("t1", KEY, "telegram:1", NOW, ("/model auto", "")),)
        assert await stores.watched.waiting(["no_credentials", "all_unavailable"], NOW - DAY) == waiting
        assert await stores.watched.waiting(["no_credentials"], NOW - DAY) == ()
        assert await stores.watched.waiting(["all_unavailable"], NOW) == ()
        await stores.shown.use_shown("t1", None)
        assert await stores.watched.waiting(["all_unavailable"], NOW - DAY) == ()

    async def test_a_card_of_a_chat_that_nobody_knows_waits_for_nobody(self, stores: Stores):
        await stores.shown.show(CARD)
        assert await stores.watched.waiting(["all_unavailable"], NOW - DAY) == ()

    @pytest.mark.parametrize(
        ("later", "waits"),
        [
            pytest.param({}, ["t2"], id="of the same message"),
            pytest.param({"code": "rate_limit"}, [], id="which waits for no credential"),
            pytest.param({"message": Message(Role.USER, "kept", source="telegram:1/8")}, ["t1", "t2"], id="of another"),
            pytest.param({"sender": "telegram:2"}, ["t1", "t2"], id="of somebody else"),
            pytest.param({"session": TOPIC}, ["t1", "t2"], id="elsewhere"),
        ],
    )
    async def test_a_later_card_takes_the_place_of_an_earlier_one_of_the_same_message_only(
        self, stores: Stores, later: dict[str, object], waits: list[str]
    ):
        for key in (KEY, TOPIC):
            await stores.chats.note(heard(key), NOW)
        card = replace(CARD, message=Message(Role.USER, "kept", source="telegram:1/7"))
        await stores.shown.show(card)
        await stores.shown.show(replace(card, **{"token": "t2", **later}))
        assert [one.token for one in await stores.watched.waiting(["all_unavailable"], NOW - DAY)] == waits

    async def test_what_else_is_answered_or_chosen_in_the_chat_leaves_a_card_waiting(self, stores: Stores):
        await stores.chats.note(heard(), NOW)
        await stores.shown.show(CARD)
        spent = Spent(at=NOW + timedelta(seconds=1), model="acme/small", profile="acme:work")
        record = TurnRecord(
            key=KEY, epoch=0, version=0, messages=(), session=Session(key=KEY), decisions=(decision(1),)
        )
        await stores.sessions.finish_turn(replace(record, spent=(spent,)))
        assert len(await stores.watched.waiting(["all_unavailable"], NOW - DAY)) == 1


async def test_two_processes_on_one_database_announce_once(tmp_path: Path, empty_database: bytes):
    path = tmp_path / "remoteclaw.db"
    path.write_bytes(empty_database)
    with open_database(path) as one, open_database(path) as two:
        stores = [SqlAnnouncements(one), SqlAnnouncements(two)]
        settled = Settled(Session(key=KEY, choices=(LASTING,)), (decision(1),))
        for n in range(20):
            made = await asyncio.gather(*(store.announce(update(f"a{n}"), REPLIES, NOW) for store in stores))
            assert len([item for item in made if item is not None]) == 1
        raced = await asyncio.gather(
            *(store.announce(update(key), REPLIES, NOW, (), settled) for store, key in zip(stores, "xy", strict=True)),
            return_exceptions=True,
        )
        assert sorted(type(outcome).__name__ for outcome in raced) == ["InboxItem", "LostRace"]
        assert len(await SqlInbox(one).unfinished("telegram", "bot")) == 21
