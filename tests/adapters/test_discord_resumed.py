"""An answer that goes on after a restart, when the second run says something else than the first did; and refused messages."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from dataclasses import replace

import pytest

from core.messages import Button, Delta, Event, Inbound, Reply, ReplyKind
from tests.adapters.discord_place import PICKER, Place, a_place, notice, seen, text
from tests.fakes.discord_room import says

LONG = [letter * 1500 for letter in "ABC"]
MISSING = "A part of this answer was refused by Discord and is missing."
COOLING = notice("acme:a is cooling; acme:b answers.")


@pytest.fixture
async def place() -> AsyncIterator[Place]:
    async with a_place() as made:
        yield made


async def killed(place: Place, *events: Event, shown: int) -> None:
    """A delivery that ends after these events, when so many messages stand in the channel and are noted."""

    async def answer(_: Inbound) -> AsyncGenerator[Event, None]:
        for event in events:
            yield event
        await asyncio.Event().wait()

    place.room.answer = answer
    place.alice.asks(place.channel, "go")
    noted = place.room.inbox.items
    await place.room.wait_for(lambda: len(place.channel.messages) == shown + 1)
    await place.room.wait_for(lambda: str(noted[1].delivery).count("'c") == shown)
    (task,) = place.room.delivering
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    place.room.delivering.clear()


async def comes_back(place: Place, *events: Event) -> list[str]:
    """What stands in the channel when another run has said this."""
    place.room.answer = says(*events)
    await place.room.deliver(place.room.inbox.items[1], place.room.heard[0])
    return words(place)


def words(place: Place) -> list[str]:
    return [message.content for message in place.channel.messages if message.author is place.server.bot]


async def test_a_notice_of_the_second_run_does_not_take_the_message_that_grew_in_the_first(place: Place) -> None:
    await killed(place, Delta("the begin"), shown=1)
    shown = await comes_back(place, COOLING, Delta("the beginning"), text("the beginning and the end"))
    assert sorted(shown) == sorted([COOLING.text, "the beginning and the end"])
    assert all(COOLING.text not in message.history[:-1] for message in place.channel.messages)
    assert [message.history[0] for message in place.channel.messages[1:]] == ["the begin", COOLING.text]


async def test_it_does_not_even_if_the_note_was_lost_with_the_process(place: Place) -> None:
    await killed(place, Delta("the begin"), shown=1)
    place.room.inbox.items[1] = replace(place.room.inbox.items[1], delivery={})
    shown = await comes_back(place, COOLING, text("the beginning and the end"))
    assert sorted(shown) == sorted([COOLING.text, "the beginning and the end"])
    assert [message.history[0] for message in place.channel.messages[1:]] == ["the begin", COOLING.text]


async def test_a_notice_that_only_the_first_run_had_stays_what_it_is(place: Place) -> None:
    await killed(place, notice("The choice for 2h has ended."), COOLING, shown=2)
    shown = await comes_back(place, COOLING, text("the answer"))
    assert shown == ["The choice for 2h has ended.", COOLING.text, "the answer"]


async def test_the_same_words_twice_are_two_messages_in_each_run(place: Place) -> None:
    await killed(place, COOLING, COOLING, shown=2)
    assert await comes_back(place, COOLING, COOLING, text("the answer")) == [COOLING.text, COOLING.text, "the answer"]


async def test_half_an_answer_that_the_second_run_does_not_give_is_taken_away(place: Place) -> None:
    await killed(place, Delta("half of it"), shown=1)
    assert await comes_back(place, notice("No credential can answer now.")) == ["No credential can answer now."]


async def test_a_view_shows_the_present_in_the_message_of_the_first_run(place: Place) -> None:
    status = Reply(kind=ReplyKind.STATUS, text="last used 2s ago")
    await killed(place, status, shown=1)
    assert await comes_back(place, replace(status, text="last used 9s ago")) == ["last used 9s ago"]


async def test_notes_of_the_older_form_are_still_read(place: Place) -> None:
    await killed(place, COOLING, text("half of"), shown=2)
    said, answer = (f"c{message.id}" for message in place.channel.messages[1:])
    item = place.room.inbox.items[1]
    for older in ({"replies": {"0": [said], "1": [answer]}}, {"replies": {"0": [said]}, "stream": [answer]}):
        place.room.inbox.items[1] = replace(item, delivery=older)
        assert await comes_back(place, COOLING, text("half of it")) == [COOLING.text, "half of it"]


async def test_a_message_that_is_refused_is_tried_as_bare_words(place: Place) -> None:
    button = Button(n=1, label="Undo", command="/model undo", group="action")
    place.server.fail("POST", "/messages", 400, code=50035)
    await place.answers(notice("Now small.", buttons=(button,), token="tok"))
    (shown,) = place.channel.messages[1:]
    assert (shown.content, shown.components, shown.reference) == ("Now small.", [], None)


async def test_only_what_is_refused_is_left_out_and_the_chat_is_told_once(place: Place) -> None:
    place.server.fail("POST", "/messages", 400, code=200000, times=2)
    await place.answers(text("\n\n".join(LONG)), notice("more"))
    assert words(place) == [*LONG[1:], MISSING, "more"]


async def test_a_part_that_is_taken_after_a_restart_stands_before_those_behind_it(place: Place) -> None:
    place.server.fail("POST", "/messages", 400, code=200000, times=2)
    whole = text("\n\n".join(LONG))
    await killed(place, whole, shown=3)
    shown = await comes_back(place, whole)
    assert [one for one in shown if one != MISSING] == LONG


async def test_a_refused_reply_for_one_alone_is_told_to_them_alone(place: Place) -> None:
    place.server.fail("PATCH", "/webhooks/", 400, code=50035, times=2)
    used = await place.slash(None, PICKER)
    assert seen(used) == [(MISSING, True)]
    assert place.channel.messages == []


@pytest.mark.parametrize("code", [50001, 50013])
async def test_a_chat_that_takes_nothing_ends_the_answer_at_its_first_message(place: Place, code: int) -> None:
    place.server.fail("POST", "/messages", 403, code=code)
    await place.answers(text("\n\n".join(LONG)), notice("more"))
    assert words(place) == []
    assert len(place.server.sent("POST", f"/channels/{place.channel.id}/messages")) == 1


async def test_a_last_change_that_is_refused_is_sent_as_a_new_message(place: Place) -> None:
    gate, better = asyncio.Event(), ["a" * 1500, *LONG[1:]]

    async def answer(_: Inbound) -> AsyncGenerator[Event, None]:
        yield Delta("\n\n".join(LONG[:2]))
        await gate.wait()
        yield text("\n\n".join(better))

    place.room.answer = answer
    place.alice.asks(place.channel, "go")
    await place.room.wait_for(lambda: len(place.channel.messages) == 3)
    place.server.fail("PATCH", "/messages/", 400, code=50035)
    gate.set()
    await place.room.settled()
    assert words(place) == better


async def test_an_answer_to_a_press_whose_sending_is_not_confirmed_is_there_once(place: Place) -> None:
    picker = await place.picker()
    for way in ("/webhooks/", f"/channels/{place.channel.id}/messages"):
        place.server.lose("POST", way)
    place.room.answer = says(notice("Now small.", replaces=True), text("the answer of a kept question"))
    await place.handled(place.alice.selects(picker, "small"))
    assert picker.content == "Now small."
    assert words(place) == ["the answer of a kept question"]


async def test_a_follow_up_for_one_alone_whose_sending_is_not_confirmed_is_there_once(place: Place) -> None:
    picker = await place.picker()
    place.server.lose("POST", "/webhooks/")
    place.room.answer = says(notice("Too late.", private=True))
    used = await place.handled(place.alice.selects(picker, "small"))
    assert seen(used) == [("Too late.", True)]
