"""Answers that grow by edits, as in groups: a message there early, whole in the end, and there once whatever happens meanwhile."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from datetime import timedelta

import pytest

from core.messages import Delta, Reply, ReplyKind, TurnReport, Working
from tests.adapters.telegram_stage import Stage, notice, text
from tests.fakes.telegram_server import TelegramServer

SECOND = timedelta(seconds=1)


@pytest.fixture
def server() -> Iterator[TelegramServer]:
    with TelegramServer() as running:
        yield running


@pytest.fixture
async def stage(server: TelegramServer) -> AsyncIterator[Stage]:
    async with Stage(server) as running:
        yield running


async def test_a_growing_answer_is_one_message_edited_once_a_second_and_whole_in_the_end(stage: Stage) -> None:
    ada = stage.server.person(1001)
    chat = stage.server.group()
    more, end = asyncio.Event(), asyncio.Event()
    item = await stage.hears(ada, chat, "hello")
    story = (Working(), Delta("One **two"), more, Delta("** three"), Delta(" four"), end)
    answer = asyncio.create_task(stage.answer(item, *story, text("One **two** three four five."), TurnReport(data={})))
    await stage.until(lambda: chat.answers)
    more.set()
    await stage.clock.asked(1)
    assert chat.answers[0].text == "One **two"
    stage.clock.advance(SECOND)
    await stage.until(lambda: chat.answers[0].text == "One two three four")
    end.set()
    await answer
    assert [version.text for version in chat.answers[0].history] == [
        "One **two",
        "One two three four",
        "One two three four five.",
    ]
    assert chat.answers[0].history[-1].formats == [("bold", "two")]
    assert len(stage.server.called("sendMessage")) == 1


async def test_a_growing_answer_that_is_complete_already_is_not_edited_again(stage: Stage) -> None:
    ada = stage.server.person(1001)
    chat = stage.server.group()
    end = asyncio.Event()
    item = await stage.hears(ada, chat, "hello")
    answer = asyncio.create_task(stage.answer(item, Delta("all of it"), end, text("all of it")))
    await stage.until(lambda: chat.answers)
    end.set()
    await answer
    assert stage.server.called("editMessageText") == []


async def test_a_long_answer_goes_over_several_messages_with_its_code_block_closed_and_reopened(stage: Stage) -> None:
    ada = stage.server.person(1001)
    chat = stage.server.group()
    code = "\n".join(f"    line_{number} = {number}" for number in range(500))
    markdown = f"Before.\n\n```python\n{code}\n```\n\nAfter 😀."
    assert len(markdown) > 9000
    end = asyncio.Event()
    item = await stage.hears(ada, chat, "write code")
    answer = asyncio.create_task(stage.answer(item, Delta(markdown[:300]), end, text(markdown)))
    await stage.until(lambda: chat.answers)
    end.set()
    await answer
    assert len(chat.answers) == 3
    covered = [covered for m in chat.answers for kind, covered in m.history[-1].formats if kind == "pre"]
    assert "\n".join(covered) == code
    assert chat.answers[0].text.startswith("Before.")
    assert chat.answers[-1].text.endswith("After 😀.")


async def test_messages_that_the_finished_answer_does_not_need_are_removed(stage: Stage) -> None:
    ada = stage.server.person(1001)
    chat = stage.server.group()
    end = asyncio.Event()
    item = await stage.hears(ada, chat, "hello")
    answer = asyncio.create_task(stage.answer(item, Delta("long " * 1000), end, text("short")))
    await stage.until(lambda: len(chat.answers) == 2)
    end.set()
    await answer
    assert [message.text for message in chat.answers] == ["short"]


async def test_an_answer_that_breaks_off_stays_and_the_error_follows(stage: Stage) -> None:
    ada = stage.server.person(1001)
    chat = stage.server.group()
    item = await stage.hears(ada, chat, "hello")
    await stage.answer(
        item, Working(), Delta("Once upon"), Delta(" a time"), Reply(kind=ReplyKind.ERROR, text="It broke.")
    )
    assert [message.text for message in chat.answers] == ["Once upon a time", "It broke."]


async def test_an_announcement_in_between_does_not_end_the_growing_message(stage: Stage) -> None:
    ada = stage.server.person(1001)
    chat = stage.server.group()
    shown = asyncio.Event()
    item = await stage.hears(ada, chat, "hello")
    story = (notice("Moved to acme:home."), Delta("Begin"), shown, text("Begin and end"), notice("The pin ended."))
    answer = asyncio.create_task(stage.answer(item, *story))
    await stage.until(lambda: len(chat.answers) == 2)
    shown.set()
    await answer
    assert [message.text for message in chat.answers] == ["Moved to acme:home.", "Begin and end", "The pin ended."]


async def test_flood_control_while_growing_slows_the_pace_and_holds_back_the_final_text(stage: Stage) -> None:
    ada = stage.server.person(1001)
    chat = stage.server.group()
    more, end = asyncio.Event(), asyncio.Event()
    item = await stage.hears(ada, chat, "hello")
    answer = asyncio.create_task(stage.answer(item, Delta("a"), more, Delta(" b"), end, text("a b c")))
    await stage.until(lambda: chat.answers)
    await stage.clock.asked(1)
    stage.server.flood("editMessageText", 9)
    more.set()
    stage.clock.advance(SECOND)
    await stage.until(lambda: [call.status for call in stage.server.called("editMessageText")] == [429])
    await stage.clock.asked(2)
    end.set()
    stage.clock.advance(8 * SECOND)
    assert chat.answers[0].text == "a"
    stage.clock.advance(SECOND)
    await answer
    assert chat.answers[0].text == "a b c"
    assert stage.clock.slept == [1, 9, 0]


async def test_after_flood_control_a_growing_answer_is_shown_at_half_the_pace(stage: Stage) -> None:
    ada = stage.server.person(1001)
    chat = stage.server.group()
    more, end = asyncio.Event(), asyncio.Event()
    stage.server.flood("sendMessage", 1)
    item = await stage.hears(ada, chat, "hello")
    answer = asyncio.create_task(stage.answer(item, Delta("a"), more, Delta(" b"), end, text("a b c")))
    for times in (1, 2):  # the flood wait, then what is missing to the doubled pace
        await stage.clock.asked(times)
        stage.clock.advance(SECOND)
    await stage.until(lambda: chat.answers)
    await stage.clock.asked(3)
    assert stage.clock.slept == [1, 1, 2]
    more.set()
    end.set()
    await answer
    assert chat.answers[0].text == "a b c"


async def test_an_answer_that_grows_for_long_is_edited_no_more_often_than_a_group_takes(stage: Stage) -> None:
    ada = stage.server.person(1001)
    chat = stage.server.group()
    more = [asyncio.Event() for _ in range(12)]
    story = [step for number, event in enumerate(more) for step in (Delta(f"{number} "), event)]
    answer = asyncio.create_task(stage.answer(await stage.hears(ada, chat, "hello"), *story, text("whole")))
    for number, event in enumerate(more, start=1):
        await stage.clock.asked(number)
        event.set()
        stage.clock.advance(3 * SECOND)
    await answer
    assert stage.clock.slept[:12] == [1.0] * 9 + [3.0] * 3
    assert [message.text for message in chat.answers] == ["whole"]


async def test_an_outage_while_growing_is_made_good_by_the_final_text(stage: Stage) -> None:
    ada = stage.server.person(1001)
    chat = stage.server.group()
    end = asyncio.Event()
    stage.server.fail("sendMessage", 502, "Bad Gateway")
    item = await stage.hears(ada, chat, "hello")
    answer = asyncio.create_task(stage.answer(item, Delta("a"), end, text("a b")))
    await stage.until(lambda: [call.status for call in stage.server.called("sendMessage")] == [502])
    end.set()
    await answer
    assert [message.text for message in chat.answers] == ["a b"]


async def test_a_final_edit_whose_answer_was_lost_is_repeated_as_the_same_edit_and_not_sent_anew(stage: Stage) -> None:
    ada = stage.server.person(1001)
    chat = stage.server.group()
    end = asyncio.Event()
    item = await stage.hears(ada, chat, "hello")
    answer = asyncio.create_task(stage.answer(item, Delta("a"), end, text("a b")))
    await stage.until(lambda: chat.answers)
    await stage.clock.asked(1)
    stage.server.drop("editMessageText", after=True)
    end.set()
    await stage.until(lambda: [call.status for call in stage.server.called("editMessageText")] == [-1])
    await stage.clock.asked(2)
    stage.clock.advance(60 * SECOND)
    await answer
    assert [call.status for call in stage.server.called("editMessageText")] == [-1, 400]
    assert [message.text for message in chat.answers] == ["a b"]


async def test_an_interrupted_delivery_is_taken_up_again_in_the_same_messages(stage: Stage) -> None:
    ada = stage.server.person(1001)
    chat = stage.server.group()
    never = asyncio.Event()
    item = await stage.hears(ada, chat, "hello")
    killed = asyncio.create_task(stage.answer(item, notice("Moved."), Delta("half an ans"), never))
    await stage.until(lambda: len(chat.answers) == 2)
    await stage.inbox.noted(3)
    killed.cancel()
    await asyncio.gather(killed, return_exceptions=True)
    await stage.answer(item, notice("Moved."), text("half an answer, and the rest"))
    assert [message.text for message in chat.answers] == ["Moved.", "half an answer, and the rest"]
    assert len(stage.server.called("sendMessage")) == 2


async def test_an_answer_goes_on_while_no_note_can_be_stored_and_that_is_logged_once(
    stage: Stage, caplog: pytest.LogCaptureFixture
) -> None:
    ada = stage.server.person(1001)
    chat = stage.server.group()
    end = asyncio.Event()
    item = await stage.hears(ada, chat, "hello")
    stage.inbox.full = True
    answer = asyncio.create_task(
        stage.answer(item, notice("Moved."), Delta("half"), end, text("half, and the rest"), notice("The pin ended."))
    )
    await stage.until(lambda: len(chat.answers) == 2)
    end.set()
    await answer
    assert [message.text for message in chat.answers] == ["Moved.", "half, and the rest", "The pin ended."]
    assert stage.inbox.refused > 1
    assert len([record for record in caplog.records if "cannot be noted" in record.message]) == 1


async def test_cancelling_an_answer_ends_it_at_once_and_leaves_no_task(stage: Stage) -> None:
    ada = stage.server.person(1001)
    chat = stage.server.group()
    item = await stage.hears(ada, chat, "hello")
    before = asyncio.all_tasks()
    answer = asyncio.create_task(stage.answer(item, Working(), Delta("a"), asyncio.Event()))
    await stage.until(lambda: chat.answers)
    gate = stage.server.hold("editMessageText")
    answer.cancel()
    await asyncio.wait({answer}, timeout=2)
    assert answer.cancelled()
    assert asyncio.all_tasks() == before
    gate.open()
