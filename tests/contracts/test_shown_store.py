"""What core may rely on from a store of shown choices."""

import asyncio
from dataclasses import replace
from datetime import timedelta

import pytest

from core.errors import UsedUp
from core.sessions.history import Image, Message, Role
from core.sessions.ports import Answered, Shown, Use
from core.sessions.session import Session
from tests.contracts.conftest import Stores
from tests.contracts.values import KEY, NOW, TOPIC

PICKER = Shown(
    token="t1",
    session=TOPIC,
    sender="telegram:1",
    commands=("/model acme/small", "/model acme/Größe@acme:wörk 😀"),
    catalog="c0ffee",
    at=NOW,
    card=True,
    message=Message(Role.USER, "kept \0 message", (Image("image/png", b"\x89PNG"),)),
)


async def test_what_was_shown_comes_back_equal(stores: Stores):
    bare = Shown(token="t0", session=KEY, sender="s", commands=("",), catalog="", at=NOW)
    for shown in (PICKER, bare):
        await stores.shown.show(shown)
        assert await stores.shown.find_shown(shown.token) == shown
        assert await stores.shown.last_shown(shown.session, shown.sender) == shown


async def test_nothing_shown_is_nothing_found(stores: Stores):
    assert await stores.shown.find_shown("t1") is None
    assert await stores.shown.last_shown(KEY, "telegram:1") is None
    assert await stores.shown.use_shown("t1", 1) is Use.TAKEN


async def test_the_last_is_the_last_told_even_at_the_same_instant_or_an_earlier_one(stores: Stores):
    for token, at in (("a", NOW), ("b", NOW), ("c", NOW - timedelta(minutes=5))):
        newest = replace(PICKER, token=token, at=at)
        await stores.shown.show(newest)
        assert await stores.shown.last_shown(TOPIC, "telegram:1") == newest


async def test_buttons_without_numbers_leave_the_last_as_it_is(stores: Stores):
    beside = replace(PICKER, token="t2", commands=(), presses=("/model undo",))
    for shown in (PICKER, beside):
        await stores.shown.show(shown)
    assert await stores.shown.last_shown(TOPIC, "telegram:1") == PICKER
    assert await stores.shown.find_shown("t2") == beside


async def test_another_sender_or_session_has_its_own_last(stores: Stores):
    mine = PICKER
    for other in (replace(PICKER, token="t2", sender="telegram:2"), replace(PICKER, token="t3", session=KEY)):
        await stores.shown.show(mine)
        await stores.shown.show(other)
        assert await stores.shown.last_shown(TOPIC, "telegram:1") == mine
        assert await stores.shown.last_shown(other.session, other.sender) == other


async def test_of_two_presses_only_one_is_first_and_its_own_item_is_known_again(stores: Stores):
    await stores.shown.show(PICKER)
    answers = await asyncio.gather(*(stores.shown.use_shown("t1", item) for item in range(1, 9)))
    assert sorted(answers) == [Use.FIRST, *[Use.TAKEN] * 7]
    first = answers.index(Use.FIRST) + 1
    assert await stores.shown.use_shown("t1", first) is Use.AGAIN, "the same inbox item, after a restart"
    assert await stores.shown.use_shown("t1", None) is Use.TAKEN
    assert await stores.shown.find_shown("t1") == replace(PICKER, used=True)


async def test_a_change_uses_up_the_choices_that_it_was_made_from_or_is_not_stored(stores: Stores):
    await stores.shown.show(PICKER)
    session = await stores.sessions.save_choice(Session(key=KEY), (), Answered(None, (), "t1"))
    found = await stores.shown.find_shown("t1")
    assert found is not None
    assert found.used
    with pytest.raises(UsedUp):
        await stores.sessions.save_choice(replace(session, epoch=9), (), Answered(None, (), "t1"))
    assert stores.state.read([KEY]).sessions[KEY] == session


async def test_steps_and_questions_are_kept(stores: Stores):
    shown = replace(PICKER, presses=("", "/pick models acme 1"), prompt="Which model?")
    await stores.shown.show(shown)
    assert await stores.shown.find_shown("t1") == shown


async def test_what_is_older_than_a_day_is_forgotten_when_the_next_is_shown(stores: Stores):
    await stores.shown.show(PICKER)
    just_young_enough = replace(PICKER, token="t2", at=NOW + timedelta(microseconds=1))
    await stores.shown.show(just_young_enough)
    await stores.shown.show(replace(PICKER, token="t3", at=NOW + timedelta(days=1, microseconds=1)))
    assert await stores.shown.find_shown("t1") is None
    assert await stores.shown.find_shown("t2") == just_young_enough
