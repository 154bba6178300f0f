"""What Telegram does not take: the words get through without their look, and a closed chat ends the answer."""

import asyncio
from collections.abc import AsyncIterator, Iterator

import pytest

from core.messages import Button, Delta, Reply, ReplyKind
from tests.adapters.telegram_stage import Stage, notice, text
from tests.fakes.telegram_server import TelegramServer


@pytest.fixture
def server() -> Iterator[TelegramServer]:
    with TelegramServer() as running:
        yield running


@pytest.fixture
async def stage(server: TelegramServer) -> AsyncIterator[Stage]:
    async with Stage(server) as running:
        yield running


async def test_refused_formatting_falls_back_to_plain_text(stage: Stage) -> None:
    ada = stage.server.person(1001)
    chat = stage.server.private(ada)
    stage.server.fail("sendMessage", 400, "Bad Request: can't parse entities: unsupported entity")
    await stage.answer(await stage.hears(ada, chat, "hello"), text("**strong** words"))
    assert chat.answers[0].text == "strong words"
    assert chat.answers[0].history[-1].formats == []


@pytest.mark.parametrize(
    "refusal",
    [
        pytest.param("Forbidden: bot was blocked by the user", id="blocked"),
        pytest.param("Forbidden: bot was kicked from the supergroup chat", id="kicked"),
    ],
)
async def test_a_chat_out_of_reach_swallows_the_answer_and_is_logged_once(
    stage: Stage, refusal: str, caplog: pytest.LogCaptureFixture
) -> None:
    ada = stage.server.person(1001)
    chat = stage.server.private(ada)
    item = await stage.hears(ada, chat, "hello")
    chat.refusal = refusal
    await stage.answer(item, Delta("a"), Delta("b"), text("ab"), notice("more"), Delta("c"), text("c"))
    assert chat.answers == []
    assert len([record for record in caplog.records if "cannot be written to" in record.message]) == 1
    assert len(stage.server.called("sendMessage")) == 1


@pytest.mark.parametrize(
    "refusal",
    [
        pytest.param("Bad Request: reply markup is too long", id="keyboard too long"),
        pytest.param("Bad Request: BUTTON_DATA_INVALID", id="data"),
        pytest.param("Bad Request: something new about a keyboard", id="words not known yet"),
    ],
)
async def test_a_refused_keyboard_falls_back_to_the_words_alone(
    stage: Stage, refusal: str, caplog: pytest.LogCaptureFixture
) -> None:
    ada = stage.server.person(1001)
    chat = stage.server.private(ada)
    choice = Button(n=1, label="one", command="/model 1")
    reply = Reply(kind=ReplyKind.PICKER, text="Choose\n1. one", buttons=(choice,), token="tok")
    stage.server.fail("sendMessage", 400, refusal)
    await stage.answer(await stage.hears(ada, chat, "/model"), reply, notice("next"))
    assert [(message.text, message.labels) for message in chat.answers] == [("Choose\n1. one", []), ("next", [])]
    assert len([record for record in caplog.records if "with its buttons" in record.message]) == 1


async def test_a_refused_edit_of_a_keyboard_falls_back_to_the_words_alone(stage: Stage) -> None:
    ada = stage.server.person(1001)
    chat = stage.server.group()
    choice = Button(n=1, label="one", command="/model 1")
    reply = Reply(kind=ReplyKind.TEXT, text="**all** of it", buttons=(choice,), token="tok")
    end = asyncio.Event()
    item = await stage.hears(ada, chat, "hello")
    answer = asyncio.create_task(stage.answer(item, Delta("all"), end, reply))
    await stage.until(lambda: chat.answers)
    stage.server.fail("editMessageText", 400, "Bad Request: can't parse entities: unsupported entity")
    stage.server.fail("editMessageText", 400, "Bad Request: reply markup is too long")
    end.set()
    await answer
    assert [(message.text, message.labels) for message in chat.answers] == [("all of it", [])]


async def test_a_message_that_is_refused_for_what_it_says_does_not_stop_the_others(
    stage: Stage, caplog: pytest.LogCaptureFixture
) -> None:
    ada = stage.server.person(1001)
    chat = stage.server.private(ada)
    item = await stage.hears(ada, chat, "hello")
    stage.server.fail("sendMessage", 400, "Bad Request: text must be encoded in UTF-8", times=2)
    await stage.answer(item, notice("odd"), notice("odd again"), notice("good"))
    assert [message.text for message in chat.answers] == ["good"]
    assert len([record for record in caplog.records if "it is left out" in record.message]) == 1


@pytest.mark.parametrize(
    "refusal",
    [
        pytest.param("Bad Request: chat not found", id="gone"),
        pytest.param("Bad Request: not enough rights to send text messages to the chat", id="silenced"),
        pytest.param("Bad Request: CHAT_WRITE_FORBIDDEN", id="write forbidden"),
        pytest.param("Bad Request: TOPIC_CLOSED", id="closed topic"),
        pytest.param("Bad Request: message thread not found", id="deleted topic"),
    ],
)
async def test_a_400_about_the_chat_is_a_chat_out_of_reach(stage: Stage, refusal: str) -> None:
    ada = stage.server.person(1001)
    chat = stage.server.private(ada)
    choice = Button(n=1, label="one", command="/model 1")
    stage.server.fail("sendMessage", 400, refusal)
    item = await stage.hears(ada, chat, "hello")
    await stage.answer(item, notice("one", buttons=(choice,), token="tok"), notice("two"))
    assert len(stage.server.called("sendMessage")) == 1
