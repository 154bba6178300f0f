"""What core may rely on when a question is corrected or taken back: of stored conversations and of kept messages."""

from dataclasses import replace

import pytest

from core.errors import StorageError
from core.ports import InboxState
from core.sessions.history import Image, Message, Role
from core.sessions.ports import Answered, Shown, TurnRecord, Use
from core.sessions.session import Session
from core.sessions.spending import Spent, Total
from tests.contracts.conftest import Stores
from tests.contracts.values import KEY, NOW, TOPIC, update

ONE, TWO = "telegram:1/7", "telegram:2/8"
PICTURE = Image("image/png", b"\x89PNG")


def asked(text: str, source: str = "", *images: Image) -> Message:
    return Message(Role.USER, text, images, source)


def said(text: str) -> Message:
    return Message(Role.ASSISTANT, text)


def turn(*messages: Message, key=KEY, **left) -> TurnRecord:
    session = Session(key=key)
    return TurnRecord(key=key, epoch=0, version=0, messages=messages, session=session, decisions=(), **left)


async def talked(stores: Stores) -> None:
    await stores.sessions.finish_turn(turn(asked("one", ONE, PICTURE), said("first")))
    await stores.sessions.finish_turn(turn(asked("two", TWO), said("second")))


async def test_where_a_question_came_from_comes_back_with_it(stores: Stores):
    await talked(stores)
    assert await stores.sessions.history(KEY, 0, 9) == (
        asked("one", ONE, PICTURE), said("first"), asked("two", TWO), said("second"),
    )  # fmt: skip


async def test_an_amended_question_keeps_its_pictures_its_answer_and_its_place(stores: Stores):
    await talked(stores)
    assert await stores.sessions.amend(KEY, ONE, "one, better 😀\0")
    first, answer, *_ = await stores.sessions.history(KEY, 0, 9)
    assert (first, answer) == (asked("one, better 😀\0", ONE, PICTURE), said("first"))


@pytest.mark.parametrize(
    ("key", "source", "text"),
    [
        pytest.param(KEY, "telegram:1/9", "new", id="another message"),
        pytest.param(KEY, "", "new", id="no message"),
        pytest.param(TOPIC, ONE, "new", id="another session"),
        pytest.param(KEY, ONE, "one", id="the same words"),
    ],
)
async def test_what_cannot_be_amended_stores_nothing_and_answers_nothing(stores: Stores, key, source, text):
    await talked(stores)
    (item,) = await stores.inbox.receive([update("1")], NOW)
    assert not await stores.sessions.amend(key, source, text, Answered(item.id, ()))
    assert [m.text for m in await stores.sessions.history(KEY, 0, 9)] == ["one", "first", "two", "second"]
    assert [one.state for one in await stores.inbox.unfinished("telegram", "bot")] == [InboxState.NEW]


async def test_the_answer_to_an_edit_is_stored_with_it_or_neither_is(stores: Stores):
    await talked(stores)
    (item,) = await stores.inbox.receive([update("1")], NOW)
    with pytest.raises(StorageError):
        await stores.sessions.amend(KEY, ONE, "lost", Answered(77, ()))
    assert (await stores.sessions.history(KEY, 0, 9))[0].text == "one"
    assert await stores.sessions.amend(KEY, ONE, "new", Answered(item.id, ({"n": 1},)))
    (answered,) = await stores.inbox.unfinished("telegram", "bot")
    assert (answered.state, answered.replies) == (InboxState.ANSWERED, ({"n": 1},))


@pytest.mark.parametrize(
    ("source", "left"),
    [
        pytest.param(ONE, ["two", "second"], id="the first"),
        pytest.param(TWO, ["one", "first"], id="the last"),
        pytest.param("telegram:1/9", None, id="unknown"),
        pytest.param("", None, id="none"),
    ],
)
async def test_a_forgotten_question_goes_with_its_answer(stores: Stores, source, left):
    await talked(stores)
    assert await stores.sessions.remembers(KEY, source) is (left is not None)
    assert not await stores.sessions.remembers(TOPIC, source)
    assert await stores.sessions.forget(KEY, source) is (left is not None)
    assert not await stores.sessions.remembers(KEY, source)
    assert [m.text for m in await stores.sessions.history(KEY, 0, 9)] == (left or ["one", "first", "two", "second"])


@pytest.mark.parametrize(
    ("key", "platform", "message", "source"),
    [
        pytest.param(KEY, "telegram", "7", ONE, id="the message"),
        pytest.param(KEY, "telegram", "17", "", id="the end of a longer id"),
        pytest.param(KEY, "discord", "7", "", id="another platform"),
        pytest.param(TOPIC, "telegram", "7", "", id="another session"),
        pytest.param(KEY, "telegram", "%", "", id="a pattern"),
        pytest.param(KEY, "telegram", "", "", id="no message"),
    ],
)
async def test_a_message_is_found_whoever_wrote_it(stores: Stores, key, platform, message, source):
    await talked(stores)
    assert await stores.sessions.find_source(key, platform, message) == source
    await stores.shown.show(TestKept.CARD)
    assert await stores.shown.find_source(key, platform, message) == source


async def test_another_sessions_question_stays(stores: Stores):
    await talked(stores)
    await stores.sessions.finish_turn(turn(asked("elsewhere", ONE), said("there"), key=TOPIC))
    await stores.sessions.forget(KEY, ONE)
    assert len(await stores.sessions.history(TOPIC, 0, 9)) == 2


async def test_what_was_not_asked_by_a_message_is_never_forgotten_by_one(stores: Stores):
    await stores.sessions.finish_turn(turn(asked("typed in a terminal"), said("answer")))
    await talked(stores)
    await stores.sessions.forget(KEY, ONE)
    assert [m.text for m in await stores.sessions.history(KEY, 0, 9)][:2] == ["typed in a terminal", "answer"]


async def test_a_question_that_is_asked_again_takes_the_place_of_its_first_asking(stores: Stores):
    await talked(stores)
    await stores.sessions.finish_turn(turn(asked("one, better", ONE), said("better")))
    assert [m.text for m in await stores.sessions.history(KEY, 0, 9)] == ["two", "second", "one, better", "better"]


async def test_the_spending_of_all_sessions_adds_up(stores: Stores):
    def spent(model: str, cost: int | None = None) -> Spent:
        return Spent(at=NOW, model=model, profile="acme:home", input_tokens=7, output_tokens=3, cost=cost)

    assert await stores.sessions.all_totals() == ()
    await stores.sessions.finish_turn(turn(spent=(spent("acme/small", 5),)))
    await stores.sessions.finish_turn(turn(spent=(spent("acme/small"), spent("acme/large")), key=TOPIC))
    found = {total.model: total for total in await stores.sessions.all_totals()}
    assert found["acme/small"] == Total(
        model="acme/small", profile="acme:home", answers=2, input_tokens=14, output_tokens=6, cost=5, unpriced=1
    )
    assert found["acme/large"].answers == 1


class TestKept:
    """Messages that cards keep until a choice is made."""

    CARD = Shown(
        token="t1", session=KEY, sender="telegram:1", commands=("",), catalog="c", at=NOW, card=True,
        message=asked("kept", ONE, PICTURE),
    )  # fmt: skip

    async def test_it_comes_back_with_where_it_came_from(self, stores: Stores):
        await stores.shown.show(self.CARD)
        assert await stores.shown.find_shown("t1") == self.CARD

    async def test_it_is_corrected_where_it_waits(self, stores: Stores):
        await stores.shown.show(self.CARD)
        await stores.shown.show(replace(self.CARD, token="t2", message=asked("another", TWO)))
        assert await stores.shown.keeps(KEY, ONE)
        await stores.shown.amend_kept(KEY, ONE, "kept, better")
        first, second = await stores.shown.find_shown("t1"), await stores.shown.find_shown("t2")
        assert first is not None
        assert first.message == asked("kept, better", ONE, PICTURE)
        assert second is not None
        assert second.message == asked("another", TWO)

    async def test_once_used_it_is_not_kept_any_more(self, stores: Stores):
        await stores.shown.show(self.CARD)
        await stores.shown.use_shown("t1", 1)
        assert not await stores.shown.keeps(KEY, ONE)
        await stores.shown.amend_kept(KEY, ONE, "too late")
        used = await stores.shown.find_shown("t1")
        assert used is not None
        assert used.message is not None
        assert used.message.text == "kept"

    async def test_dropped_its_choices_are_gone(self, stores: Stores):
        await stores.shown.show(self.CARD)
        await stores.shown.show(replace(self.CARD, token="t2", message=None, card=False, commands=("/model",)))
        for session, source in ((TOPIC, ONE), (KEY, TWO), (KEY, "")):
            assert not await stores.shown.keeps(session, source)
            await stores.shown.drop_kept(session, source)
        await stores.shown.drop_kept(KEY, ONE)
        assert await stores.shown.find_shown("t1") is None
        assert await stores.shown.use_shown("t1", 1) is Use.TAKEN
        assert await stores.shown.find_shown("t2") is not None
