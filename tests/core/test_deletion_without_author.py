"""A deletion that names no author, as Discord tells it after a restart: the message alone says what is meant."""

import asyncio

import pytest

from core.sessions.key import SessionKey
from tests.core import test_corrections
from tests.core.test_corrections import PATIENCE, asks, begun, deletes, later, remembered
from tests.fakes.provider_client import Held
from tests.world import DIRECT, GROUP, World

NOBODY = "telegram:"


@pytest.mark.parametrize("key", [pytest.param(GROUP, id="listed"), pytest.param(GROUP[:-1] + "1", id="not listed")])
async def test_it_erases_the_question_of_whoever_wrote_it_in_that_chat_alone(key: str):
    world = World()
    await asks(world, "one", "1", key=key)
    await asks(world, "two", "11", key=key)
    for elsewhere in (DIRECT, GROUP + "0"):
        assert await deletes(world, "1", key=elsewhere, by=NOBODY) == []
    assert await deletes(world, "1", key=key, by="discord:") == []
    assert await deletes(world, "", key=key, by=NOBODY) == []
    assert [words.split()[-1] for words in remembered(world, key)[::2]] == ["one", "two"]
    assert await deletes(world, "1", key=key, by=NOBODY) == []
    assert [words.split()[-1] for words in remembered(world, key)[::2]] == ["two"]


async def test_what_is_being_answered_ends_and_what_waits_is_not_asked():
    world = World()
    async with asyncio.timeout(PATIENCE):
        first = await begun(world, Held("never said"))
        second = await later(asks(world, "second", "2"))
        gone = [await later(deletes(world, number, by=NOBODY)) for number in ("2", "1")]
        await asyncio.gather(first, second, *gone)
    assert remembered(world) == []
    assert len(world.served) <= 1


async def test_what_a_card_keeps_is_asked_by_no_choice():
    world = World()
    card = await test_corrections.TestKeptOnACard().card(world)
    await deletes(world, "1", by=NOBODY)
    (stale,) = await world.press(card, "Use acme:home once")
    assert stale.code == "number_without_picker"


async def test_it_leaves_no_trace_of_a_chat_that_was_never_talked_in():
    world = World()
    assert await deletes(world, "1", key=GROUP + "0", by=NOBODY) == []
    assert await world.chats.find(SessionKey.parse(GROUP + "0")) is None
