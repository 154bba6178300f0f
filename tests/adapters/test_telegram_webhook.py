"""Updates that are brought over real HTTP: the same as polling takes, nothing lost, nothing taken twice, strangers kept out."""

import asyncio
import logging
from collections.abc import AsyncIterator, Iterator, Sequence
from datetime import timedelta

import pytest

from adapters.telegram.webhook import ANSWER_SECONDS, LOOK_SECONDS
from core.auth.secret import Secret
from core.errors import ConfigError, StorageError
from core.ports import Update
from tests.adapters.telegram_hook_stage import SECRET, HookStage, written
from tests.adapters.telegram_stage import Stage
from tests.fakes.telegram_server import TOKEN, TelegramServer

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


async def test_connecting_sets_webhook_and_menu_and_never_polls(stage: HookStage) -> None:
    (call,) = stage.server.called("setWebhook")
    assert call.params["allowed_updates"] == ["message", "edited_message", "callback_query", "my_chat_member"]
    assert (call.params["url"], call.params["secret_token"]) == (stage.url, SECRET)
    assert call.params["drop_pending_updates"] == "false"
    assert [row["command"] for row in stage.server.world.menu] == ["model", "new"]
    await stage.hears(stage.server.person(1001), stage.server.private(stage.server.person(1001)), "hello")
    assert stage.states == ["connected"]
    assert stage.server.called("getUpdates") == []


async def test_an_update_is_stored_as_polling_stores_it(server: TelegramServer) -> None:
    ada = server.person(1001)
    stored = []
    for kind in (Stage, HookStage):
        async with kind(server) as stage:
            item = await stage.hears(ada, server.private(ada), "hello")
            stored.append(item.update)
            await stage.until(lambda: not server.world.updates)
    polled, brought = stored
    assert brought.payload["received_by"] == polled.payload["received_by"] == {"id": 777000777, "username": "Our_Bot"}
    assert (brought.platform, brought.account, brought.lane) == (polled.platform, polled.account, polled.lane)
    assert brought.payload.keys() == polled.payload.keys()
    assert brought.key == str(brought.payload["update_id"])


async def test_it_is_answered_only_when_it_is_stored(server: TelegramServer) -> None:
    stage = HookStage(server)
    store, storing, may_store = stage.accept, asyncio.Event(), asyncio.Event()

    async def slow(updates: Sequence[Update]) -> None:
        storing.set()
        await may_store.wait()
        await store(updates)

    stage.accept = slow  # type: ignore[method-assign]
    async with stage:
        await stage.connected()
        ada = server.person(1001)
        ada.says(server.private(ada), "hello")
        await asyncio.wait_for(storing.wait(), 10)
        assert (server.hook.posted, len(server.world.updates)) == ([], 1)
        may_store.set()
        await stage.until(lambda: not server.world.updates)
        assert [one.status for one in server.hook.posted] == [200]


async def test_what_cannot_be_stored_is_brought_again_and_taken_once(server: TelegramServer) -> None:
    stage = HookStage(server)
    store, failures = stage.accept, [StorageError("storage", "The database is locked.") for _ in range(3)]

    async def fails(updates: Sequence[Update]) -> None:
        if failures:
            raise failures.pop()
        await store(updates)

    stage.accept = fails  # type: ignore[method-assign]
    async with stage:
        await stage.connected()
        item = await stage.hears(server.person(1001), server.private(server.person(1001)), "hello")
        assert item.update.payload["message"]["text"] == "hello"
        await stage.until(lambda: not server.world.updates)
        assert [(one.status, one.again) for one in server.hook.posted] == [(503, "5")] * 3 + [(200, None)]
        told = "disconnected: updates could not be stored: The database is locked."
        assert stage.states == ["connected", told, "connected"]


async def test_one_that_takes_long_is_put_off_and_stored_once_all_the_same(server: TelegramServer) -> None:
    stage = HookStage(server)
    store, calls, may_store = stage.accept, [], asyncio.Event()

    async def slow(updates: Sequence[Update]) -> None:
        calls.append(updates)
        await may_store.wait()
        await store(updates)

    stage.accept = slow  # type: ignore[method-assign]
    async with stage:
        await stage.connected()
        server.person(1001).says(server.private(server.person(1001)), "hello")
        for times in (1, 2):
            while len(server.hook.posted) < times:
                stage.clock.advance(timedelta(seconds=ANSWER_SECONDS))
                await asyncio.sleep(0.01)
        assert {one.status for one in server.hook.posted} == {503}
        assert len(calls) == 1, "brought again, it waits for the same"
        may_store.set()
        await stage.next()
        await stage.until(lambda: not server.world.updates)
        assert (len(stage.own), stage.taken.empty()) == (1, True)


@pytest.mark.parametrize("is_stored", [pytest.param(False, id="before it is stored"), pytest.param(True, id="after")])
async def test_a_kill_before_the_answer_loses_nothing_and_takes_nothing_twice(
    server: TelegramServer, is_stored: bool
) -> None:
    ada = server.person(1001)
    killed = HookStage(server)
    store, reached = killed.accept, asyncio.Event()

    async def dies(updates: Sequence[Update]) -> None:
        if is_stored:
            await store(updates)
        reached.set()
        await asyncio.Event().wait()

    killed.accept = dies  # type: ignore[method-assign]
    async with killed:
        ada.says(server.private(ada), "once")
        await asyncio.wait_for(reached.wait(), 10)
    async with HookStage(server, killed.stored, killed.port) as stage:
        await stage.hears(ada, server.private(ada), "and another") if is_stored else await stage.next()
        await stage.until(lambda: is_stored or not server.world.updates)
        texts = [item.update.payload["message"]["text"] for item in stage.own]
        assert texts == (["once", "and another"] if is_stored else ["once"])


async def test_an_end_leaves_the_webhook_set_and_polling_takes_over_what_waits(server: TelegramServer) -> None:
    ada = server.person(1001)
    async with HookStage(server) as stage:
        await stage.connected()
    assert server.webhook == stage.url
    ada.says(server.private(ada), "meanwhile")
    async with Stage(server) as polling:
        item = await asyncio.wait_for(polling.taken.get(), 10)
        assert item.update.payload["message"]["text"] == "meanwhile"
        assert server.webhook == ""


class TestOddUpdates:
    @pytest.mark.parametrize(
        "body",
        [
            pytest.param(b"", id="nothing"),
            pytest.param(b"{", id="half of JSON"),
            pytest.param(b"\xff\xfe", id="no text"),
            pytest.param(b"[1]", id="a list"),
            pytest.param(b'{"update_id": "7"}', id="number as text"),
            pytest.param(b'{"update_id": true}', id="number that is none"),
            pytest.param(b"[" * 100_000, id="deep"),
            pytest.param(b'{"update_id": 9, "message": ' + b'{"a":' * 900 + b"1" + b"}" * 901, id="deep message"),
        ],
    )
    async def test_what_is_no_update_counts_as_taken_or_telegram_would_bring_it_for_ever(
        self, stage: HookStage, body: bytes
    ) -> None:
        assert (await stage.posts(body)).status == 200
        item = await stage.hears(stage.server.person(1001), stage.server.private(stage.server.person(1001)), "hello")
        while "text" not in item.update.payload["message"]:
            item = await stage.next()
        assert item.update.payload["message"]["text"] == "hello"

    async def test_the_log_says_it_once(self, stage: HookStage, caplog: pytest.LogCaptureFixture) -> None:
        for _ in range(3):
            await stage.posts(b"{")
        told = "Telegram has sent what is no update; it is left out. This is said once."
        assert [record.getMessage() for record in caplog.records] == [told]

    async def test_an_update_that_breaks_something_is_kept_by_telegram(self, server: TelegramServer) -> None:
        stage = HookStage(server)
        store, broken = stage.accept, [KeyError("a mistake of ours")]

        async def breaks(updates: Sequence[Update]) -> None:
            if broken:
                raise broken.pop()
            await store(updates)

        stage.accept = breaks  # type: ignore[method-assign]
        async with stage:
            await stage.connected()
            await stage.hears(server.person(1001), server.private(server.person(1001)), "hello")
            await stage.until(lambda: not server.world.updates)
            assert [one.status for one in server.hook.posted] == [500, 200]


async def test_membership_is_logged_and_nobody_is_answered(stage: HookStage, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO, "adapters.telegram"):
        stage.server.person(1001).blocks()
        await stage.until(lambda: not stage.server.world.updates)
    assert "telegram:1001 has blocked the bot." in caplog.text
    assert stage.own == []


class TestTelegramsSide:
    async def test_an_outage_at_the_start_is_waited_out_and_nothing_is_taken_before(
        self, server: TelegramServer
    ) -> None:
        server.fail("getMe", 503, "Service Unavailable", times=2)
        async with HookStage(server) as stage:
            await stage.clock.asked(1)
            answered = await stage.posts(written(7))
            assert (answered.status, answered.headers["Retry-After"]) == (503, "5")
            for times in (1, 2):
                await stage.clock.asked(times)
                stage.clock.advance(timedelta(minutes=1))
            await stage.connected()
            assert stage.states == ["disconnected: Telegram is out of order (503)", "connected"]
            assert (await stage.posts(written(7))).status == 200

    @pytest.mark.parametrize(
        ("url", "told"),
        [
            pytest.param("https://elsewhere.example/secret-path", "set to 'elsewhere.example'", id="set"),
            pytest.param("", "removed", id="removed"),
        ],
    )
    async def test_a_webhook_that_another_program_has_changed_is_set_again(
        self, stage: HookStage, url: str, told: str
    ) -> None:
        stage.server.webhook = url
        await stage.clock.sleeping()
        stage.clock.advance(LOOK)
        await stage.until(lambda: len(stage.states) == 3)
        assert stage.states[1] == (
            f"disconnected: another program with this bot's token has {told} the webhook; it is set again"
        )
        assert stage.states[2] == "connected"
        assert (stage.server.webhook, stage.server.hook.secret) == (stage.url, SECRET)
        await stage.hears(stage.server.person(1001), stage.server.private(stage.server.person(1001)), "ours again")

    async def test_what_keeps_telegram_out_is_told_and_over_with_the_next_delivery(self, stage: HookStage) -> None:
        hook = stage.server.hook
        hook.is_blocked = True
        ada = stage.server.person(1001)
        ada.says(stage.server.private(ada), "waits")
        await self._looks_after_error(stage, "Wrong response from the webhook: 502 Bad Gateway")
        where = f"127.0.0.1:{stage.port}"
        assert stage.states[1] == (
            f"disconnected: Telegram cannot reach {where}: 'Wrong response from the webhook: 502 Bad Gateway'"
        )
        # Another secret may have been set.
        await stage.until(lambda: len(stage.server.called("setWebhook")) == 2)
        hook.is_blocked = False
        stage.server.changed()
        await stage.next()
        await stage.until(lambda: len(stage.states) == 3)
        assert stage.states[2] == "connected"
        assert SECRET not in str(stage.states)

    async def test_an_error_that_is_old_is_over(self, stage: HookStage) -> None:
        stage.server.hook.is_blocked = True
        ada = stage.server.person(1001)
        ada.says(stage.server.private(ada), "waits")
        await self._looks_after_error(stage, "Connection timed out")
        for _ in range(3):
            await stage.clock.sleeping()
            stage.clock.advance(LOOK)
            seen = len(stage.server.called("getWebhookInfo"))
            await stage.until(
                lambda seen=seen: len(stage.server.called("getWebhookInfo")) > seen or len(stage.states) > 2
            )
        await stage.until(lambda: len(stage.states) == 3)
        assert stage.states[2] == "connected"

    async def _looks_after_error(self, stage: HookStage, reason: str) -> None:
        await stage.clock.sleeping()
        stage.clock.advance(LOOK)
        await stage.until(lambda: stage.server.called("getWebhookInfo"))
        await stage.clock.asked(2)
        stage.server.hook.error = int(stage.clock.now().timestamp()) + 1, reason
        stage.clock.advance(LOOK)
        await stage.until(lambda: len(stage.states) == 2)

    async def test_an_error_from_before_is_no_news(self, server: TelegramServer) -> None:
        async with HookStage(server) as stage:
            await stage.connected()
            server.hook.error = int(stage.clock.now().timestamp()) - 60, "Connection refused"
            server.hook.is_blocked = True
            server.person(1001).says(server.private(server.person(1001)), "waits")
            await stage.clock.sleeping()
            stage.clock.advance(LOOK)
            await stage.clock.asked(2)
            assert stage.states == ["connected"]

    async def test_a_url_that_telegram_does_not_take_is_named(self, server: TelegramServer) -> None:
        server.fail("setWebhook", 400, "Bad Request: bad webhook: Failed to resolve host: Name or service not known")
        async with HookStage(server) as stage:
            await stage.clock.asked(1)
            (told,) = stage.states
            assert told.startswith("disconnected: Telegram does not take channels.telegram.webhook.url: ")
            assert "resolve host" in told
            stage.clock.advance(timedelta(minutes=1))
            await stage.connected()

    async def test_a_revoked_token_ends_it_and_a_new_one_goes_on(self, stage: HookStage) -> None:
        renewed = "777000777:AAcanary-Token_that_came_later00"
        stage.server.revoke(renewed)
        await stage.clock.sleeping()
        stage.clock.advance(LOOK)
        with pytest.raises(ConfigError) as caught:
            await asyncio.wait_for(stage.ended(), 10)
        assert caught.value.path == "channels.telegram.token"
        assert stage.platform.take_token(Secret(renewed))
        ada = stage.server.person(1001)
        ada.says(stage.server.private(ada), "meanwhile")
        menus = len(stage.server.called("setMyCommands"))
        stage.begin()
        assert (await stage.next()).update.payload["message"]["text"] == "meanwhile"
        assert len(stage.server.called("setMyCommands")) == menus, "its menu is there"


async def test_no_log_line_shows_the_secret_or_the_token_at_debug(
    server: TelegramServer, caplog: pytest.LogCaptureFixture
) -> None:
    stage = HookStage(server)
    names = ["", *logging.root.manager.loggerDict, "telegram.Bot", "aiohttp.server", "aiohttp.access"]
    before = {name: logging.getLogger(name).level for name in names}
    for name in names:
        logging.getLogger(name).setLevel(logging.DEBUG)
    try:
        async with stage:
            await stage.connected()
            await stage.hears(server.person(1001), server.private(server.person(1001)), "hello")
            await stage.posts(b"{")
            await stage.posts(b"", secret="x")
    finally:
        for name, level in before.items():
            logging.getLogger(name).setLevel(level)
    lines = [f"{record.name} {record.getMessage()} {record.exc_text}" for record in caplog.records]
    assert any("setWebhook" in line for line in lines), "the library was not turned up"
    assert [line for line in lines if SECRET in line or TOKEN in line] == []
    assert SECRET not in repr(vars(stage.platform))
