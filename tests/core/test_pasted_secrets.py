"""A secret that is written into a chat: not stored, not passed on, refused with the right way (product.md 8)."""

from dataclasses import replace

import pytest

from adapters.terminal.inbound import Speaker
from core.blotting import BLOT
from core.intake import Intake
from core.messages import Ingress, Reply, ReplyKind
from tests.core.test_intake import Line
from tests.world import ALLOWED, GROUP, OWNER, STRANGER, World

KEY = "sk-ant-api03-Zq7fK2mX9vB4tW8nR3yL6pD1sQ5hJ0cG"
CORE = "Zq7fK2mX9vB4"


def is_refusal(reply: Reply) -> bool:
    return reply.code == "secret_in_chat" and reply.kind is ReplyKind.ERROR and reply.deletes and reply.private


@pytest.mark.parametrize("ingress", [Ingress.MESSAGE, Ingress.COMMAND, Ingress.EDIT, Ingress.BUTTON])
@pytest.mark.parametrize("text", [f"use {BLOT * 30} please", f"/model {BLOT * 30}", f"/modle {BLOT * 30}", "hello"])
async def test_whatever_brings_a_secret_is_refused_and_does_nothing(ingress: Ingress, text: str) -> None:
    at = World()
    (reply,) = await at.do(at.inbound(text, ingress=ingress, has_secret=True))
    assert is_refusal(reply)
    assert BLOT not in reply.text
    assert not at.served
    assert not at.sessions.sessions
    assert not at.sessions.messages


@pytest.mark.parametrize(("by", "says"), [(OWNER, "On the host,"), (ALLOWED, "An owner enters keys on the host")])
async def test_the_refusal_says_what_happened_what_to_do_and_the_right_way(by: str, says: str) -> None:
    at = World()
    (reply,) = await at.do(at.inbound("x", by=by, has_secret=True))
    for words in ("not passed on", "delete it yourself", "replace the key", says):
        assert words in reply.text
    for command in ("remoteclaw models auth add", "remoteclaw models auth paste-token"):
        assert command in reply.text


async def test_the_commands_that_the_refusal_names_are_there() -> None:
    from argparse import ArgumentParser

    from bot.cli.models import add_arguments

    at = World()
    (reply,) = await at.do(at.inbound("x", has_secret=True))
    parser = ArgumentParser()
    add_arguments(parser)
    for part in reply.text.split("`")[1::2]:
        words = part.removeprefix("remoteclaw models ").split()
        given = [*words, "--provider", "acme"] if "paste-token" in words else words
        assert parser.parse_args(given)


async def test_strangers_and_people_who_do_not_speak_to_the_bot_get_no_answer() -> None:
    at = World()
    assert await at.do(at.inbound("x", by=STRANGER, key=GROUP, has_secret=True)) == []
    assert await at.do(at.inbound("x", key=GROUP, mentioned=False, has_secret=True)) == []


async def test_the_inbox_stores_no_secret_and_knows_that_there_was_one() -> None:
    line = Line()
    await line.intake.accept([line.update(f"my key is {KEY}"), line.update("hello")])
    first, second = line.world.inbox.stored
    assert CORE not in repr((first, line.world.inbox.items))
    assert first.payload["has_secret"] is True
    assert "has_secret" not in second.payload
    await line.over()


async def test_a_secret_of_this_installation_is_found_by_its_value() -> None:
    line = Line()
    secret = "correct-horse-battery-staple"
    redact = lambda text: text.replace(secret, "***")  # noqa: E731
    intake = Intake(line.world.inbox, line.world.gateway, line.desk, line.world.clock, known=redact)
    await intake.accept([line.update(f"it is {secret}")])
    (update,) = line.world.inbox.stored
    assert secret not in repr((update, line.world.inbox.items))
    assert update.payload["has_secret"] is True
    assert await intake.drain(5) == 0


def test_a_line_in_the_terminal_is_no_exception() -> None:
    at = World()
    speaker = Speaker(sender=at.inbound("").sender, session=at.inbound("").session)
    said = speaker.says(f"key: {KEY}")
    assert said.has_secret
    assert CORE not in said.text
    assert not speaker.says("the key to success").has_secret
    informed = replace(speaker, known=lambda text: text.replace("correct-horse-battery-staple", "***"))
    assert informed.says("it is correct-horse-battery-staple").has_secret
