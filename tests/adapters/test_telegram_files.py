"""What people send besides text: fetched from the Bot API when it is asked for, within limits, and never at the token's expense."""

import asyncio
import logging
import traceback
from collections.abc import AsyncIterator, Iterator, Sequence
from datetime import timedelta

import pytest

from core.attachments import FETCH_SECONDS, LARGEST_PICTURE, LARGEST_TEXT
from core.messages import File, Inbound
from core.ports import InboxItem, Update
from tests.adapters.telegram_stage import Stage
from tests.fakes.pictures import GIF, JPEG, PNG, WEBP
from tests.fakes.telegram_files import LARGEST_FOR_BOTS, Attached, document, other, photo, sticker
from tests.fakes.telegram_server import TOKEN, TelegramServer
from tests.fakes.telegram_world import Chat, Person

MOMENT = timedelta(seconds=0.6)
CANARY = TOKEN.partition(":")[2]


@pytest.fixture
def server() -> Iterator[TelegramServer]:
    with TelegramServer() as running:
        yield running


@pytest.fixture
async def stage(server: TelegramServer) -> AsyncIterator[Stage]:
    async with Stage(server) as running:
        yield running


@pytest.fixture
def ada(server: TelegramServer) -> Person:
    return server.person(1001)


@pytest.fixture
def chat(server: TelegramServer, ada: Person) -> Chat:
    return server.private(ada)


async def next_item(stage: Stage) -> InboxItem:
    return await asyncio.wait_for(stage.taken.get(), 10)


def read(stage: Stage, item: InboxItem) -> Inbound:
    inbound = stage.platform.read(item.update)
    assert inbound is not None
    return inbound


async def fetched(stage: Stage, item: InboxItem) -> tuple[File, ...]:
    files = read(stage, item).files
    assert files is not None
    async with asyncio.timeout(10):
        return await files()


async def sent(stage: Stage, ada: Person, chat: Chat, attached: Attached, caption: str = "") -> InboxItem:
    ada.sends(chat, attached, caption)
    return await next_item(stage)


async def test_a_photo_with_its_caption_is_fetched_only_when_it_is_asked_for(
    stage: Stage, ada: Person, chat: Chat
) -> None:
    item = await sent(stage, ada, chat, photo(JPEG), "what is this?")
    assert read(stage, item).text == "what is this?"
    assert stage.server.called("getFile") == []
    assert await fetched(stage, item) == (File("photo.jpg", "image/jpeg", JPEG),)
    assert [call.status for call in stage.server.called("file")] == [200]


async def test_a_photo_without_a_word_is_a_message(stage: Stage, ada: Person, chat: Chat) -> None:
    item = await sent(stage, ada, chat, photo(JPEG))
    assert read(stage, item).text == ""
    assert (await fetched(stage, item))[0].data == JPEG


async def test_of_a_photo_the_largest_size_within_the_limit_is_taken(stage: Stage, ada: Person, chat: Chat) -> None:
    item = await sent(stage, ada, chat, photo(JPEG, told_size=LARGEST_PICTURE + 1))
    assert await fetched(stage, item) == (File("photo.jpg", "image/jpeg", JPEG[:16]),)


@pytest.mark.parametrize(
    ("attached", "wanted"),
    [
        pytest.param(document(PNG, "a.png", "image/png"), File("a.png", "image/png", PNG), id="a picture"),
        pytest.param(document(GIF, "a.png", "image/png"), File("a.png", "image/gif", GIF), id="another picture"),
        pytest.param(document(WEBP, "w", None), File("w", "image/webp", WEBP), id="a picture of which nothing is said"),
        pytest.param(
            document(b"#!/bin/sh", "a.png", "image/png"),
            File(
                "a.png",
                "image/png",
                problem="a.png: no picture that can be read here (PNG, JPEG, GIF, WebP); it says image/png.",
            ),
            id="no picture",
        ),
        pytest.param(document(b"hi", "n.txt", "text/plain"), File("n.txt", "text/plain", b"hi"), id="text"),
        pytest.param(
            document(b"let x = 1", "x.ts", "video/mp2t"), File("x.ts", "text/plain", b"let x = 1"), id="typescript"
        ),
        pytest.param(document(b"k = 1", None), File("document", "application/octet-stream", b"k = 1"), id="no name"),
        pytest.param(document(b"hi", "n.txt", "text/plain", None), File("n.txt", "text/plain", b"hi"), id="no size"),
        pytest.param(sticker(WEBP), File("sticker.webp", "image/webp", WEBP), id="a sticker"),
    ],
)
async def test_a_document_is_what_its_bytes_say(
    stage: Stage, ada: Person, chat: Chat, attached: Attached, wanted: File
) -> None:
    assert await fetched(stage, await sent(stage, ada, chat, attached)) == (wanted,)


@pytest.mark.parametrize(
    ("attached", "problem"),
    [
        pytest.param(other("voice"), "A voice message cannot be read here.", id="voice"),
        pytest.param(other("video"), "A video cannot be read here.", id="video"),
        pytest.param(other("video_note"), "A video message cannot be read here.", id="video message"),
        pytest.param(other("audio"), "An audio file cannot be read here.", id="audio"),
        pytest.param(other("animation"), "An animation cannot be read here.", id="animation, a document too"),
        pytest.param(other("location"), "A location cannot be read here.", id="location"),
        pytest.param(other("contact"), "A contact cannot be read here.", id="contact"),
        pytest.param(other("poll"), "A poll cannot be read here.", id="poll"),
        pytest.param(sticker(b"", is_animated=True), "An animated sticker cannot be read here.", id="animated"),
        pytest.param(sticker(b"", is_video=True), "An animated sticker cannot be read here.", id="video sticker"),
        pytest.param(document(b"", "a.pdf", "application/pdf"), "a.pdf: a PDF cannot be read here.", id="pdf"),
        pytest.param(document(b"", "a.ogg", "audio/ogg"), "a.ogg: an audio file cannot be read here.", id="sound"),
        pytest.param(
            document(b"", "a.png", "image/png", LARGEST_PICTURE + 1),
            "a.png: larger than 5 MB, the limit for a picture.",
            id="a large picture",
        ),
        pytest.param(
            document(b"", "a.log", "text/plain", LARGEST_TEXT + 1),
            "a.log: larger than 512 KB, the limit for a text file.",
            id="a large text",
        ),
    ],
)
async def test_what_cannot_be_read_is_told_and_not_fetched(
    stage: Stage, ada: Person, chat: Chat, attached: Attached, problem: str
) -> None:
    (file,) = await fetched(stage, await sent(stage, ada, chat, attached, "and this?"))
    assert (file.problem, file.data) == (problem, b"")
    assert stage.server.called("getFile") == []


@pytest.mark.parametrize(
    ("attached", "problem"),
    [
        pytest.param(
            document(b"x" * (LARGEST_TEXT + 1), "a.log", "text/plain", None),
            "a.log: larger than 512 KB, the limit for a text file.",
            id="over the limit",
        ),
        pytest.param(
            document(PNG + bytes(LARGEST_PICTURE), "a.png", "image/png", 100),
            "a.png: larger than 5 MB, the limit for a picture.",
            id="larger than it was said to be",
        ),
        pytest.param(
            document(b"x" * (LARGEST_FOR_BOTS + 1), "a.log", "text/plain", None),
            "a.log: larger than what Telegram hands to a bot (20 MB).",
            id="refused by Telegram",
        ),
    ],
)
async def test_a_file_of_unknown_size_is_read_up_to_its_limit(
    stage: Stage, ada: Person, chat: Chat, attached: Attached, problem: str
) -> None:
    (file,) = await fetched(stage, await sent(stage, ada, chat, attached))
    assert (file.problem, file.data) == (problem, b"")


async def test_in_a_group_the_caption_names_the_bot_as_a_text_does(stage: Stage, ada: Person) -> None:
    group = stage.server.group()
    named = read(stage, await sent(stage, ada, group, photo(JPEG), "@Our_Bot look"))
    assert (named.text, named.mentioned, named.files is None) == ("look", True, False)
    plain = read(stage, await sent(stage, ada, group, photo(JPEG), "look"))
    assert (plain.text, plain.mentioned) == ("look", False)
    assert not read(stage, await sent(stage, ada, group, photo(JPEG))).mentioned
    assert read(stage, await sent(stage, ada, group, photo(JPEG), "@Our_Bot")).text == ""


class TestAlbums:
    async def test_its_parts_are_one_message(self, stage: Stage, ada: Person) -> None:
        group = stage.server.group()
        shown = ada.sends_album(group, photo(JPEG), photo(PNG), caption="@Our_Bot compare")
        await stage.clock.sleeping()
        assert stage.taken.empty()
        stage.clock.advance(MOMENT)
        item = await self.settled(stage)
        inbound = read(stage, item)
        assert (inbound.text, inbound.mentioned) == ("compare", True)
        assert await fetched(stage, item) == (
            File("photo.jpg", "image/jpeg", JPEG),
            File("photo 2.jpg", "image/png", PNG),
        )
        await stage.until(lambda: not stage.server.world.updates)
        assert (len(stage.inbox.items), stage.taken.qsize()) == (1, 0)
        await stage.answer(item)
        assert item.update.payload["message"]["message_id"] == shown[0].id

    async def settled(self, stage: Stage) -> InboxItem:
        """The next item, however often the album grows and is asked for again."""
        waiting = asyncio.create_task(next_item(stage))
        while not waiting.done():
            stage.clock.advance(MOMENT)
            await asyncio.sleep(0.01)
        return waiting.result()

    async def test_a_part_that_comes_a_moment_later_belongs_to_it(self, stage: Stage, ada: Person, chat: Chat) -> None:
        ada.sends(chat, photo(JPEG), album="7")
        await stage.clock.sleeping()
        ada.sends(chat, photo(JPEG), "the words are under the second one", album="7")
        item = await self.settled(stage)
        assert read(stage, item).text == "the words are under the second one"
        assert len(await fetched(stage, item)) == 2

    async def test_ten_parts_are_not_waited_for(self, stage: Stage, ada: Person, chat: Chat) -> None:
        ada.sends_album(chat, *(photo(JPEG) for _ in range(10)))
        assert len(await fetched(stage, await next_item(stage))) == 10
        assert 0.5 not in stage.clock.slept

    async def test_other_chats_go_on_and_what_follows_in_the_same_chat_waits(
        self, stage: Stage, ada: Person, chat: Chat
    ) -> None:
        bob = stage.server.person(1002)
        ada.sends_album(chat, photo(JPEG), photo(JPEG), caption="one")
        await stage.clock.sleeping()
        ada.says(chat, "two")
        bob.says(stage.server.private(bob), "of bob")
        texts = [read(stage, await self.settled(stage)).text for _ in range(3)]
        assert texts.index("one") < texts.index("two")
        assert sorted(texts) == ["of bob", "one", "two"]
        await stage.until(lambda: not stage.server.world.updates)
        assert len(stage.inbox.items) == 3

    async def test_one_that_a_killed_process_was_waiting_for_comes_whole_to_the_next(
        self, server: TelegramServer, ada: Person, chat: Chat
    ) -> None:
        async with Stage(server) as killed:
            ada.sends_album(chat, photo(JPEG), photo(PNG), caption="do not lose me")
            await killed.clock.sleeping()
            assert killed.inbox.items == {}
        async with Stage(server, killed.inbox) as stage:
            item = await self.settled(stage)
            assert read(stage, item).text == "do not lose me"
            assert len(await fetched(stage, item)) == 2

    async def test_one_that_was_committed_and_not_confirmed_is_taken_once(
        self, server: TelegramServer, ada: Person, chat: Chat
    ) -> None:
        killed = Stage(server)
        store, reached = killed.accept, asyncio.Event()

        async def dies_after(updates: Sequence[Update]) -> None:
            await store(updates)
            reached.set()
            await asyncio.Event().wait()

        killed.accept = dies_after  # type: ignore[method-assign]
        async with killed:
            ada.sends_album(chat, photo(JPEG), photo(PNG))
            await self.settled(killed)
            assert reached.is_set()
        async with Stage(server, killed.inbox) as stage:
            ada.says(chat, "and another")
            assert read(stage, await self.settled(stage)).text == "and another"
            assert len(stage.inbox.items) == 2

    async def test_the_eleventh_file_is_told_and_not_fetched(self, stage: Stage, ada: Person, chat: Chat) -> None:
        ada.sends_album(chat, *(photo(JPEG) for _ in range(10)))
        item = await next_item(stage)
        payload = dict(item.update.payload)
        payload["album"] = [*payload["album"], *payload["album"][:2]]
        inbound = stage.platform.read(
            Update(platform="telegram", account="default", key="9", lane="l", payload=payload)
        )
        assert inbound is not None
        assert inbound.files is not None
        files = await inbound.files()
        assert len(files) == 11
        assert files[10].problem == "Only the first 10 files of a message are read; 2 more were not."


class TestTrouble:
    async def test_a_flood_wait_is_kept(self, stage: Stage, ada: Person, chat: Chat) -> None:
        item = await sent(stage, ada, chat, photo(JPEG))
        stage.server.flood("getFile", 7)
        stage.server.flood("file", 3)
        fetching = asyncio.create_task(fetched(stage, item))
        for times, seconds in ((2, 7), (3, 3)):
            await stage.clock.asked(times)
            stage.clock.advance(timedelta(seconds=seconds))
        assert (await fetching)[0].data == JPEG
        assert stage.clock.slept == [FETCH_SECONDS, 7, 3]

    @pytest.mark.parametrize(
        ("method", "code", "told"),
        [
            pytest.param("file", 404, "Telegram does not hand it over: it answers with status 404", id="gone"),
            pytest.param("file", 302, "Telegram does not hand it over: it answers with status 302", id="redirected"),
            pytest.param("getFile", 400, "Telegram does not hand it over: ", id="refused"),
            pytest.param("getFile", 401, "could not be fetched, Telegram refuses the bot's token", id="revoked"),
            pytest.param("getFile", 429, "could not be fetched, Telegram asks to wait 31 s", id="a long flood wait"),
        ],
    )
    async def test_a_refusal_is_a_sentence(
        self, stage: Stage, ada: Person, chat: Chat, method: str, code: int, told: str
    ) -> None:
        item = await sent(stage, ada, chat, photo(JPEG))
        stage.server.redirect = f"{stage.server.url}/elsewhere"
        stage.server.fail(method, code, "Nothing of the kind", **({"retry_after": 31} if code == 429 else {}))
        (file,) = await fetched(stage, item)
        assert file.problem.startswith(f"photo.jpg: {told}")
        assert len(stage.server.called("file")) == (method == "file")

    async def test_a_lost_connection_is_tried_again_and_then_told(self, stage: Stage, ada: Person, chat: Chat) -> None:
        item = await sent(stage, ada, chat, photo(JPEG))
        stage.server.drop("file", after=False, times=3)
        fetching = asyncio.create_task(fetched(stage, item))
        for times in (2, 3):
            await stage.clock.asked(times)
            stage.clock.advance(timedelta(seconds=1))
        (file,) = await fetching
        assert file.problem.startswith("photo.jpg: could not be fetched, no answer from Telegram")
        assert len(stage.server.called("file")) == 3

    async def test_half_a_minute_is_all_that_the_files_of_a_message_get(
        self, stage: Stage, ada: Person, chat: Chat
    ) -> None:
        ada.sends_album(chat, *(photo(JPEG) for _ in range(10)))
        item = await next_item(stage)
        gate = stage.server.hold("file")
        fetching = asyncio.create_task(fetched(stage, item))
        await stage.until(lambda: gate.waiting == 4)
        stage.clock.advance(timedelta(seconds=FETCH_SECONDS))
        files = await fetching
        assert len(files) == 10
        assert {file.problem.partition(": ")[2] for file in files} == {"did not arrive within 30 s. Send it again."}
        assert gate.waiting == 4

    async def test_a_fetch_that_is_cancelled_leaves_nothing_behind(self, stage: Stage, ada: Person, chat: Chat) -> None:
        item = await sent(stage, ada, chat, photo(JPEG))
        gate = stage.server.hold("file")
        before = asyncio.all_tasks()
        fetching = asyncio.create_task(fetched(stage, item))
        await stage.until(lambda: gate.waiting == 1)
        fetching.cancel()
        with pytest.raises(asyncio.CancelledError):
            await fetching
        assert asyncio.all_tasks() <= before

    async def test_after_a_restart_the_same_update_fetches_again(
        self, server: TelegramServer, ada: Person, chat: Chat
    ) -> None:
        async with Stage(server) as first:
            item = await sent(first, ada, chat, photo(JPEG), "look")
            assert (await fetched(first, item))[0].data == JPEG
        stage = Stage(server, first.inbox)
        (stored,) = await stage.inbox.unfinished("telegram", "default")
        assert (await fetched(stage, stored))[0].data == JPEG
        await stage.stop()

    async def test_a_server_in_local_mode_hands_nothing_over(self, stage: Stage, ada: Person, chat: Chat) -> None:
        item = await sent(stage, ada, chat, photo(JPEG))
        for kept in stage.server.world.files.by_id.values():
            kept.path = "/etc/hostname"
        (file,) = await fetched(stage, item)
        assert (file.data, "runs in local mode" in file.problem) == (b"", True)


async def test_the_token_is_in_no_log_and_no_problem_of_a_file(
    server: TelegramServer, ada: Person, chat: Chat, caplog: pytest.LogCaptureFixture
) -> None:
    stage = Stage(server)
    loud = ["", *logging.root.manager.loggerDict, "telegram.Bot", "httpcore.connection", "httpcore.http11"]
    before = {name: logging.getLogger(name).level for name in loud}
    told: list[str] = []
    try:
        for name in loud:
            logging.getLogger(name).setLevel(logging.DEBUG)
        async with stage:
            item = await sent(stage, ada, chat, photo(JPEG))
            told += [file.problem for file in await fetched(stage, item)]
            for code in (404, 401, 302):
                server.fail("file", code, "Not Found")
                told += [file.problem for file in await fetched(stage, item)]
            server.fail("getFile", 401, "Unauthorized")
            told += [file.problem for file in await fetched(stage, item)]
            told.append(repr(read(stage, item).files))
            server.drop("file", after=False)
            with pytest.raises(Exception, match="no answer") as caught:
                await stage.platform._calls.download("photos/file_2.jpg", 10)
            error = traceback.TracebackException.from_exception(caught.value, capture_locals=True)
            told.append("".join(error.format()))
    finally:
        for name, level in before.items():
            logging.getLogger(name).setLevel(level)
    lines = [f"{record.name} {record.getMessage()} {record.exc_text}" for record in caplog.records]
    assert any("/file/bot***/photos" in line for line in lines), "the download was not logged"
    assert [line for line in (*lines, *told) if CANARY in line] == []
