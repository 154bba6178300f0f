"""What people send along: pictures for models that look at them, text files as text, a sentence for the rest."""

from dataclasses import replace

import pytest

from core.chat.question import LONGEST_FILE, ask
from core.errors import FailureReason, UserError
from core.messages import File, ReplyKind
from core.models.catalog import Catalog
from core.models.ref import ModelRef
from core.sessions.history import Image
from tests.world import STRANGER, World, rules

CAT = File("cat.png", "image/png", b"\x89PNG cat")
NOTES = File("notes.md", "text/markdown", "Ünïcode\n".encode())
PICTURE = Image("image/png", b"\x89PNG cat")


def sending(world: World, text: str, *files: File, **where: object):
    """A message with files; `asked` counts how often they were fetched."""
    asked: list[int] = []

    async def fetch() -> tuple[File, ...]:
        asked.append(1)
        return files

    return world.inbound(text, files=fetch, **where), asked  # type: ignore[arg-type]


def blind(*models: str) -> World:
    """A world whose `acme` models take text only."""
    found = rules()
    acme = found.catalog.providers["acme"]
    entries = tuple(replace(m, inputs=("text",)) if m.ref.name in models else m for m in acme.models)
    providers = {**found.catalog.providers, "acme": replace(acme, models=entries)}
    return World(rules=replace(found, catalog=Catalog(providers, found.catalog.aliases)))


async def test_a_picture_reaches_the_model_and_is_remembered():
    world = World()
    inbound, _ = sending(world, "what is this?", CAT)
    await world.do(inbound)
    assert world.provider.requests[0].messages[-1].images == (PICTURE,)
    await world.say("and its colour?")
    assert [m.images for m in world.provider.requests[1].messages] == [(PICTURE,), (), ()]


async def test_a_picture_without_a_word_is_a_message():
    world = World()
    inbound, _ = sending(world, "", CAT)
    await world.do(inbound)
    assert world.provider.requests[0].messages[-1].images == (PICTURE,)


async def test_a_text_file_is_part_of_the_text():
    world = World()
    inbound, _ = sending(world, "sum this up", NOTES)
    await world.do(inbound)
    assert world.provider.requests[0].messages[-1].text == "sum this up\n\nnotes.md:\n```\nÜnïcode\n```"


async def test_what_cannot_be_used_is_said_and_the_rest_is_asked():
    world = World()
    voice = File("", "", problem="A voice message cannot be read here.")
    inbound, _ = sending(world, "hello", voice, File("x.bin", "application/zip", b"PK\0\1"), CAT)
    replies = await world.do(inbound)
    assert [r.text for r in replies if r.kind is ReplyKind.NOTICE] == [
        "A voice message cannot be read here.",
        "x.bin: neither a picture nor text (application/zip).",
    ]
    assert world.served == ["acme:work"]


async def test_nothing_usable_asks_nobody():
    world = World()
    inbound, _ = sending(world, "", File("x.bin", "application/zip", b"PK\0\1"))
    (reply,) = await world.do(inbound)
    assert (reply.kind, reply.code) == (ReplyKind.ERROR, "unreadable")
    assert world.served == []


async def test_a_model_without_eyes_is_not_sent_a_picture():
    world = blind("small")
    inbound, _ = sending(world, "what is this?", CAT)
    replies = await world.do(inbound)
    assert replies[0].text == "cat.png: acme/small takes no pictures."
    assert world.provider.requests[0].messages[-1].images == ()
    await world.say("/model big")
    inbound, _ = sending(world, "look again", CAT)
    await world.do(inbound)
    await world.say("/model acme/small")
    await world.say("and now?")
    seen = [m.text for m in world.provider.requests[-1].messages]
    assert "look again\n[a picture that this model cannot see]" in seen
    assert not any(m.images for m in world.provider.requests[-1].messages)


async def test_a_card_keeps_the_picture_with_its_message():
    world = World()
    await world.say("/model @acme:work")
    world.provider.script["acme:work"] = [FailureReason.RATE_LIMIT]
    inbound, asked = sending(world, "what is this?", CAT, NOTES)
    (card,) = await world.do(inbound)
    await world.press(card, "Use acme:home once")
    last = world.provider.requests[-1].messages[-1]
    assert last.images == (PICTURE,)
    assert last.text.startswith("what is this?\n\nnotes.md:")
    assert len(asked) == 1


async def test_nothing_is_fetched_for_a_stranger():
    world = World()
    inbound, asked = sending(world, "hi", CAT, by=STRANGER)
    await world.do(inbound)
    assert asked == []


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        pytest.param("\ufeffhello".encode(), "hello", id="utf-8 with a mark"),
        pytest.param("hello".encode("utf-16"), "hello", id="utf-16"),
        pytest.param(b"```\ncode\n```", "````\n```\ncode\n```\n````", id="fences inside"),
    ],
)
def test_text_is_decoded_and_fenced(data: bytes, expected: str):
    question = ask("", (File("a`\nb.txt", "text/plain", data),), None, str(ModelRef("acme", "small")))
    assert expected in question.message.text
    assert question.message.text.startswith("a b.txt:\n```")


def test_a_file_that_is_too_long_is_told():
    with pytest.raises(UserError, match="longer than 200,000 characters"):
        ask("", (File("a.txt", "text/plain", b"x" * (LONGEST_FILE + 1)),), None, "acme/small")
