"""What people attach in Discord: fetched from its file server when it is asked for, within limits, with no credential."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from core.attachments import LARGEST_PICTURE, LARGEST_TEXT
from core.messages import Event, File, Inbound, Working
from core.ports import InboxItem
from tests.adapters.discord_place import Place, a_place
from tests.fakes.clock import FakeClock
from tests.fakes.discord_cdn import Upload
from tests.fakes.discord_room import Room
from tests.fakes.pictures import JPEG, PNG, WEBP

SECOND = timedelta(seconds=1)


@pytest.fixture
async def place() -> AsyncIterator[Place]:
    async with a_place() as made:
        yield made


async def sent(place: Place, *uploads: Upload, text: str = "") -> Inbound:
    return await place.hears(place.alice.dm, text, files=uploads)


async def fetched(inbound: Inbound) -> tuple[File, ...]:
    assert inbound.files is not None
    async with asyncio.timeout(10):
        return await inbound.files()


def downloads(place: Place) -> list[dict[str, Any]]:
    return place.server.sent("GET", "/cdn/")


async def test_attachments_are_fetched_when_asked_for_and_without_a_credential(place: Place) -> None:
    heard = await sent(
        place, Upload("a.png", PNG, "image/png"), Upload("b.txt", b"hi", "text/plain; charset=utf-8"), text="look"
    )
    assert heard.text == "look"
    assert downloads(place) == []
    assert await fetched(heard) == (File("a.png", "image/png", PNG), File("b.txt", "text/plain", b"hi"))
    assert [(d["headers"].get("authorization"), d["headers"].get("cookie")) for d in downloads(place)] == [
        (None, None)
    ] * 2
    assert place.server.token not in str(downloads(place))


async def test_files_without_a_word_are_a_message_in_private_and_where_the_bot_is_named(place: Place) -> None:
    assert (await sent(place, Upload("a.png", PNG))).text == ""
    place.alice.says(place.channel, "not for the bot", files=(Upload("a.png", PNG),))
    named = await place.hears(place.channel, "", files=(Upload("a.png", PNG),))
    assert (named.text, named.mentioned) == ("", True)
    assert (await fetched(named))[0].data == PNG
    assert len(place.room.heard) == 2


async def test_a_message_without_files_has_none(place: Place) -> None:
    assert (await sent(place, text="hello")).files is None


@pytest.mark.parametrize(
    ("upload", "wanted"),
    [
        pytest.param(Upload("a.png", WEBP, "image/png"), File("a.png", "image/webp", WEBP), id="another picture"),
        pytest.param(Upload("a.jpg", JPEG), File("a.jpg", "image/jpeg", JPEG), id="no declared type"),
        pytest.param(
            Upload("a.gif", b"GIF?", "image/gif"),
            "a.gif: no picture that can be read here (PNG, JPEG, GIF, WebP); it says image/gif.",
            id="no picture",
        ),
        pytest.param(Upload("a\n\u202eb.py", b"1"), File("a b.py", "application/octet-stream", b"1"), id="its name"),
        pytest.param(
            Upload("a.mp4", b"", "video/mp4"), "a.mp4: a video cannot be read here.", id="a kind that is not read"
        ),
        pytest.param(
            Upload("a.png", PNG, "image/png", LARGEST_PICTURE + 1),
            "a.png: larger than 5 MB, the limit for a picture.",
            id="too large",
        ),
        pytest.param(
            Upload("a.txt", bytes(LARGEST_TEXT + 1), "text/plain", 5),
            "a.txt: larger than 512 KB, the limit for a text file.",
            id="larger than was said",
        ),
        pytest.param(
            Upload("a.txt", url="http://127.0.0.1:9/a.txt"),
            "a.txt: it does not lie on a server of Discord's that can be trusted.",
            id="somewhere else without https",
        ),
        pytest.param(
            Upload("a.txt", url="file:///etc/hostname"),
            "a.txt: it does not lie on a server of Discord's that can be trusted.",
            id="a file of this machine",
        ),
        pytest.param(
            Upload("a.txt", url="https://user@127.0.0.1:9/a.txt"),
            "a.txt: it does not lie on a server of Discord's that can be trusted.",
            id="a URL with a user",
        ),
    ],
)
async def test_a_file_is_what_its_bytes_say_or_a_sentence(place: Place, upload: Upload, wanted: File | str) -> None:
    (file,) = await fetched(await sent(place, replace(upload)))
    assert (file.problem if isinstance(wanted, str) else file) == wanted
    assert file.data == b"" or not file.problem


async def test_the_eleventh_file_is_told(place: Place) -> None:
    files = await fetched(await sent(place, *(Upload(f"{n}.txt", b"x") for n in range(11))))
    assert [file.problem for file in files[10:]] == ["Only the first 10 files of a message are read; 1 more was not."]
    assert len(downloads(place)) == 10


class TestExpiry:
    async def test_urls_that_have_expired_are_asked_for_once_a_message(self, place: Place) -> None:
        heard = await sent(place, Upload("a.txt", b"a"), Upload("b.txt", b"b"))
        place.server.cdn.expire()
        assert [file.data for file in await fetched(heard)] == [b"a", b"b"]
        assert len(place.server.sent("GET", f"/channels/{place.alice.dm.id}/messages/")) == 1

    async def test_a_file_that_is_gone_is_told_after_one_more_try(self, place: Place) -> None:
        upload = Upload("a.txt", b"a")
        heard = await sent(place, upload)
        upload.gone = True
        place.server.cdn.expire()
        (file,) = await fetched(heard)
        assert file.problem == "a.txt: Discord does not have it any more."
        assert len(downloads(place)) == 2

    async def test_a_message_that_is_gone_is_told(self, place: Place) -> None:
        heard = await sent(place, Upload("a.txt", b"a"))
        place.server.cdn.expire()
        place.alice.dm.everything[0].deleted = True
        (file,) = await fetched(heard)
        assert file.problem == "a.txt: Discord does not have it any more (404, code 10008)."

    async def test_after_a_restart_the_stored_message_fetches_again(self, place: Place) -> None:
        item = await left_unanswered(place, Upload("a.txt", b"a"))
        place.server.cdn.expire()
        async with another_room(place) as room:
            inbound = room.platform.read(item.update)
            assert inbound is not None
            assert (await fetched(inbound))[0].data == b"a"

    async def test_a_row_that_has_only_names_is_read_through_the_api(self, place: Place) -> None:
        item = await left_unanswered(place, Upload("a.txt", b"a"))
        update = replace(item.update, payload={**item.update.payload, "attachments": ["a.txt", "b.txt"]})
        async with another_room(place) as room:
            inbound = room.platform.read(update)
            assert inbound is not None
            first, second = await fetched(inbound)
        assert (first.data, second.problem) == (b"a", "b.txt: Discord does not have it any more.")


async def left_unanswered(place: Place, *uploads: Upload) -> InboxItem:
    """What the inbox has of a message when the process ends before its answer."""

    async def never(_: Inbound) -> AsyncGenerator[Event, None]:
        await asyncio.Event().wait()
        yield Working()

    place.room.answer = never
    place.alice.says(place.alice.dm, "", files=uploads)
    await place.room.wait_for(lambda: place.room.heard)
    await place.room.close()
    (item,) = place.room.inbox.items.values()
    return item


class another_room:
    """The next process, with the same inbox."""

    def __init__(self, place: Place, clock: FakeClock | None = None) -> None:
        self._room = Room(place.server, place.room.inbox, clock)

    async def __aenter__(self) -> Room:
        self._room.start()
        await self._room.wait_for(lambda: "connected" in self._room.states)
        return self._room

    async def __aexit__(self, *_: object) -> None:
        await self._room.close()


class TestTrouble:
    @pytest.fixture
    async def stood(self, place: Place) -> AsyncIterator[tuple[Inbound, FakeClock]]:
        """A message with a file, read by a platform whose clock stands still."""
        item = await left_unanswered(place, Upload("a.txt", b"a"))
        clock = FakeClock(jumps=False)
        async with another_room(place, clock) as room:
            inbound = room.platform.read(item.update)
            assert inbound is not None
            yield inbound, clock

    @pytest.mark.parametrize(
        ("status", "problem"),
        [
            pytest.param(302, "could not be fetched, Discord's file server answers with status 302", id="redirected"),
            pytest.param(415, "could not be fetched, Discord's file server answers with status 415", id="refused"),
            pytest.param(429, "could not be fetched, Discord asks to wait 31 s", id="a long wait"),
        ],
    )
    async def test_a_refusal_is_a_sentence(self, place: Place, status: int, problem: str) -> None:
        heard = await sent(place, Upload("a.txt", b"a"))
        place.server.cdn.redirect = f"{place.server.api_base_url}/users/@me"
        place.server.fail("GET", "/cdn/", status, retry_after=31)
        (file,) = await fetched(heard)
        assert file.problem == f"a.txt: {problem}."
        assert len(downloads(place)) == 1
        assert len(place.server.sent("GET", "/users/@me")) == 1, "the login's own"

    async def test_a_wait_that_is_asked_for_is_kept(self, place: Place, stood: tuple[Inbound, FakeClock]) -> None:
        inbound, clock = stood
        place.server.fail("GET", "/cdn/", 429, retry_after=7)
        fetching = asyncio.create_task(fetched(inbound))
        await place.room.wait_for(lambda: 7 in clock.slept)
        clock.set(clock.now() + 7 * SECOND)
        assert (await fetching)[0].data == b"a"

    async def test_an_outage_is_told_after_three_tries(self, place: Place, stood: tuple[Inbound, FakeClock]) -> None:
        inbound, clock = stood
        place.server.fail("GET", "/cdn/", 503, times=3)
        fetching = asyncio.create_task(fetched(inbound))
        while not fetching.done():
            clock.set(clock.now() + SECOND)
            await asyncio.sleep(0.01)
        (file,) = await fetching
        assert file.problem == "a.txt: could not be fetched, Discord's file server is out of order (503)."
        assert len(downloads(place)) == 3
