"""Delivering answers through the real library, over HTTP, to a Bot API counterpart."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from datetime import timedelta

import pytest

from core.errors import ConfigError
from core.messages import Button, Delta, Reply, ReplyKind, TurnReport, Working
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


async def test_an_answer_is_sent_formatted_without_preview_and_without_a_reply_mark_in_private(stage: Stage) -> None:
    ada = stage.server.person(1001)
    chat = stage.server.private(ada)
    await stage.answer(await stage.hears(ada, chat, "hello"), text("Look: **bold** and `code` 😀 _x_"))
    (message,) = chat.answers
    assert message.text == "Look: bold and code 😀 x"
    assert message.history[-1].formats == [("bold", "bold"), ("code", "code"), ("italic", "x")]
    assert message.reply_to is None
    (call,) = stage.server.called("sendMessage")
    assert call.params["link_preview_options"] == {"is_disabled": True}
    assert "parse_mode" not in call.params


async def test_other_replies_are_plain_text(stage: Stage) -> None:
    ada = stage.server.person(1001)
    chat = stage.server.private(ada)
    await stage.answer(await stage.hears(ada, chat, "/model"), notice("Model: *acme/small*\n_x_ <b>"))
    assert chat.answers[0].text == "Model: *acme/small*\n_x_ <b>"
    assert chat.answers[0].history[-1].formats == []


async def test_in_a_topic_of_a_group_the_answer_stays_in_the_topic_and_replies_to_the_message(stage: Stage) -> None:
    ada = stage.server.person(1001)
    chat = stage.server.group(forum=True)
    topic = chat.topic()
    item = await stage.hears(ada, chat, "/model@our_bot", topic=topic)
    await stage.answer(item, Working(), text("word " * 1000))
    first, second = chat.answers
    assert (first.thread, second.thread) == (topic, topic)
    assert first.reply_to is chat.messages[0]
    assert second.reply_to is None
    assert chat.actions in ([], [("typing", topic)])


async def test_typing_is_shown_again_every_four_seconds_until_the_answer(stage: Stage) -> None:
    ada = stage.server.person(1001)
    chat = stage.server.private(ada)
    ready = asyncio.Event()
    item = await stage.hears(ada, chat, "hello")
    answer = asyncio.create_task(stage.answer(item, Working(), ready, text("done")))
    for shown in (1, 2, 3):
        await stage.until(lambda shown=shown: len(chat.actions) == shown)
        await stage.clock.asked(shown)
        stage.clock.advance(4 * SECOND)
    await stage.until(lambda: len(chat.actions) == 4)
    ready.set()
    await answer
    assert {action for action, _ in chat.actions} == {"typing"}
    assert chat.answers[0].text == "done"


async def test_a_growing_answer_is_one_message_edited_once_a_second_and_whole_in_the_end(stage: Stage) -> None:
    ada = stage.server.person(1001)
    chat = stage.server.private(ada)
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
    chat = stage.server.private(ada)
    end = asyncio.Event()
    item = await stage.hears(ada, chat, "hello")
    answer = asyncio.create_task(stage.answer(item, Delta("all of it"), end, text("all of it")))
    await stage.until(lambda: chat.answers)
    end.set()
    await answer
    assert stage.server.called("editMessageText") == []


async def test_a_long_answer_goes_over_several_messages_with_its_code_block_closed_and_reopened(stage: Stage) -> None:
    ada = stage.server.person(1001)
    chat = stage.server.private(ada)
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
    chat = stage.server.private(ada)
    end = asyncio.Event()
    item = await stage.hears(ada, chat, "hello")
    answer = asyncio.create_task(stage.answer(item, Delta("long " * 1000), end, text("short")))
    await stage.until(lambda: len(chat.answers) == 2)
    end.set()
    await answer
    assert [message.text for message in chat.answers] == ["short"]


async def test_an_answer_that_breaks_off_stays_and_the_error_follows(stage: Stage) -> None:
    ada = stage.server.person(1001)
    chat = stage.server.private(ada)
    item = await stage.hears(ada, chat, "hello")
    await stage.answer(
        item, Working(), Delta("Once upon"), Delta(" a time"), Reply(kind=ReplyKind.ERROR, text="It broke.")
    )
    assert [message.text for message in chat.answers] == ["Once upon a time", "It broke."]


async def test_an_announcement_in_between_does_not_end_the_growing_message(stage: Stage) -> None:
    ada = stage.server.person(1001)
    chat = stage.server.private(ada)
    shown = asyncio.Event()
    item = await stage.hears(ada, chat, "hello")
    story = (notice("Moved to acme:home."), Delta("Begin"), shown, text("Begin and end"), notice("The pin ended."))
    answer = asyncio.create_task(stage.answer(item, *story))
    await stage.until(lambda: len(chat.answers) == 2)
    shown.set()
    await answer
    assert [message.text for message in chat.answers] == ["Moved to acme:home.", "Begin and end", "The pin ended."]


async def test_flood_control_of_the_final_text_is_waited_out_in_full(stage: Stage) -> None:
    ada = stage.server.person(1001)
    chat = stage.server.private(ada)
    stage.server.flood("sendMessage", 37)
    item = await stage.hears(ada, chat, "hello")
    answer = asyncio.create_task(stage.answer(item, text("patience")))
    await stage.clock.asked(1)
    assert stage.clock.slept == [37]
    stage.clock.advance(36 * SECOND)
    assert chat.answers == []
    stage.clock.advance(SECOND)
    await answer
    assert [message.text for message in chat.answers] == ["patience"]


async def test_flood_control_while_growing_slows_the_pace_and_holds_back_the_final_text(stage: Stage) -> None:
    ada = stage.server.person(1001)
    chat = stage.server.private(ada)
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
    chat = stage.server.private(ada)
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


async def test_an_outage_while_growing_is_made_good_by_the_final_text(stage: Stage) -> None:
    ada = stage.server.person(1001)
    chat = stage.server.private(ada)
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
    chat = stage.server.private(ada)
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


async def test_a_message_whose_answer_was_lost_is_not_sent_twice(stage: Stage) -> None:
    ada = stage.server.person(1001)
    chat = stage.server.private(ada)
    stage.server.drop("sendMessage", after=True)
    await stage.answer(await stage.hears(ada, chat, "hello"), text("once"), notice("next"))
    assert [message.text for message in chat.answers] == ["once", "next"]


async def test_a_message_that_never_reached_telegram_is_sent_when_it_is_back(stage: Stage) -> None:
    ada = stage.server.person(1001)
    chat = stage.server.private(ada)
    stage.server.fail("sendMessage", 500, "Internal Server Error", times=3)
    answer = asyncio.create_task(stage.answer(await stage.hears(ada, chat, "hello"), text("at last")))
    for times in (1, 2, 3):
        await stage.clock.asked(times)
        stage.clock.advance(60 * SECOND)
    await answer
    assert [message.text for message in chat.answers] == ["at last"]


async def test_a_group_that_became_a_supergroup_is_followed(stage: Stage) -> None:
    ada = stage.server.person(1001)
    old, new = stage.server.group(), stage.server.group()
    stage.server.fail(
        "sendMessage", 400, "Bad Request: group chat was upgraded to a supergroup chat", migrate_to_chat_id=new.id
    )
    await stage.answer(await stage.hears(ada, old, "/model@our_bot"), notice("here"))
    assert [message.text for message in new.answers] == ["here"]


async def test_a_token_revoked_during_an_answer_leaves_it_undelivered_with_a_clear_error(stage: Stage) -> None:
    ada = stage.server.person(1001)
    item = await stage.hears(ada, stage.server.private(ada), "hello")
    stage.server.fail("sendMessage", 401, "Unauthorized")
    with pytest.raises(ConfigError, match=r"channels\.telegram\.token.*BotFather"):
        await stage.answer(item, text("lost?"))


async def test_an_interrupted_delivery_is_taken_up_again_in_the_same_messages(stage: Stage) -> None:
    ada = stage.server.person(1001)
    chat = stage.server.private(ada)
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
    chat = stage.server.private(ada)
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


async def test_notes_that_could_not_be_stored_are_made_good_by_the_next_one(stage: Stage) -> None:
    ada = stage.server.person(1001)
    chat = stage.server.private(ada)
    item = await stage.hears(ada, chat, "hello")
    stage.inbox.full = True
    healed = asyncio.Event()
    answer = asyncio.create_task(stage.answer(item, notice("one"), healed, notice("two")))
    await stage.until(lambda: len(chat.answers) == 1)
    stage.inbox.full = False
    healed.set()
    await answer
    await stage.answer(item, notice("one"), notice("two"))
    assert [message.text for message in chat.answers] == ["one", "two"]


async def test_a_delivery_that_was_complete_is_not_repeated(stage: Stage) -> None:
    ada = stage.server.person(1001)
    chat = stage.server.private(ada)
    item = await stage.hears(ada, chat, "hello")
    for _ in range(2):
        await stage.answer(item, text("once and for all"))
    assert len(chat.answers) == 1
    assert stage.server.called("editMessageText") == []


async def test_a_message_noted_and_since_deleted_is_sent_anew(stage: Stage) -> None:
    ada = stage.server.person(1001)
    chat = stage.server.private(ada)
    item = await stage.hears(ada, chat, "hello")
    await stage.inbox.note_delivery(item.id, {"slots": {"text:0": {"messages": [4], "whole": False}}})
    await stage.answer(item, text("here"))
    assert [message.text for message in chat.answers] == ["here"]


async def test_cancelling_an_answer_ends_it_at_once_and_leaves_no_task(stage: Stage) -> None:
    ada = stage.server.person(1001)
    chat = stage.server.private(ada)
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


async def test_buttons_are_rows_of_choices_then_actions_side_by_side(stage: Stage) -> None:
    ada = stage.server.person(1001)
    chat = stage.server.private(ada)
    long = "provider/" + "very-long-" * 8 + "end"
    buttons = (
        Button(n=1, label="acme/large", command="/model 1", selected=True),
        Button(n=2, label=long, command="/model 2"),
        *(Button(n=n, label=f"a{n}", command="x", group="action") for n in range(3, 7)),
    )
    reply = Reply(kind=ReplyKind.PICKER, text="Choose", buttons=buttons, token="tok")
    await stage.answer(await stage.hears(ada, chat, "/model"), reply)
    first, second, *rest = chat.answers[0].labels
    assert first == ["✓ acme/large"]
    assert second == [long[:30] + "…" + long[-29:]]
    assert rest == [["a3", "a4", "a5"], ["a6"]]


async def test_buttons_stand_under_the_last_message_and_one_that_telegram_would_refuse_is_left_out(
    stage: Stage,
) -> None:
    ada = stage.server.person(1001)
    chat = stage.server.private(ada)
    item = await stage.hears(ada, chat, "/model")
    choice = Button(n=1, label="one", command="/model 1")
    await stage.answer(item, Reply(kind=ReplyKind.PICKER, text="x\n" * 3000, buttons=(choice,), token="tok"))
    assert [message.labels for message in chat.answers] == [[], [["one"]]]
    other = await stage.hears(ada, chat, "/model")
    await stage.answer(other, Reply(kind=ReplyKind.PICKER, text="y", buttons=(choice,), token="t" * 63))
    assert chat.answers[-1].labels == []
