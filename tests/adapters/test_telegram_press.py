"""Buttons: what a press does to the message that it was made on, and what the person sees meanwhile."""

import asyncio
import logging
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from datetime import timedelta

import pytest

from adapters.telegram.outbound import PRESSED_IN_VAIN
from core.messages import Block, Button, Delta, Event, Ingress, Reply, ReplyKind, Row, Tone, Working
from tests.adapters.telegram_stage import Stage, notice, text
from tests.fakes.telegram_server import TelegramServer
from tests.fakes.telegram_world import Chat, ChatMessage, Person

SECOND = timedelta(seconds=1)


@pytest.fixture
def server() -> Iterator[TelegramServer]:
    with TelegramServer() as running:
        yield running


@pytest.fixture
async def stage(server: TelegramServer) -> AsyncIterator[Stage]:
    async with Stage(server) as running:
        yield running


def picker(words: str = "Choose", *labels: str, token: str = "tok", **fields: bool) -> Reply:
    buttons = tuple(Button(n=n, label=label, command=f"/model {n}") for n, label in enumerate(labels, 1))
    return Reply(kind=ReplyKind.PICKER, text=words, buttons=buttons, token=token, **fields)


async def shown_picker(stage: Stage, person: Person, chat: Chat) -> ChatMessage:
    item = await stage.hears(person, chat, "/model@our_bot")
    await stage.answer(item, picker("Choose", "acme/small", "acme/large"))
    return chat.answers[-1]


async def test_a_press_names_the_list_and_the_choice_and_its_answer_takes_the_place_of_the_message(
    stage: Stage,
) -> None:
    ada = stage.server.person(1001)
    chat = stage.server.group()
    message = await shown_picker(stage, ada, chat)
    item, press = await stage.sees_press(ada, message, "acme/large")
    inbound = stage.platform.read(item.update)
    assert inbound is not None
    assert (inbound.ingress, inbound.token, inbound.number) == (Ingress.BUTTON, "tok", 2)
    await stage.answer(item, picker("Now acme/large", "Undo", token="tok2", replaces=True))
    assert [(m.text, m.labels) for m in chat.answers] == [("Now acme/large", [["Undo"]])]
    assert press.answered
    assert press.alert is None


async def test_an_answer_without_buttons_takes_the_keyboard_away(stage: Stage) -> None:
    ada = stage.server.person(1001)
    chat = stage.server.private(ada)
    message = await shown_picker(stage, ada, chat)
    item, _ = await stage.sees_press(ada, message, "acme/small")
    await stage.answer(item, notice("Done.", replaces=True))
    assert (message.text, message.labels) == ("Done.", [])


async def test_an_answer_that_changes_nothing_is_a_success(stage: Stage) -> None:
    ada = stage.server.person(1001)
    chat = stage.server.private(ada)
    message = await shown_picker(stage, ada, chat)
    item, press = await stage.sees_press(ada, message, "acme/small")
    await stage.answer(item, picker("Choose", "acme/small", "acme/large", replaces=True))
    assert [call.status for call in stage.server.called("editMessageText")] == [400]
    assert len(chat.answers) == 1
    assert press.answered


async def test_an_edit_of_the_pressed_message_whose_answer_was_lost_leaves_one_message(stage: Stage) -> None:
    ada = stage.server.person(1001)
    chat = stage.server.group()
    message = await shown_picker(stage, ada, chat)
    item, _ = await stage.sees_press(ada, message, "acme/small")
    stage.clock.jumps = True
    stage.server.drop("editMessageText", after=True)
    await stage.answer(item, picker("Which credential?", "acme:work", token="tok2", replaces=True))
    assert [(m.text, m.labels) for m in chat.answers] == [("Which credential?", [["acme:work"]])]
    assert [call.status for call in stage.server.called("editMessageText")] == [-1, 400]
    item, _ = await stage.sees_press(ada, message, "acme:work")
    await stage.answer(item, notice("Done.", replaces=True))
    assert [(m.text, m.labels) for m in chat.answers] == [("Done.", [])]


async def test_if_the_pressed_message_is_gone_the_answer_is_sent(stage: Stage) -> None:
    ada = stage.server.person(1001)
    chat = stage.server.private(ada)
    message = await shown_picker(stage, ada, chat)
    item, press = await stage.sees_press(ada, message, "acme/small")
    message.deleted = True
    await stage.answer(item, notice("Done.", replaces=True))
    assert [answer.text for answer in chat.answers] == ["Done."]
    assert press.answered


async def test_a_private_answer_is_an_alert_and_leaves_the_message_alone(stage: Stage) -> None:
    ada = stage.server.person(1001)
    chat = stage.server.group()
    message = await shown_picker(stage, ada, chat)
    item, press = await stage.sees_press(stage.server.person(2002, "Eve"), message, "acme/small")
    await stage.answer(item, notice("That choice is for Ada.", private=True))
    assert press.alert == "That choice is for Ada."
    assert len(chat.answers) == 1
    assert stage.server.called("answerCallbackQuery")[0].params["show_alert"] == "true"


async def test_a_private_answer_too_long_for_an_alert_is_a_message(stage: Stage) -> None:
    ada = stage.server.person(1001)
    chat = stage.server.private(ada)
    message = await shown_picker(stage, ada, chat)
    item, press = await stage.sees_press(ada, message, "acme/small")
    await stage.answer(item, notice("x" * 201, private=True))
    assert (press.answered, press.alert, chat.answers[-1].text) == (True, None, "x" * 201)


async def test_a_private_answer_to_a_press_that_is_too_old_is_a_message(stage: Stage) -> None:
    ada = stage.server.person(1001)
    chat = stage.server.private(ada)
    message = await shown_picker(stage, ada, chat)
    item, press = await stage.sees_press(ada, message, "acme/small")
    press.answered = True
    await stage.answer(item, notice("Too late for an alert.", private=True))
    assert chat.answers[-1].text == "Too late for an alert."


async def test_in_a_group_a_private_answer_too_long_for_an_alert_is_cut(stage: Stage) -> None:
    ada = stage.server.person(1001)
    chat = stage.server.group()
    message = await shown_picker(stage, ada, chat)
    item, press = await stage.sees_press(ada, message, "acme/small")
    await stage.answer(item, notice("x" * 201, private=True))
    assert press.alert == "x" * 199 + "…"
    assert len(chat.answers) == 1


async def test_in_a_group_a_private_answer_with_choices_is_an_alert_without_them(stage: Stage) -> None:
    ada = stage.server.person(1001)
    chat = stage.server.group()
    message = await shown_picker(stage, ada, chat)
    item, press = await stage.sees_press(ada, message, "acme/small")
    told = "No model 'smal'.\nDid you mean:\n  1. acme/small\n  2. acme/large"
    await stage.answer(item, picker(told, "acme/small", "acme/large", private=True))
    assert press.alert == "No model 'smal'.\nDid you mean:"
    assert [answer.text for answer in chat.answers] == ["Choose"]


async def test_in_a_group_a_private_card_is_an_alert_with_its_facts(stage: Stage) -> None:
    ada = stage.server.person(1001)
    message = await shown_picker(stage, ada, stage.server.group())
    item, press = await stage.sees_press(ada, message, "acme/small")
    facts = (Block("Not here", (Row("acme:work", "expired", Tone.BAD),)),)
    await stage.answer(item, replace(picker("Not here\n  1. acme/small", "acme/small", private=True), blocks=facts))
    assert press.alert == "Not here\n🔴 acme:work · expired"


@pytest.mark.parametrize("labels", [pytest.param((), id="plain"), pytest.param(("acme/small",), id="with choices")])
async def test_in_a_group_a_private_answer_to_a_press_that_is_too_old_is_told_without_its_content(
    stage: Stage, labels: tuple[str, ...], caplog: pytest.LogCaptureFixture
) -> None:
    ada = stage.server.person(1001)
    chat = stage.server.group()
    message = await shown_picker(stage, ada, chat)
    item, press = await stage.sees_press(stage.server.person(2002, "Eve"), message, "acme/small")
    press.answered = True
    with caplog.at_level(logging.INFO):
        await stage.answer(item, picker("That choice is for Ada.", *labels, private=True))
    assert [answer.text for answer in chat.answers] == ["Choose", PRESSED_IN_VAIN]
    assert "left out" in caplog.text
    await stage.answer(item, picker("That choice is for Ada.", *labels, private=True))
    assert len(chat.answers) == 2, "a restart does not say it again"


async def test_in_a_group_somebody_who_may_not_press_does_not_make_the_bot_speak(stage: Stage) -> None:
    chat = stage.server.group()
    message = await shown_picker(stage, stage.server.person(1001), chat)
    item, press = await stage.sees_press(stage.server.person(2002, "Eve"), message, "acme/small")
    press.answered = True
    refusal = Reply(kind=ReplyKind.ERROR, code="not_authorised", text="These buttons are not yours.", private=True)
    await stage.answer(item, refusal)
    assert [answer.text for answer in chat.answers] == ["Choose"]


@pytest.mark.parametrize(
    ("seconds", "alert", "told"),
    [
        pytest.param(1.2, "Not you.", [], id="within the grace"),
        pytest.param(10, None, [PRESSED_IN_VAIN], id="after it"),
    ],
)
async def test_in_a_group_a_refusal_that_takes_its_time_is_told(
    stage: Stage, seconds: float, alert: str | None, told: list[str]
) -> None:
    ada = stage.server.person(1001)
    chat = stage.server.group()
    message = await shown_picker(stage, ada, chat)
    item, press = await stage.sees_press(ada, message, "acme/small")
    decided = asyncio.Event()
    answer = asyncio.create_task(stage.answer(item, decided, notice("Not you.", private=True)))
    await stage.clock.asked(1)
    stage.clock.advance(seconds * SECOND)
    await stage.until(lambda: press.answered is (alert is None))
    decided.set()
    await answer
    assert [answer.text for answer in chat.answers] == ["Choose", *told]
    assert press.alert == alert


async def test_an_announcement_does_not_use_up_the_alert_of_the_refusal_after_it(stage: Stage) -> None:
    ada = stage.server.person(1001)
    chat = stage.server.group()
    message = await shown_picker(stage, ada, chat)
    item, press = await stage.sees_press(ada, message, "acme/small")
    await stage.answer(item, notice("The pin ended."), notice("Not you.", private=True))
    assert press.alert == "Not you."
    assert [answer.text for answer in chat.answers] == ["Choose", "The pin ended."]


@pytest.mark.parametrize(
    "events",
    [
        pytest.param((notice("For all.", private=True, shared=True),), id="a stored change"),
        pytest.param((Working(), notice("For all.", private=True)), id="what became of a turn"),
    ],
)
async def test_in_a_group_what_concerns_everybody_is_a_message(stage: Stage, events: tuple[Event, ...]) -> None:
    ada = stage.server.person(1001)
    chat = stage.server.group()
    message = await shown_picker(stage, ada, chat)
    item, press = await stage.sees_press(ada, message, "acme/small")
    await stage.answer(item, *events)
    assert press.alert is None
    assert [answer.text for answer in chat.answers] == ["Choose", "For all."]


async def test_a_private_answer_to_what_was_typed_in_a_group_is_a_message_there(stage: Stage) -> None:
    ada = stage.server.person(1001)
    chat = stage.server.group()
    await stage.answer(await stage.hears(ada, chat, "/whoami"), notice("You are Ada.", private=True))
    assert [answer.text for answer in chat.answers] == ["You are Ada."]


async def test_a_press_is_answered_within_a_second_even_if_nothing_has_been_decided(stage: Stage) -> None:
    ada = stage.server.person(1001)
    chat = stage.server.private(ada)
    message = await shown_picker(stage, ada, chat)
    item, press = await stage.sees_press(ada, message, "acme/small")
    decided = asyncio.Event()
    answer = asyncio.create_task(stage.answer(item, decided, notice("Done.", replaces=True, private=True)))
    await stage.clock.asked(1)
    stage.clock.advance(SECOND)
    await stage.until(lambda: press.answered)
    decided.set()
    await answer
    assert message.text == "Done."


async def test_a_press_that_starts_a_turn_is_answered_before_it(stage: Stage) -> None:
    ada = stage.server.person(1001)
    chat = stage.server.private(ada)
    message = await shown_picker(stage, ada, chat)
    item, press = await stage.sees_press(ada, message, "acme/small")
    model = asyncio.Event()
    story = (notice("Using acme:home once.", replaces=True), Working(), Delta("Hello"), model, text("Hello Ada"))
    answer = asyncio.create_task(stage.answer(item, *story))
    await stage.until(lambda: press.answered and chat.draft is not None)
    model.set()
    await answer
    assert [answer.text for answer in chat.answers] == ["Using acme:home once.", "Hello Ada"]


async def test_a_press_without_any_answer_is_answered_all_the_same(stage: Stage) -> None:
    ada = stage.server.person(1001)
    message = await shown_picker(stage, ada, stage.server.private(ada))
    item, press = await stage.sees_press(ada, message, "acme/small")
    await stage.answer(item)
    assert press.answered


async def test_data_of_an_older_keyboard_reaches_the_gateway_as_a_list_that_nobody_knows(stage: Stage) -> None:
    ada = stage.server.person(1001)
    message = await shown_picker(stage, ada, stage.server.private(ada))
    press = ada.presses_data(message, "mdl_sel_acme/small")
    item = await asyncio.wait_for(stage.taken.get(), 10)
    inbound = stage.platform.read(item.update)
    assert inbound is not None
    assert (inbound.token, inbound.number) == ("", 0)
    await stage.answer(item, notice("This choice is no longer current.", private=True))
    assert press.alert == "This choice is no longer current."


async def test_the_answer_to_a_press_is_taken_up_again_after_a_restart(stage: Stage) -> None:
    ada = stage.server.person(1001)
    chat = stage.server.private(ada)
    message = await shown_picker(stage, ada, chat)
    item, _ = await stage.sees_press(ada, message, "acme/small")
    for _ in range(2):
        await stage.answer(item, notice("Done.", replaces=True))
    assert [answer.text for answer in chat.answers] == ["Done."]
    assert len(stage.server.called("editMessageText")) == 1
