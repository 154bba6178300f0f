"""An answer while it grows, when Discord is slow, asks to wait, or does not say what became of a change."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from datetime import timedelta

import pytest

from adapters.discord.stream import SLOWEST_SECONDS, GrowingText
from core.messages import Delta, Event, Inbound
from tests.adapters.discord_place import Place, a_place, text
from tests.fakes.clock import FakeClock
from tests.fakes.discord_room import connected
from tests.fakes.discord_server import DiscordServer


@pytest.fixture
async def place() -> AsyncIterator[Place]:
    async with a_place() as made:
        yield made


class Pace:
    """A growing text whose showing takes as long as told, on a clock that only the test moves."""

    def __init__(self) -> None:
        self.clock = FakeClock(jumps=False)
        self.took = 0.0
        self.fails = False
        self.text = GrowingText(self.show, self.clock)

    async def show(self, words: str) -> bool:
        self.clock.advance(timedelta(seconds=self.took))
        return not self.fails

    async def grow(self, took: float, *, fails: bool = False) -> float:
        """The pause after one more change."""
        self.took, self.fails = took, fails
        self.text.feed("word ")
        pauses = len(self.clock.slept)
        self.clock.advance(timedelta(seconds=self.text.pause))
        for _ in range(100):
            if len(self.clock.slept) > pauses:
                return self.clock.slept[-1]
            await asyncio.sleep(0)
        raise AssertionError("nothing was shown")


async def test_changes_come_slower_while_discord_asks_to_wait_and_faster_again_afterwards() -> None:
    pace = Pace()
    assert [await pace.grow(0.1), await pace.grow(0.1)] == [1.0, 1.0]
    assert [await pace.grow(5.0) for _ in range(5)] == [2.0, 4.0, 8.0, SLOWEST_SECONDS, SLOWEST_SECONDS]
    assert await pace.grow(0.1) == 7.5
    recovered = [await pace.grow(0.1) for _ in range(10)]
    assert recovered == sorted(recovered, reverse=True)
    assert recovered[-1] == 1.0
    await pace.text.stop()


async def test_a_change_that_is_not_known_to_be_there_slows_it_too() -> None:
    pace = Pace()
    assert [await pace.grow(0.0, fails=True) for _ in range(2)] == [2.0, 4.0]
    await pace.text.stop()


WHOLE = "".join(f"word{n} " for n in range(120))


def growing(place: Place, go_on: asyncio.Event) -> Callable[[Inbound], AsyncGenerator[Event, None]]:
    async def answer(_: Inbound) -> AsyncGenerator[Event, None]:
        yield Delta(WHOLE[:200])
        await place.room.wait_for(lambda: len(place.channel.messages) > 1)
        yield Delta(WHOLE[200:400])
        await go_on.wait()
        yield text(WHOLE)

    return answer


async def answered(place: Place, meanwhile: Callable[[], Awaitable[object]]) -> list[str]:
    """What stands in the channel after an answer during which something has happened to a change."""
    go_on = asyncio.Event()
    place.room.answer = growing(place, go_on)
    place.alice.asks(place.channel, "tell me")
    await meanwhile()
    go_on.set()
    await place.room.settled()
    return [message.content for message in place.channel.messages[1:]]


async def test_flood_control_in_the_middle_is_kept_and_the_whole_answer_comes_once(place: Place) -> None:
    place.server.fail("PATCH", "/messages/", 429, retry_after=0.3)
    shown = await answered(place, lambda: place.room.wait_for(lambda: place.server.refused))
    assert shown == [WHOLE.strip()]


async def test_a_change_whose_answer_is_lost_is_not_made_again_nor_sent_as_a_new_message(place: Place) -> None:
    place.server.lose("PATCH", "/messages/")
    shown = await answered(place, lambda: place.room.wait_for(lambda: place.server.sent("PATCH", "/messages/")))
    assert shown == [WHOLE.strip()]
    assert len(place.server.sent("PATCH", "/messages/")) == 2
    assert len(place.server.sent("POST", f"/channels/{place.channel.id}/messages")) == 1


async def test_a_first_message_whose_answer_is_lost_is_there_once(place: Place) -> None:
    place.server.lose("POST", f"/channels/{place.channel.id}/messages")
    shown = await answered(place, lambda: place.room.wait_for(lambda: len(place.channel.messages) > 1))
    assert shown == [WHOLE.strip()]


async def test_a_last_change_whose_answer_is_lost_is_made_again_until_it_is_known(place: Place) -> None:
    async def then_lose() -> None:
        await place.room.wait_for(lambda: place.server.sent("PATCH", "/messages/"))
        place.server.lose("PATCH", "/messages/")

    assert await answered(place, then_lose) == [WHOLE.strip()]
    assert len(place.server.sent("PATCH", "/messages/")) == 3


async def test_a_long_answer_with_code_is_whole_in_order_and_within_the_limit() -> None:
    code = "\n".join(f"line_{n} = {n}" for n in range(400))
    whole = f"First:\n```py\n{code}\n```\nThen words. " + "word " * 300
    assert len(whole) > 7000

    async def answer(_: Inbound) -> AsyncGenerator[Event, None]:
        for at in range(0, len(whole), 500):
            yield Delta(whole[at : at + 500])
            await asyncio.sleep(0)
        yield text(whole, footer="acme/large · acme:work")

    with DiscordServer() as server:
        channel, alice = server.channel(server.guild()), server.user("alice")
        async with connected(server, clock=FakeClock()) as room:
            room.answer = answer
            alice.asks(channel, "go")
            await room.wait_for(lambda: room.delivering)
            await room.settled()
        parts = [message.content for message in channel.messages[1:]]
        sizes = [len(content) for message in channel.everything for content in message.history]
    assert max(sizes) <= 2000
    assert all(part.count("```") % 2 == 0 for part in parts)
    lines = [line for part in parts for line in part.splitlines() if line.startswith("line_")]
    assert lines == code.splitlines()
    assert parts[-1].endswith("\n-# acme/large · acme:work")
