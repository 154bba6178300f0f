"""What was sent with a message: limits, true types, and a fetch that never raises and never outlasts its time."""

import asyncio
from datetime import timedelta

import pytest

from core.attachments import (
    AT_ONCE,
    FETCH_SECONDS,
    LARGEST_PICTURE,
    LARGEST_TEXT,
    NotFetched,
    Offer,
    checked,
    collect,
    declared_type,
    limit_of,
    picture_type,
    refusal,
    shown_name,
)
from core.messages import File
from tests.fakes.clock import FakeClock
from tests.fakes.pictures import GIF, JPEG, PNG, WEBP


@pytest.mark.parametrize(
    ("data", "kind"),
    [
        pytest.param(PNG, "image/png", id="png"),
        pytest.param(JPEG, "image/jpeg", id="jpeg"),
        pytest.param(GIF, "image/gif", id="gif"),
        pytest.param(WEBP, "image/webp", id="webp"),
        pytest.param(PNG[:7], None, id="the beginning of a png"),
        pytest.param(b"RIFF\0\0\0\0WAVE", None, id="another RIFF"),
        pytest.param(b"BM\0\0", None, id="bmp"),
        pytest.param(b"<svg/>", None, id="svg"),
        pytest.param(b"", None, id="nothing"),
    ],
)
def test_a_picture_is_known_by_its_first_bytes(data: bytes, kind: str | None) -> None:
    assert picture_type(data) == kind


@pytest.mark.parametrize(
    ("name", "said", "kind", "limit"),
    [
        pytest.param("a", "IMAGE/PNG; x=1", "image/png", LARGEST_PICTURE, id="parameters and case"),
        pytest.param("a.JPG", "", "image/jpeg", LARGEST_PICTURE, id="by its name"),
        pytest.param("a.webp", "application/octet-stream", "image/webp", LARGEST_PICTURE, id="unknown, by its name"),
        pytest.param("a.bin", "", "application/octet-stream", LARGEST_TEXT, id="nothing known"),
        pytest.param("a.svg", "image/svg+xml", "image/svg+xml", LARGEST_TEXT, id="a drawing in words"),
        pytest.param("a.ts", "video/mp2t", "text/plain", LARGEST_TEXT, id="typescript"),
        pytest.param("a.heic", "image/heic", "image/heic", LARGEST_PICTURE, id="another kind of picture"),
    ],
)
def test_the_declared_type_gives_the_limit(name: str, said: str, kind: str, limit: int) -> None:
    offer = Offer(name=name, media_type=said)
    assert (declared_type(offer), limit_of(offer)) == (kind, limit)
    assert refusal(offer) == ""


def test_a_limit_is_the_largest_that_is_taken() -> None:
    picture, text = Offer(name="a", media_type="image/png"), Offer(name="b", media_type="text/plain")
    assert checked(picture, PNG + bytes(LARGEST_PICTURE - len(PNG))).problem == ""
    assert checked(picture, PNG + bytes(LARGEST_PICTURE - len(PNG) + 1)).data == b""
    assert checked(text, b"x" * LARGEST_TEXT).problem == ""
    assert checked(text, b"x" * (LARGEST_TEXT + 1)).problem == "b: larger than 512 KB, the limit for a text file."
    assert checked(text, b"").problem == ""


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        pytest.param("a\r\n\tb", "a b", id="lines"),
        pytest.param("\u202egnp.exe\x1b[2J", "gnp.exe [2J", id="controls"),
        pytest.param(" \u200b ", "file", id="nothing to be seen"),
        pytest.param("x" * 81, "x" * 79 + "…", id="long"),
        pytest.param("Ünïcode 🦀.txt", "Ünïcode 🦀.txt", id="other letters"),
    ],
)
def test_a_name_is_one_line_that_can_be_seen(name: str, shown: str) -> None:
    assert shown_name(name) == shown


async def test_whatever_a_download_does_is_a_file_in_its_place() -> None:
    async def download(offer: Offer, limit: int) -> bytes:
        match offer.name:
            case "gone":
                raise NotFetched("is gone")
            case "broken":
                raise RuntimeError("https://host/bot123:secret/file")
        return offer.name.encode()

    offers = [Offer(name=name, media_type="text/plain") for name in ("one", "gone", "broken", "two")]
    files = await collect([*offers, Offer(name="x", problem="No.")], download, FakeClock(jumps=False))
    assert files == (
        File("one", "text/plain", b"one"),
        File("gone", "text/plain", problem="gone: is gone."),
        File("broken", "text/plain", problem="broken: could not be fetched."),
        File("two", "text/plain", b"two"),
        File("x", "application/octet-stream", problem="No."),
    )


async def test_four_are_fetched_at_once_and_what_is_late_is_told_beside_what_came() -> None:
    clock, running, most = FakeClock(jumps=False), set[str](), 0
    last = asyncio.Event()

    async def download(offer: Offer, limit: int) -> bytes:
        nonlocal most
        running.add(offer.name)
        most = max(most, len(running))
        try:
            await (asyncio.Event().wait() if offer.name == "slow" else asyncio.sleep(0))
        finally:
            running.remove(offer.name)
            if offer.name == "h":
                last.set()
        return b"x"

    offers = [Offer(name=name) for name in ("slow", *"abcdefgh")]
    collecting = asyncio.create_task(collect(offers, download, clock))
    await last.wait()
    clock.advance(timedelta(seconds=FETCH_SECONDS))
    files = await collecting
    assert most == AT_ONCE
    assert [file.name for file in files if file.problem] == ["slow"]
    assert files[0].problem == "slow: did not arrive within 30 s. Send it again."
    assert running == set()


async def test_a_cancellation_is_passed_on_and_ends_every_download() -> None:
    started, ended = asyncio.Event(), asyncio.Event()

    async def download(offer: Offer, limit: int) -> bytes:
        started.set()
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()
        return b""

    collecting = asyncio.create_task(collect([Offer(name="a")], download, FakeClock(jumps=False)))
    await started.wait()
    collecting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await collecting
    assert ended.is_set()
