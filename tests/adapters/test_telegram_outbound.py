"""Delivering answers through the real library, over HTTP, to a Bot API counterpart."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from datetime import timedelta

import pytest

from adapters.telegram.board import UNCONFIRMED
from core.errors import ConfigError
from core.messages import Button, Delta, Event, Reply, ReplyKind, Working
from core.ports import InboxItem
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


async def test_in_other_replies_marks_are_words_and_ids_are_code(stage: Stage) -> None:
    ada = stage.server.person(1001)
    chat = stage.server.private(ada)
    await stage.answer(await stage.hears(ada, chat, "/model"), notice("Model: *acme/small*\n_x_ <b>"))
    assert chat.answers[0].text == "Model: *acme/small*\n_x_ <b>"
    assert chat.answers[0].history[-1].formats == [("code", "acme/small")]


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


@pytest.mark.parametrize(
    ("taken", "there"),
    [pytest.param(True, ["once"], id="it had arrived"), pytest.param(False, [], id="it had not")],
)
async def test_a_message_whose_answer_was_lost_is_not_sent_twice_and_the_person_is_told(
    stage: Stage, taken: bool, there: list[str]
) -> None:
    ada = stage.server.person(1001)
    chat = stage.server.private(ada)
    item = await stage.hears(ada, chat, "hello")
    stage.server.drop("sendMessage", after=taken)
    for _ in range(2):
        await stage.answer(item, text("once"), notice("next"))
        assert [message.text for message in chat.answers] == [*there, UNCONFIRMED, "next"]


async def test_while_no_answer_of_telegram_comes_through_nothing_is_sent_twice_and_the_next_reply_is(
    stage: Stage,
) -> None:
    ada = stage.server.person(1001)
    chat = stage.server.private(ada)
    stage.server.drop("sendMessage", after=True)
    stage.server.drop("sendMessage", after=True)
    await stage.answer(await stage.hears(ada, chat, "hello"), text("once"), notice("next"))
    assert [message.text for message in chat.answers] == ["once", UNCONFIRMED, "next"]


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


async def killed_after(stage: Stage, item: InboxItem, *events: Event) -> None:
    """An answer whose process ends after these events."""
    shown = asyncio.Event()

    async def then_nothing() -> AsyncIterator[Event]:
        for event in events:
            yield event
        shown.set()
        await asyncio.Event().wait()

    inbound = stage.platform.read(item.update)
    assert inbound is not None
    killed = asyncio.create_task(stage.platform.deliver(stage.inbox.item(item.id), inbound, then_nothing()))
    await asyncio.wait_for(shown.wait(), 10)
    killed.cancel()
    await asyncio.gather(killed, return_exceptions=True)


async def test_a_reply_that_was_not_shown_before_a_kill_is_shown_whatever_else_was(stage: Stage) -> None:
    ada = stage.server.person(1001)
    chat = stage.server.private(ada)
    item = await stage.hears(ada, chat, "hello")
    await killed_after(stage, item, notice("acme:a is out."), notice("acme:b answers."))
    card = Reply(kind=ReplyKind.ERROR, code="all_unavailable", text="No credential can answer now.")
    for _ in range(2):
        await stage.answer(item, notice("acme:b answers."), card)
        assert [m.text for m in chat.answers] == ["acme:a is out.", "acme:b answers.", card.text]


async def test_what_is_said_twice_is_shown_twice_and_not_more_often_after_a_kill(stage: Stage) -> None:
    ada = stage.server.person(1001)
    chat = stage.server.private(ada)
    item = await stage.hears(ada, chat, "hello")
    await killed_after(stage, item, notice("Not yet."))
    await stage.answer(item, notice("Not yet."), notice("Not yet."))
    assert [m.text for m in chat.answers] == ["Not yet.", "Not yet."]


async def test_a_text_that_broke_off_before_a_kill_becomes_the_text_of_the_next_try(stage: Stage) -> None:
    ada = stage.server.person(1001)
    chat = stage.server.private(ada)
    item = await stage.hears(ada, chat, "hello")
    await killed_after(stage, item, Delta("Once upon"), Reply(kind=ReplyKind.ERROR, text="It broke."))
    await stage.answer(item, Delta("Once"), text("Once and for all."))
    assert [m.text for m in chat.answers] == ["Once and for all.", "It broke."]


@pytest.mark.parametrize("slot", ["other:0", "text:0"])
async def test_older_notes_that_do_not_say_what_was_shown_are_brought_up_to_date_in_place(
    stage: Stage, slot: str
) -> None:
    ada = stage.server.person(1001)
    chat = stage.server.private(ada)
    item = await stage.hears(ada, chat, "hello")
    reply = text("new") if slot == "text:0" else notice("new")
    await stage.answer(item, notice("old"))
    (message,) = chat.answers
    await stage.inbox.note_delivery(item.id, {"slots": {slot: {"messages": [message.id], "whole": True}}})
    for _ in range(2):
        await stage.answer(item, reply)
    assert [m.text for m in chat.answers] == ["new"]
    assert len(stage.server.called("editMessageText")) == 1


async def test_a_message_noted_and_since_deleted_is_sent_anew(stage: Stage) -> None:
    ada = stage.server.person(1001)
    chat = stage.server.private(ada)
    item = await stage.hears(ada, chat, "hello")
    await stage.inbox.note_delivery(item.id, {"slots": {"text:0": {"messages": [4], "whole": False}}})
    await stage.answer(item, text("here"))
    assert [message.text for message in chat.answers] == ["here"]


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
