"""One message, its whole answer, then the next; and how an answer is stopped."""

import asyncio
import io
import os
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from adapters.terminal.conversation import Conversation
from adapters.terminal.display import PlainDisplay
from adapters.terminal.inbound import Speaker
from adapters.terminal.lines import read_lines
from core.messages import Event, Reply, ReplyKind, Sender
from core.sessions.key import SessionKey
from tests.fakes.scripted_gateway import ScriptedGateway

SPEAKER = Speaker(sender=Sender("terminal", "me"), session=SessionKey.parse("agent:main:terminal:default:direct:me"))
PATIENCE = 5.0


async def lines_of(descriptor: int) -> list[str]:
    return [line async for line in read_lines(descriptor)]


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        pytest.param(b"", [], id="nothing"),
        pytest.param(b"one\ntwo\n", ["one", "two"], id="two lines"),
        pytest.param(b"one\r\n\r\n  \n\ttwo", ["one", "\ttwo"], id="blank lines left out, last without an end"),
        pytest.param(b"\xef\xbb\xbfhi\n", ["hi"], id="byte order mark"),
        pytest.param(b"a\xff\xc3\n", ["a\ufffd\ufffd"], id="no UTF-8"),
        pytest.param("a\u2028b\x0bc\n".encode(), ["a\u2028b\x0bc"], id="only a newline ends a line"),
        pytest.param(b"x" * 300_000 + b"\ny", ["x" * 300_000, "y"], id="very long"),
        pytest.param("ä".encode() * 40_000 + b"!\n", ["ä" * 40_000 + "!"], id="a character across two reads"),
    ],
)
async def test_each_line_of_a_file_is_a_message(tmp_path: Path, content: bytes, expected: list[str]) -> None:
    (tmp_path / "script").write_bytes(content)
    descriptor = os.open(tmp_path / "script", os.O_RDONLY)
    try:
        assert await lines_of(descriptor) == expected
    finally:
        os.close(descriptor)


async def test_a_line_of_a_pipe_is_there_before_the_next_is_written() -> None:
    reader, writer = os.pipe()
    lines = read_lines(reader)
    os.write(writer, b"one\ntw")
    async with asyncio.timeout(PATIENCE):
        assert await anext(lines) == "one"
        os.write(writer, b"o\n")
        assert await anext(lines) == "two"
        os.close(writer)
        assert [line async for line in lines] == []
    os.close(reader)


async def test_a_descriptor_that_is_not_open_is_an_end_of_input() -> None:
    reader, writer = os.pipe()
    os.close(reader)
    os.close(writer)
    assert await lines_of(reader) == []


async def test_every_message_is_answered_before_the_next_is_read() -> None:
    out = io.StringIO()
    seen: list[str] = []

    async def messages() -> AsyncIterator[str]:
        for text in ("one", "   ", "two"):
            yield text
            seen.append(out.getvalue())

    await Conversation(ScriptedGateway(), SPEAKER, PlainDisplay(out, False)).hold(messages())
    assert seen == ["echo one\n", "echo one\n", "echo one\n\necho two\n"]


async def test_a_stopped_answer_ends_the_turn_and_not_the_conversation() -> None:
    gateway, out = ScriptedGateway(), io.StringIO()
    conversation = Conversation(gateway, SPEAKER, PlainDisplay(out, True))
    saying = asyncio.create_task(conversation.say("hang"))
    async with asyncio.timeout(PATIENCE):
        await gateway.waiting.wait()
        assert conversation.stop_answer()
        await saying
        await conversation.say("next")
    assert gateway.cancelled == 1
    assert out.getvalue() == "echo \n\nStopped.\n\necho next\n"


async def test_there_is_nothing_to_stop_between_two_answers() -> None:
    conversation = Conversation(ScriptedGateway(), SPEAKER, PlainDisplay(io.StringIO(), False))
    assert not conversation.stop_answer()
    await conversation.say("one")
    assert not conversation.stop_answer()


async def test_a_conversation_that_is_cancelled_takes_its_answer_along() -> None:
    gateway = ScriptedGateway()
    saying = asyncio.create_task(Conversation(gateway, SPEAKER, PlainDisplay(io.StringIO(), False)).say("hang"))
    async with asyncio.timeout(PATIENCE):
        await gateway.waiting.wait()
        saying.cancel()
        with pytest.raises(asyncio.CancelledError):
            await saying
    assert gateway.cancelled == 1


async def test_an_answer_is_closed_when_it_cannot_be_shown() -> None:
    closed = asyncio.Event()

    class Endless(ScriptedGateway):
        async def handle(self, inbound: object, item: int | None = None) -> AsyncIterator[Event]:
            try:
                async for event in super().handle(inbound):  # type: ignore[arg-type]
                    yield event
            finally:
                closed.set()

    class Gone(PlainDisplay):
        def show(self, event: Event) -> None:
            raise BrokenPipeError

    with pytest.raises(BrokenPipeError):
        await Conversation(Endless(), SPEAKER, Gone(io.StringIO(), False)).say("one")
    assert closed.is_set()


async def test_the_line_after_a_question_answers_it_and_a_command_does_not() -> None:
    asks = Reply(kind=ReplyKind.NOTICE, text="Which model?\nWrite a part of its name.", prompt=True)
    gateway = ScriptedGateway({"find": [asks]})
    conversation = Conversation(gateway, SPEAKER, PlainDisplay(io.StringIO(), False))
    for line in ("find", "opus", "opus", "find", "/model", "opus"):
        await conversation.say(line)
    answering = [inbound.quoted.text if inbound.quoted is not None else None for inbound in gateway.asked]
    assert answering == [None, asks.text, None, None, None, None]
    assert all(inbound.quoted.own for inbound in gateway.asked if inbound.quoted is not None)
