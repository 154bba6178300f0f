"""What happens to an answer when Discord or the disk fails: rate limits, refusals, outages, a refused token, lost notes."""

from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from typing import Any

import pytest

from core.errors import BotError, StorageError
from core.messages import Delta, Event, Inbound
from tests.adapters.discord_place import Place, a_place, notice, text
from tests.fakes.clock import FakeClock
from tests.fakes.discord_room import connected, says
from tests.fakes.discord_server import DiscordServer
from tests.fakes.inbox import FakeInbox


@pytest.fixture
async def place() -> AsyncIterator[Place]:
    async with a_place() as made:
        yield made


async def test_a_rate_limit_is_waited_out_and_the_whole_answer_arrives_once(place: Place) -> None:
    place.server.fail("POST", "/messages", 429, retry_after=0.2, times=2)
    await place.answers(text("the answer"))
    assert [m.content for m in place.channel.messages[1:]] == ["the answer"]


async def test_a_cut_connection_is_tried_again_without_a_second_message(place: Place) -> None:
    place.server.fail("POST", "/messages", 503)
    await place.answers(text("the answer"))
    assert [m.content for m in place.channel.messages[1:]] == ["the answer"]


@pytest.mark.parametrize("how", ["forbidden", "gone"])
async def test_where_the_bot_may_not_write_it_is_logged_once_and_every_event_is_consumed(
    place: Place, how: str, caplog: pytest.LogCaptureFixture
) -> None:
    consumed = []

    async def answer(_: Inbound) -> AsyncGenerator[Event, None]:
        for n in range(5):
            yield notice(f"notice {n}")
            consumed.append(n)

    place.room.answer = answer
    if how == "forbidden":
        place.channel.forbidden = True
    else:
        del place.server.channels[place.channel.id]
    await place.hears(place.channel, "hello")
    assert consumed == [0, 1, 2, 3, 4]
    assert caplog.text.count("does not show an answer") == 1


async def test_a_token_that_is_refused_while_a_turn_runs_is_told_to_the_caller_and_a_later_start_delivers(
    place: Place,
) -> None:
    consumed = []

    async def answer(_: Inbound) -> AsyncGenerator[Event, None]:
        for event in (Delta("the paid "), text("the paid answer"), notice("more")):
            yield event
            consumed.append(event)

    place.room.answer = answer
    place.server.fail("POST", "/messages", 401, times=100)
    place.alice.asks(place.channel, "go")
    await place.room.wait_for(lambda: place.room.delivering)
    with pytest.raises(BotError, match=r"channels\.discord\.token"):
        await place.room.settled()
    assert len(consumed) == 3
    (item,) = await place.room.inbox.unfinished("discord", "default")
    place.server.good_again()
    place.room.delivering.clear()
    await place.room.deliver(item, place.room.heard[0])
    assert [m.content for m in place.channel.messages[1:]] == ["the paid answer", "more"]


async def test_a_note_that_cannot_be_stored_is_told_once_and_cuts_no_answer(caplog: pytest.LogCaptureFixture) -> None:
    class FullInbox(FakeInbox):
        async def note_delivery(self, item: int, delivery: Mapping[str, Any]) -> None:
            raise StorageError("storage", "The disk is full.")

    whole = "word " * 780
    with DiscordServer() as server:
        alice = server.user("alice")
        async with connected(server, FullInbox()) as room:
            room.answer = says(Delta(whole[:100]), text(whole), notice("more"))
            alice.says(alice.dm, "hello")
            await room.wait_for(lambda: room.delivering)
            await room.settled()
    shown = [message.content for message in alice.dm.messages[1:]]
    assert " ".join(shown[:-1]).split() == whole.split()
    assert len(shown) == 3
    assert caplog.text.count("The disk is full.") == 1


async def test_an_outage_of_minutes_is_told_to_the_caller_after_the_last_event() -> None:
    consumed = []

    async def answer(_: Inbound) -> AsyncGenerator[Event, None]:
        for n in range(3):
            yield notice(f"notice {n}")
            consumed.append(n)

    with DiscordServer() as server:
        alice = server.user("alice")
        server.fail("POST", "/messages", 503, times=100)
        async with connected(server, clock=FakeClock()) as room:
            room.answer = answer
            alice.says(alice.dm, "hello")
            await room.wait_for(lambda: room.delivering)
            with pytest.raises(BotError, match="minutes") as caught:
                await room.settled()
    assert caught.value.code == "discord_unreachable"
    assert consumed == [0, 1, 2]
