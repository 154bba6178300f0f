"""`--file`: what goes along, with which message, and what is said of a file that cannot."""

import asyncio
import io
import os
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from adapters.terminal.conversation import Conversation
from adapters.terminal.display import PlainDisplay
from adapters.terminal.files import Enclosed
from adapters.terminal.inbound import Speaker
from core.attachments import LARGEST_TEXT
from core.errors import UserError
from core.messages import Event, File, Inbound, Sender
from core.sessions.key import SessionKey
from tests.e2e.installation import Installation
from tests.fakes.pictures import PNG
from tests.fakes.provider_server import ThreadedProviderServer
from tests.fakes.scripted_gateway import ScriptedGateway

SPEAKER = Speaker(sender=Sender("terminal", "me"), session=SessionKey.parse("agent:main:terminal:default:direct:me"))


class Taking(ScriptedGateway):
    """Asks for the files of every message that is no command, as the gateway does."""

    def __init__(self) -> None:
        super().__init__()
        self.taken: list[tuple[str, tuple[File, ...]]] = []

    async def handle(self, inbound: Inbound, item: int | None = None) -> AsyncIterator[Event]:
        if not inbound.text.startswith("/"):
            self.taken.append((inbound.text, await inbound.files() if inbound.files else ()))
        async for event in super().handle(inbound):
            yield event


async def said(enclosed: Enclosed, *texts: str) -> list[tuple[str, tuple[File, ...]]]:
    gateway = Taking()

    async def messages() -> AsyncIterator[str]:
        for text in texts:
            yield text

    await Conversation(gateway, SPEAKER, PlainDisplay(io.StringIO(), False), enclosed).hold(messages())
    return gateway.taken


@pytest.fixture
def notes(tmp_path: Path) -> Path:
    path = tmp_path / "notes.md"
    path.write_text("one\n")
    return path


async def test_files_go_with_the_first_message_that_takes_them(tmp_path: Path, notes: Path) -> None:
    picture = tmp_path / "a picture.jpeg"
    picture.write_bytes(PNG)
    files = (File("notes.md", "application/octet-stream", b"one\n"), File("a picture.jpeg", "image/png", PNG))
    enclosed = Enclosed([str(notes), str(picture)])
    assert await said(enclosed, "/model opus", "look", "", "and now?") == [("look", files), ("and now?", ())]
    assert not enclosed.waiting


async def test_files_can_be_a_message_by_themselves(notes: Path) -> None:
    ((text, (file,)),) = await said(Enclosed([str(notes)]), " ")
    assert (text.strip(), file.data) == ("", b"one\n")


TOO_LARGE = "notes.md: larger than 512 KB, the limit for a text file."


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        pytest.param(b"x" * (LARGEST_TEXT + 1), TOO_LARGE, id="grown meanwhile"),
        pytest.param(None, "notes.md: No such file or directory.", id="gone meanwhile"),
    ],
)
def test_a_file_is_read_when_it_is_sent(notes: Path, content: bytes | None, problem: str) -> None:
    enclosed = Enclosed([str(notes)])
    notes.unlink()
    if content is not None:
        notes.write_bytes(content)
    ((_, (file,)),) = asyncio.run(said(enclosed, "look"))
    assert (file.problem, file.data) == (problem, b"")


def test_a_file_over_the_limit_and_an_eleventh_one_are_told(notes: Path) -> None:
    ((_, files),) = asyncio.run(said(Enclosed([str(notes)] * 11), "look"))
    assert [file.problem for file in files[10:]] == ["Only the first 10 files of a message are read; 1 more was not."]
    notes.write_bytes(b"x" * (LARGEST_TEXT + 1))
    ((_, (large,)),) = asyncio.run(said(Enclosed([str(notes)]), "look"))
    assert large.problem == TOO_LARGE


@pytest.mark.parametrize("name", ["missing", ".", "pipe", "nul\0"])
def test_what_is_no_file_is_refused_before_anything_is_sent(tmp_path: Path, name: str) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(UserError) as caught:
        Enclosed([f"{tmp_path}/{name}"])
    assert caught.value.code == "usage"
    assert "cannot be sent" in str(caught.value)


class TestTheCommand:
    @pytest.fixture
    def house(self, state_dir: Path) -> Installation:
        house = Installation(state_dir)
        house.keep({"acme:work": "sk-acme-key-of-WORK"})
        return house

    async def test_a_picture_and_a_text_reach_the_model(self, house: Installation, notes: Path) -> None:
        picture = notes.with_name("a.png")
        picture.write_bytes(PNG)
        flags = ("chat", "--file", str(notes), "--file", str(picture))
        with ThreadedProviderServer() as provider:
            house.configure(provider.base_url)
            asked = await asyncio.to_thread(house.run, *flags, "-m", "sum it up", "-m", "thanks")
            alone = await asyncio.to_thread(house.run, *flags, "--session", "new")
            unused = await asyncio.to_thread(house.run, *flags, "-m", "/status")
        assert (asked.code, asked.err, alone.code, alone.err, unused.code) == (0, "", 0, "", 0)
        assert "No message took the files of --file" in unused.err
        first, _, third = (seen.body["messages"][-1]["content"] for seen in provider.seen)
        assert first[0] == {"type": "text", "text": "sum it up\n\nnotes.md:\n```\none\n```"}
        assert first[1]["image_url"]["url"].startswith("data:image/png;base64,iVBOR")
        assert third[0]["text"].startswith("notes.md:")
        assert len(provider.seen) == 3

    def test_a_path_that_is_none_is_wrong_usage(self, house: Installation) -> None:
        house.configure("http://127.0.0.1:9")
        ended = house.run("chat", "--file", "/nonexistent/a.png", "-m", "look")
        assert (ended.code, ended.out) == (2, "")
        assert "'/nonexistent/a.png' cannot be sent: No such file or directory." in ended.err
