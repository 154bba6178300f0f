"""Albums that are brought part by part: one message, nothing lost and nothing twice, whenever the process is killed."""

import asyncio
from collections.abc import AsyncIterator, Iterator, Sequence
from datetime import timedelta
from typing import Any

import pytest

from adapters.telegram.webhook import LOOK_SECONDS
from core.errors import StorageError
from core.ports import Update
from tests.adapters.telegram_hook_stage import HookStage, written
from tests.fakes.inbox import FakeInbox
from tests.fakes.pictures import JPEG, PNG
from tests.fakes.telegram_files import photo
from tests.fakes.telegram_server import TelegramServer

LOOK = timedelta(seconds=LOOK_SECONDS)


@pytest.fixture
def server() -> Iterator[TelegramServer]:
    with TelegramServer() as running:
        yield running


@pytest.fixture
async def stage(server: TelegramServer) -> AsyncIterator[HookStage]:
    async with HookStage(server) as running:
        await running.connected()
        yield running


class TestAlbums:
    async def test_parts_that_come_one_by_one_are_one_message(self, stage: HookStage) -> None:
        ada, group = stage.server.person(1001), stage.server.group()
        shown = ada.sends_album(group, photo(JPEG), photo(PNG), caption="@Our_Bot compare")
        item = await settled(stage)
        inbound = stage.platform.read(item.update)
        assert inbound is not None
        assert (inbound.text, inbound.mentioned) == ("compare", True)
        assert inbound.files is not None
        assert [file.data for file in await inbound.files()] == [JPEG, PNG]
        assert item.update.payload["message"]["message_id"] == shown[0].id
        await stage.until(lambda: not stage.server.world.updates)
        assert {one.status for one in stage.server.hook.posted} == {200}
        assert (len(stage.own), stage.aside) == (1, [])

    async def test_parts_that_come_at_the_same_time_are_in_their_order(self, stage: HookStage) -> None:
        numbers = [14, 11, 13, 12]
        bodies = [written(n, f"part {n}", media_group_id="5") for n in numbers]
        answers = await asyncio.gather(*(stage.posts(body) for body in bodies))
        assert {answer.status for answer in answers} == {200}
        item = await settled(stage)
        assert item.update.key == "11"
        texts = [message["text"] for message in item.update.payload["album"]]
        assert (item.update.payload["message"]["text"], texts) == ("part 11", ["part 12", "part 13", "part 14"])
        assert (await stage.posts(bodies[0])).status == 200
        assert (len(stage.own), stage.aside) == (1, [])

    async def test_ten_parts_are_not_waited_for(self, stage: HookStage) -> None:
        ada = stage.server.person(1001)
        ada.sends_album(stage.server.private(ada), *(photo(JPEG) for _ in range(10)))
        item = await stage.next()
        assert len(item.update.payload["album"]) == 9

    async def test_what_follows_in_the_chat_comes_after_it_and_other_chats_do_not_wait(self, stage: HookStage) -> None:
        ada, bob = stage.server.person(1001), stage.server.person(1002)
        ada.sends_album(stage.server.private(ada), photo(JPEG), photo(PNG), caption="one")
        await stage.until(lambda: not stage.server.world.updates)
        ada.says(stage.server.private(ada), "two")
        await stage.until(lambda: not stage.server.world.updates)
        assert stage.taken.empty()
        item = await stage.hears(bob, stage.server.private(bob), "of bob")
        assert item.update.payload["message"]["text"] == "of bob"
        first, second = await settled(stage), await stage.next()
        assert first.update.payload["message"]["caption"] == "one"
        assert second.update.payload["message"]["text"] == "two"
        assert stage.aside == []

    async def test_one_that_a_killed_process_was_waiting_for_is_not_lost(self, server: TelegramServer) -> None:
        ada = server.person(1001)
        async with HookStage(server) as killed:
            await killed.connected()
            ada.sends_album(server.private(ada), photo(JPEG), photo(PNG), caption="do not lose me")
            await killed.until(lambda: not server.world.updates)
            assert (killed.own, len(killed.aside)) == ([], 2)
        async with HookStage(server, killed.stored, killed.port) as stage:
            item = await stage.next()
            assert item.update.payload["message"]["caption"] == "do not lose me"
            assert len(item.update.payload["album"]) == 1
            await stage.connected()
            assert (len(stage.own), stage.aside) == (1, [])

    @pytest.mark.parametrize("forgotten", [0, 1, 2])
    async def test_a_kill_while_it_is_forgotten_aside_takes_nothing_twice(
        self, server: TelegramServer, forgotten: int
    ) -> None:
        """The kill comes after so many of its parts were forgotten."""

        class Dying(FakeInbox):
            left = forgotten

            async def done(self, item: int) -> None:
                if self.left == 0:
                    reached.set()
                    await asyncio.Event().wait()
                self.left -= 1
                await super().done(item)

        reached = asyncio.Event()
        inbox = Dying()
        async with HookStage(server, inbox) as killed:
            await killed.connected()
            ada = server.person(1001)
            ada.sends_album(server.private(ada), photo(JPEG), photo(JPEG), photo(PNG))
            await killed.until(lambda: not server.world.updates)
            await settled(killed)
            await asyncio.wait_for(reached.wait(), 10)
        inbox.left = 1000
        async with HookStage(server, inbox, killed.port) as stage:
            await stage.connected()
            assert (stage.taken.qsize(), len(stage.own), stage.aside) == (0, 1, [])

    async def test_a_late_part_is_a_message_of_its_own(self, stage: HookStage) -> None:
        ada = stage.server.person(1001)
        chat = stage.server.private(ada)
        ada.sends(chat, photo(JPEG), "first", album="7")
        assert "album" not in (await settled(stage)).update.payload
        ada.sends(chat, photo(PNG), "late", album="7")
        assert (await settled(stage)).update.payload["message"]["caption"] == "late"

    async def test_no_secret_is_stored_while_it_waits(self, server: TelegramServer) -> None:
        async with HookStage(server, known="our-own-known-credential") as stage:
            await stage.connected()
            ada = server.person(1001)
            chat = server.private(ada)
            ada.sends(chat, photo(JPEG), "harmless", album="7")
            ada.sends(chat, photo(JPEG), "our-own-known-credential", album="7")
            await stage.until(lambda: not server.world.updates)
            assert "our-own-known-credential" not in repr(stage.stored.items)
            item = await settled(stage)
            inbound = stage.platform.read(item.update)
            assert inbound is not None
            assert inbound.has_secret

    async def test_a_database_that_is_away_meanwhile_is_waited_out(self, server: TelegramServer) -> None:
        stage = HookStage(server)
        store, failures = stage.accept, [StorageError("storage", "The disk is full.") for _ in range(2)]

        async def fails(updates: Sequence[Update]) -> None:
            if failures:
                raise failures.pop()
            await store(updates)

        stage.accept = fails  # type: ignore[method-assign]
        async with stage:
            await stage.connected()
            ada = server.person(1001)
            ada.sends_album(server.private(ada), photo(JPEG), photo(PNG))
            await stage.until(lambda: not server.world.updates)
            item = await settled(stage)
            assert len(item.update.payload["album"]) == 1
            assert (failures, len(stage.own)) == ([], 1)


async def settled(stage: HookStage) -> Any:
    """The next item, however long an album is waited for."""
    waiting = asyncio.create_task(stage.next())
    while not waiting.done():
        stage.clock.advance(timedelta(seconds=1))
        await asyncio.sleep(0.02)
    return waiting.result()
