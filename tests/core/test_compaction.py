"""`/compact` and `/usage`: the conversation becomes a summary of itself, and what all of it has used."""

import asyncio
from dataclasses import replace

import pytest

from core.chat.completion import Usage
from core.errors import Failure, FailureReason
from core.messages import ReplyKind
from core.models.catalog import Catalog, Price
from tests.fakes.provider_client import Breaks, Held
from tests.world import STRANGER, World, profile, rules

OVERFLOW = FailureReason.CONTEXT_OVERFLOW


async def talked() -> World:
    world = World()
    for text in ("one", "two"):
        await world.say(text)
    return world


async def test_the_summary_takes_the_place_of_the_history():
    world = await talked()
    world.provider.script["acme:work"] = ["They said one and two."]
    reply = await world.say("/compact the numbers")
    assert reply.text == "4 messages became this summary:\n\nThey said one and two."
    asked = world.provider.requests[-1].messages
    assert [m.text for m in asked[:-1]] == ["one", "served-by:acme:work", "two", "served-by:acme:work"]
    assert "Pay special attention to: the numbers" in asked[-1].text
    await world.say("three")
    assert [m.text for m in world.provider.requests[-1].messages] == [
        "Summary of our conversation so far:\n\nThey said one and two.",
        "three",
    ]


async def test_what_is_pinned_serves_the_summary_too():
    world = await talked()
    await world.say("/model @acme:home")
    await world.say("/compact")
    assert world.served[-1] == "acme:home"


async def test_without_a_conversation_nobody_is_asked():
    world = World()
    assert (await world.say("/compact")).text == "There is no conversation to compact yet."
    assert world.served == []


async def test_a_failure_leaves_the_conversation_as_it_is():
    world = await talked()
    world.provider.script["acme:work"] = [FailureReason.FORMAT]
    reply = await world.say("/compact")
    assert (reply.kind, reply.code) == (ReplyKind.ERROR, "format")
    assert "The conversation is as it was" in reply.text
    await world.say("three")
    assert len(world.provider.requests[-1].messages) == 5


async def test_an_empty_summary_is_none():
    world = await talked()
    world.provider.script["acme:work"] = ["  "]
    assert (await world.say("/compact")).code == "not_compacted"
    await world.say("three")
    assert len(world.provider.requests[-1].messages) == 5


async def test_an_empty_summary_was_an_answer_of_its_credential_all_the_same():
    world = await talked()
    world.provider.script["acme:work"] = [" "]
    world.wait(minutes=5)
    await world.say("/compact")
    assert [health.last_used for health in world.health.health.values()] == [world.clock.now()]


async def test_a_conversation_that_is_too_long_loses_its_beginning_for_the_summary():
    world = World()
    for n in range(6):
        await world.say(f"{n} " + "x" * 60_000)
    world.provider.script["acme:work"] = [OVERFLOW, "short"]
    reply = await world.say("/compact")
    assert reply.text.endswith("short")
    first, second = world.provider.requests[-2:]
    assert len(second.messages) < len(first.messages)
    assert second.messages[-1] == first.messages[-1]


async def test_the_card_of_an_overflow_compacts_and_asks_again():
    world = await talked()
    world.provider.script["acme:work"] = [OVERFLOW, "the summary", "the answer"]
    card = await world.say("the question")
    assert card.buttons[0].label == "Compact the conversation and ask again"
    replies = await world.press(card, "Compact")
    assert [r.text for r in replies] == ["4 messages became this summary:\n\nthe summary", "the answer"]
    assert [m.text for m in world.provider.requests[-1].messages][-1] == "the question"
    assert len(world.provider.requests[-1].messages) == 2


async def test_what_the_summary_met_holds_for_the_question():
    """The summary meets a rate limit: the question goes to another key, and the cooldown stands."""
    world = await talked()
    world.provider.script["acme:work"] = [OVERFLOW, FailureReason.RATE_LIMIT]
    world.provider.script["acme:home"] = ["the summary", "the answer"]
    card = await world.say("the question")
    replies = await world.press(card, "Compact")
    assert replies[-1].text == "the answer" or "the answer" in [r.text for r in replies]
    assert world.served[-3:] == ["acme:work", "acme:home", "acme:home"]
    assert "cooling" in (await world.say("/model status")).text


async def test_a_stopped_summary_leaves_the_question_on_a_card():
    world = await talked()
    held = Held("never")
    world.provider.script["acme:work"] = [OVERFLOW, held]
    card = await world.say("the question")
    pressing = asyncio.create_task(world.press(card, "Compact"))
    async with asyncio.timeout(5):
        await held.started.wait()
        await world.say("/stop")
        replies = await pressing
    assert replies[0].text == "Stopped. The conversation is as it was."
    world.provider.script["acme:work"] = ["the answer"]
    again = await world.press(replies[-1], "Try again")
    assert again[-1].text == "the answer"


@pytest.mark.parametrize("stopped", ["length", "filter"])
async def test_a_summary_that_is_cut_replaces_nothing(stopped: str):
    world = await talked()
    world.provider.stop_reason = stopped
    reply = await world.say("/compact")
    assert "the summary was cut" in reply.text
    world.provider.stop_reason = "stop"
    await world.say("three")
    assert len(world.provider.requests[-1].messages) == 5


async def test_messages_that_had_no_room_in_the_summary_are_told():
    world = World()
    for n in range(6):
        await world.say(f"{n} " + "x" * 90_000)
    reply = await world.say("/compact")
    assert reply.text.startswith("12 messages became this summary; the oldest 6 had no room in it and are gone")


async def test_a_summary_of_a_conversation_that_was_reset_meanwhile_is_dropped_and_that_is_told():
    world = await talked()
    held = Held("a summary")
    world.provider.script["acme:work"] = [held]
    inbound = world.inbound("/compact")
    compacting = asyncio.create_task(world.do(inbound))
    async with asyncio.timeout(5):
        await held.started.wait()
        await world.say("/new")
        held.release.set()
        replies = await compacting
    assert [r.text for r in replies] == ["A new conversation has begun meanwhile, so the summary is dropped."]
    await world.say("fresh")
    assert [m.text for m in world.provider.requests[-1].messages] == ["fresh"]


async def test_an_empty_summary_was_paid_for_all_the_same():
    world = await talked()
    world.provider.script["acme:work"] = [" "]
    await world.say("/compact")
    assert "3 answers" in (await world.say("/usage")).text


async def test_a_stranger_compacts_nothing():
    world = await talked()
    await world.say("/compact", by=STRANGER)
    assert len(world.served) == 2


def priced(**prices: float) -> World:
    found = rules()
    acme = found.catalog.providers["acme"]
    models = tuple(replace(m, price=Price(**prices)) for m in acme.models)
    providers = {**found.catalog.providers, "acme": replace(acme, models=models)}
    profiles = [profile("acme:work"), profile("acme:plan", billing="subscription"), profile("zeta:me")]
    return World(rules=replace(found, catalog=Catalog(providers, found.catalog.aliases)), profiles=profiles)


class TestUsage:
    async def test_nothing_yet(self):
        assert (await World().say("/usage")).text == "Nothing has been used here yet."

    async def test_tokens_and_cost_by_model_and_credential(self):
        world = priced(input=3.0, output=15.0, cache_read=0.3)
        world.provider.usage = Usage(1_000, 200, cache_read_tokens=500)
        await world.say("/model @acme:work")
        for _ in range(2):
            await world.say("hi")
        assert world.report()["cost_usd"] == 0.00465
        await world.say("/model opus")
        await world.say("hi")
        reply = await world.say("/usage")
        assert reply.text.splitlines() == [
            "zeta/opus-1 with zeta:me: 1 answer, 1,000 tokens in, 200 out",
            "acme/small with acme:work: 2 answers, 2,000 tokens in, 400 out, $0.0093",
            "Together: 3 answers, 3,000 tokens in, 600 out, $0.0093 (without 1 whose price is not known)",
        ]

    async def test_a_subscription_costs_nothing_more(self):
        world = priced(input=3.0, output=15.0)
        await world.say("/model @acme:plan")
        await world.say("hi")
        assert "$0.0000" in (await world.say("/usage")).text

    async def test_a_summary_counts_and_a_new_conversation_does_not_begin_anew(self):
        world = await talked()
        await world.say("/compact")
        await world.say("/new")
        assert "3 answers" in (await world.say("/usage")).text

    async def test_an_answer_that_broke_off_or_was_stopped_counts_as_far_as_it_was_counted(self):
        world = World()
        world.provider.script["acme:work"] = [Breaks("half", Failure(reason=FailureReason.NETWORK))]
        await world.say("hi")
        assert "1 answer, 7 tokens in, 3 out" in (await world.say("/usage")).text
        held = Held("never", first="The beginning")
        world.provider.script["acme:work"] = [held]
        turn = asyncio.create_task(world.do(world.inbound("a question", stream=True)))
        async with asyncio.timeout(5):
            await held.started.wait()
            await world.say("/stop")
            await turn
        assert "2 answers, 14 tokens in, 3 out" in (await world.say("/usage")).text
