"""What core may rely on from a store of sessions."""

import asyncio
from dataclasses import replace
from datetime import timedelta

import pytest

from core.auth.health import ProfileHealth, after_success
from core.auth.ports import HealthChange
from core.errors import LostRace, StorageError
from core.ports import InboxState
from core.sessions.history import Image, Message, Role
from core.sessions.ports import Answered, TurnRecord
from core.sessions.session import Session
from core.sessions.spending import Spent, Total
from tests.contracts.conftest import Stores
from tests.contracts.values import AUTO, KEY, LASTING, NOW, ONCE, SERVED, TOPIC, UNTIL, decision, update, window

FULL = Session(key=KEY, choices=(LASTING, UNTIL, ONCE), undo=(LASTING,), autos=(AUTO,), served=SERVED, epoch=3)
QUESTION, ANSWER = Message(Role.USER, "why? 😀\0"), Message(Role.ASSISTANT, "because")


def stored(stores: Stores, key=KEY) -> Session:
    return stores.state.read([key]).sessions[key]


def turn(before: Session, after: Session | None = None, **left) -> TurnRecord:
    left = {"messages": (QUESTION, ANSWER), "decisions": (), **left}
    return TurnRecord(key=before.key, epoch=before.epoch, version=before.version, session=after or before, **left)


@pytest.mark.parametrize(
    "session",
    [
        pytest.param(FULL, id="everything"),
        pytest.param(Session(key=KEY), id="nothing"),
        pytest.param(Session(key=KEY, undo=()), id="undo to nothing"),
        pytest.param(Session(key=TOPIC, choices=(UNTIL,), undo=(ONCE, UNTIL)), id="a topic"),
        pytest.param(Session(key=replace(KEY, chat="terminal:local:direct:two words")), id="a blank in the key"),
    ],
)
async def test_a_saved_session_comes_back_equal_with_the_next_version(stores: Stores, session):
    saved = await stores.sessions.save_choice(session, [])
    assert saved == replace(session, version=1)
    assert stored(stores, session.key) == saved


async def test_saving_again_replaces_all_of_it(stores: Stores):
    saved = await stores.sessions.save_choice(FULL, [])
    emptied = await stores.sessions.save_choice(replace(saved, choices=(), undo=None, autos=(), served=None), [])
    assert stored(stores) == emptied == Session(key=KEY, epoch=3, version=2)


async def test_a_stale_version_loses_and_stores_nothing(stores: Stores):
    first = await stores.sessions.save_choice(Session(key=KEY), [decision(1)])
    (item,) = await stores.inbox.receive([update("1")], NOW)
    winner = await stores.sessions.save_choice(replace(first, choices=(LASTING,)), [decision(2)])
    for stale in (first, Session(key=KEY), replace(first, version=9)):
        with pytest.raises(LostRace):
            await stores.sessions.save_choice(stale, [decision(3)], Answered(item.id, ()))
    assert stored(stores) == winner
    assert await stores.sessions.decisions(KEY, 9) == (decision(2), decision(1))
    assert [one.state for one in await stores.inbox.unfinished("telegram", "bot")] == [InboxState.NEW]


async def test_of_many_that_save_at_once_one_wins(stores: Stores):
    results = await asyncio.gather(
        *(stores.sessions.save_choice(Session(key=KEY), [decision(n)]) for n in range(20)), return_exceptions=True
    )
    assert sum(isinstance(result, Session) for result in results) == 1
    assert sum(isinstance(result, LostRace) for result in results) == 19
    assert len(await stores.sessions.decisions(KEY, 99)) == 1


async def test_an_answered_item_is_stored_with_the_choice(stores: Stores):
    (item,) = await stores.inbox.receive([update("1")], NOW)
    reply = {"kind": "notice", "text": "done 😀", "data": {"n": 1}}
    await stores.sessions.save_choice(Session(key=KEY), [], Answered(item.id, (reply,)))
    (answered,) = await stores.inbox.unfinished("telegram", "bot")
    assert (answered.state, answered.replies) == (InboxState.ANSWERED, (reply,))


async def test_an_answer_to_an_item_that_never_was_takes_the_choice_back(stores: Stores):
    with pytest.raises(StorageError, match="no item 77"):
        await stores.sessions.save_choice(Session(key=KEY, choices=(LASTING,)), [decision(1)], Answered(77, ()))
    assert stored(stores) == Session(key=KEY)
    assert await stores.sessions.decisions(KEY, 9) == ()


async def test_a_turn_leaves_history_auto_pin_decisions_and_the_answer(stores: Stores):
    (item,) = await stores.inbox.receive([update("1")], NOW)
    after = Session(key=KEY, autos=(AUTO,), served=SERVED)
    await stores.sessions.finish_turn(turn(after, decisions=(decision(1),), answered=Answered(item.id, ({"n": 1},))))
    assert stored(stores) == after
    assert await stores.sessions.history(KEY, 0, 10) == (QUESTION, ANSWER)
    assert await stores.sessions.decisions(KEY, 10) == (decision(1),)
    assert [one.replies for one in await stores.inbox.unfinished("telegram", "bot")] == [({"n": 1},)]


async def test_a_turn_that_uses_up_a_choice_counts_as_a_change_of_choice(stores: Stores):
    before = await stores.sessions.save_choice(Session(key=KEY, choices=(LASTING, ONCE)), [])
    await stores.sessions.finish_turn(turn(before, replace(before, choices=(LASTING,))))
    assert stored(stores) == replace(before, choices=(LASTING,), version=2)
    with pytest.raises(LostRace):
        await stores.sessions.save_choice(before, [])


async def test_a_turn_without_a_change_of_choice_leaves_the_version(stores: Stores):
    before = await stores.sessions.save_choice(Session(key=KEY, choices=(LASTING,)), [])
    await stores.sessions.finish_turn(turn(before, replace(before, autos=(AUTO,))))
    assert stored(stores) == replace(before, autos=(AUTO,))


async def test_a_choice_made_while_a_turn_ran_stands(stores: Stores):
    before = await stores.sessions.save_choice(Session(key=KEY, choices=(LASTING, ONCE)), [])
    newer = await stores.sessions.save_choice(replace(before, choices=(UNTIL,)), [])
    after = replace(before, choices=(LASTING,), autos=(AUTO,), served=SERVED)
    await stores.sessions.finish_turn(turn(before, after, decisions=(decision(1),)))
    assert stored(stores) == replace(newer, autos=(AUTO,))
    assert await stores.sessions.history(KEY, 0, 10) == (QUESTION, ANSWER)


async def test_a_conversation_reset_while_a_turn_ran_stays_new(stores: Stores):
    before = await stores.sessions.save_choice(Session(key=KEY, choices=(LASTING,)), [])
    fresh = await stores.sessions.save_choice(before.reset(keep=True, now=NOW), [])
    (item,) = await stores.inbox.receive([update("1")], NOW)
    after = replace(before, autos=(AUTO,), served=SERVED)
    answered = Answered(item.id, ({"n": 1},))
    await stores.sessions.finish_turn(turn(before, after, decisions=(decision(1),), answered=answered))
    assert stored(stores) == fresh
    assert await stores.sessions.history(KEY, 0, 10) == ()
    assert await stores.sessions.history(KEY, 1, 10) == ()
    assert await stores.sessions.decisions(KEY, 10) == (decision(1),)
    assert [one.state for one in await stores.inbox.unfinished("telegram", "bot")] == [InboxState.ANSWERED]


async def test_a_new_epoch_erases_the_history_of_the_old_one(stores: Stores):
    session = Session(key=KEY)
    await stores.sessions.finish_turn(turn(session))
    await stores.sessions.finish_turn(turn(Session(key=TOPIC)))
    await stores.sessions.save_choice(session.reset(keep=False, now=NOW), [])
    assert await stores.sessions.history(KEY, 0, 10) == ()
    assert await stores.sessions.history(TOPIC, 0, 10) == (QUESTION, ANSWER)


@pytest.mark.parametrize(
    ("limit", "expected"),
    [pytest.param(0, [], id="none"), pytest.param(3, [3, 4, 5], id="last"), pytest.param(9, [*range(6)], id="all")],
)
async def test_history_is_the_last_messages_oldest_first(stores: Stores, limit, expected):
    for n in range(0, 6, 2):
        pair = (Message(Role.USER, str(n)), Message(Role.ASSISTANT, str(n + 1)))
        await stores.sessions.finish_turn(turn(Session(key=KEY), messages=pair))
    assert [int(message.text) for message in await stores.sessions.history(KEY, 0, limit)] == expected


@pytest.mark.parametrize(
    ("limit", "expected"),
    [pytest.param(0, [], id="none"), pytest.param(2, [3, 2], id="last"), pytest.param(9, [3, 2, 1], id="all")],
)
async def test_decisions_are_the_last_ones_newest_first(stores: Stores, limit, expected):
    saved = await stores.sessions.save_choice(Session(key=KEY), [decision(1), decision(2)])
    await stores.sessions.save_choice(saved, [decision(3)])
    await stores.sessions.save_choice(Session(key=TOPIC), [decision(4)])
    assert await stores.sessions.decisions(KEY, limit) == tuple(decision(n) for n in expected)


async def test_pictures_come_back_with_their_message(stores: Stores):
    before = await stores.sessions.save_choice(Session(key=KEY), [])
    pictures = (Image("image/png", b"\x89PNG\0one"), Image("image/jpeg", b"two"))
    seen = replace(QUESTION, images=pictures)
    await stores.sessions.finish_turn(turn(before, messages=(QUESTION, ANSWER)))
    await stores.sessions.finish_turn(turn(before, messages=(seen, ANSWER)))
    assert (await stores.sessions.history(KEY, 0, 3))[1:] == (seen, ANSWER)
    assert await stores.sessions.history(KEY, 0, 9) == (QUESTION, ANSWER, seen, ANSWER)


async def test_pictures_go_with_their_conversation(stores: Stores):
    before = await stores.sessions.save_choice(Session(key=KEY), [])
    await stores.sessions.finish_turn(turn(before, messages=(replace(QUESTION, images=(Image("image/png", b"x"),)),)))
    await stores.sessions.save_choice(replace(before, version=1, epoch=1), [])
    assert await stores.sessions.history(KEY, 0, 9) == await stores.sessions.history(KEY, 1, 9) == ()


def spent(model: str = "acme/large", cost: int | None = 120, **more) -> Spent:
    return Spent(at=NOW, model=model, profile="acme:home", input_tokens=7, output_tokens=3, cost=cost, **more)


async def test_what_was_spent_adds_up_by_model_and_credential(stores: Stores):
    before = Session(key=KEY)
    await stores.sessions.finish_turn(turn(before, spent=(spent(), spent("acme/small", None))))
    await stores.sessions.finish_turn(turn(before, spent=(spent(cost=None, cache_read_tokens=2),)))
    assert await stores.sessions.totals(KEY) == (
        Total(
            model="acme/large", profile="acme:home", answers=2, input_tokens=14, output_tokens=6, cost=120, unpriced=1
        ),
        Total(model="acme/small", profile="acme:home", answers=1, input_tokens=7, output_tokens=3, cost=0, unpriced=1),
    )
    assert await stores.sessions.totals(TOPIC) == ()


async def test_what_was_spent_stays_when_the_conversation_was_reset_meanwhile(stores: Stores):
    before = await stores.sessions.save_choice(Session(key=KEY), [])
    await stores.sessions.save_choice(replace(before, epoch=1), [])
    await stores.sessions.finish_turn(turn(before, spent=(spent(),)))
    assert [total.answers for total in await stores.sessions.totals(KEY)] == [1]
    assert await stores.sessions.history(KEY, 1, 9) == ()


async def test_what_an_answer_says_of_its_credential_is_stored_with_the_turn(stores: Stores):
    out = ProfileHealth(profile="acme:home", fingerprint="ff", windows=(window("acme/large"),))
    await stores.health.update_health("acme:home", "ff", lambda _: out)
    later = NOW + timedelta(seconds=5)
    works = HealthChange("acme:home", "ff", lambda health: after_success(health, "acme/large", later, later))
    before = await stores.sessions.save_choice(Session(key=KEY), [])
    await stores.sessions.save_choice(replace(before, epoch=1), [])
    await stores.sessions.finish_turn(turn(before, health=works))
    assert stores.state.read([]).health == (ProfileHealth(profile="acme:home", fingerprint="ff", last_used=later),)


async def test_a_summary_takes_the_place_of_the_conversation(stores: Stores):
    before = Session(key=KEY)
    seen = replace(QUESTION, images=(Image("image/png", b"x"),))
    await stores.sessions.finish_turn(turn(before, messages=(seen, ANSWER)))
    await stores.sessions.finish_turn(turn(before, messages=(QUESTION,), compacts=True))
    assert await stores.sessions.history(KEY, 0, 9) == (QUESTION,)
