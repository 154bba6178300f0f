"""`/stop` ends the running answer at once, keeps what was said, and holds nothing against anybody."""

import asyncio

import pytest

from core.chat.stop import Stop
from core.errors import FailureReason
from core.messages import File, Ingress, Reply, ReplyKind
from tests.fakes.provider_client import Held
from tests.world import ALLOWED, DIRECT, GROUP, STRANGER, World

PATIENCE = 5


async def answering(world: World, held: Held, key: str = DIRECT) -> asyncio.Task[list[Reply]]:
    """A message whose answer has begun."""
    world.provider.script["acme:work"] = [held]
    turn = asyncio.create_task(world.do(world.inbound("a question", key=key, stream=True)))
    async with asyncio.timeout(PATIENCE):
        await held.started.wait()
    return turn


def told(replies: list[Reply]) -> list[str]:
    return [reply.text for reply in replies]


async def test_what_was_said_is_kept_and_remembered():
    world = World()
    turn = await answering(world, Held("never", first="The beginning"))
    assert (await world.say("/stop")).text == "Stopping the answer."
    async with asyncio.timeout(PATIENCE):
        assert told(await turn) == ["The beginning", "Stopped here."]
    await world.say("go on")
    assert [m.text for m in world.provider.requests[-1].messages] == ["a question", "The beginning", "go on"]


async def test_before_the_first_word_nothing_is_remembered_and_no_health_is_written():
    world = World()
    turn = await answering(world, Held("never"))
    await world.say("/stop")
    async with asyncio.timeout(PATIENCE):
        assert told(await turn) == ["Stopped. Nothing had been said yet."]
    assert world.health.health == {}
    await world.say("again")
    assert [m.text for m in world.provider.requests[-1].messages] == ["again"]
    assert world.served == ["acme:work", "acme:work"], "no other credential takes over"


async def test_the_next_message_in_line_is_answered():
    world = World()
    turn = await answering(world, Held("never"))
    waiting = asyncio.create_task(world.say("the next"))
    await asyncio.sleep(0)
    await world.say("/stop")
    async with asyncio.timeout(PATIENCE):
        await turn
        assert (await waiting).text == "served-by:acme:work"


async def test_a_pause_between_two_tries_ends_too():
    world = World()
    world.clock.jumps = False
    world.provider.script["acme:work"] = [FailureReason.OVERLOADED]
    turn = asyncio.create_task(world.do(world.inbound("a question")))
    await world.clock.sleeping()
    await world.say("/stop")
    async with asyncio.timeout(PATIENCE):
        assert told(await turn) == ["Stopped. Nothing had been said yet."]
    assert world.served == ["acme:work"]


@pytest.mark.parametrize("how", ["stopped", "deleted"])
async def test_while_what_was_sent_along_is_fetched_it_ends_at_once_and_nothing_is_asked(how: str) -> None:
    world, fetching = World(), asyncio.Event()

    async def never() -> tuple[File, ...]:
        fetching.set()
        await asyncio.Event().wait()
        return ()

    turn = asyncio.create_task(world.do(world.inbound("look", files=never, message="7")))
    async with asyncio.timeout(PATIENCE):
        await fetching.wait()
        if how == "stopped":
            assert (await world.say("/stop")).text == "Stopping the answer."
        else:
            await world.do(world.inbound("", ingress=Ingress.DELETION, message="7"))
        replies = await turn
    early = "Stopped. Nothing had been said yet."
    assert told(replies) == [early if how == "stopped" else "The message was deleted, so its answer ends here."]
    assert (await world.say("again")).text == "served-by:acme:work"
    assert [m.text for m in world.provider.requests[-1].messages] == ["again"]


async def test_without_a_running_answer_it_says_so():
    reply = await World().say("/stop")
    assert (reply.kind, reply.text) == (ReplyKind.NOTICE, "Nothing is being answered here.")


async def test_another_session_goes_on_and_a_stranger_stops_nothing():
    world = World()
    turn = await answering(world, held := Held("done"), key=GROUP)
    assert (await world.say("/stop", by=ALLOWED)).text == "Nothing is being answered here."
    await world.say("/stop", key=GROUP, by=STRANGER)
    held.release.set()
    async with asyncio.timeout(PATIENCE):
        assert told(await turn)[-1] == "done"


async def test_asking_twice_is_asking_once():
    """Also while what was cancelled is still closing."""
    stop = Stop()

    async def work() -> None:
        async with stop.within(5):
            try:
                await asyncio.Event().wait()
            finally:
                stop.ask()
                await asyncio.sleep(0)

    working = asyncio.create_task(work())
    await asyncio.sleep(0)
    stop.ask()
    async with asyncio.timeout(PATIENCE):
        with pytest.raises(TimeoutError):
            await working


async def test_a_stop_at_the_very_end_of_the_time_is_no_error():
    stop = Stop()

    async def work() -> None:
        async with stop.within(0):
            try:
                await asyncio.Event().wait()
            finally:
                stop.ask()

    with pytest.raises(TimeoutError):
        await work()
