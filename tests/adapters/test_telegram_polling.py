"""Reading updates over real long polling: nothing is lost, nothing is taken twice, every trouble is waited out."""

import asyncio
import itertools
from collections.abc import AsyncIterator, Iterator, Sequence
from datetime import timedelta
from typing import Any

import pytest

from core.auth.secret import Secret
from core.errors import ConfigError, StorageError
from core.ports import Update
from tests.adapters.telegram_stage import Stage
from tests.fakes.telegram_calls import Call
from tests.fakes.telegram_limits import ApiError
from tests.fakes.telegram_server import TOKEN, TelegramServer

LONG = timedelta(minutes=1)


@pytest.fixture
def server() -> Iterator[TelegramServer]:
    with TelegramServer() as running:
        yield running


@pytest.fixture
async def stage(server: TelegramServer) -> AsyncIterator[Stage]:
    async with Stage(server) as running:
        yield running


async def test_connecting_sets_the_menu_removes_a_webhook_and_tells_when_polling_works(
    server: TelegramServer,
) -> None:
    server.webhook = "https://elsewhere.example"
    async with Stage(server) as stage:
        await server.wait_for(lambda: len(server.called("getUpdates")) == 2)
        assert server.webhook == ""
        assert [row["command"] for row in server.world.menu] == ["model", "new"]
        assert stage.states == ["connected"]
        assert [call.params["timeout"] for call in server.called("getUpdates")] == ["0", "30"]
        wanted = ["message", "edited_message", "callback_query", "my_chat_member"]
        assert server.called("getUpdates")[0].params["allowed_updates"] == wanted


async def test_an_update_is_stored_as_it_came_in_the_lane_of_its_session(stage: Stage) -> None:
    ada = stage.server.person(1001)
    item = await stage.hears(ada, stage.server.private(ada), "hello")
    raw = stage.server.world.updates[0]
    assert item.update.key == str(raw["update_id"])
    assert item.update.payload["message"]["text"] == "hello"
    assert item.update.payload["received_by"] == {"id": 777000777, "username": "Our_Bot"}
    assert (item.update.platform, item.update.account) == ("telegram", "default")
    assert item.update.lane == "agent:main:telegram:default:direct:1001"


async def test_the_next_offset_is_asked_for_only_after_the_commit(server: TelegramServer) -> None:
    ada = server.person(1001)
    stage = Stage(server)
    committing, committed = asyncio.Event(), asyncio.Event()
    store = stage.accept

    async def slow(updates: Sequence[Update]) -> None:
        committing.set()
        await committed.wait()
        await store(updates)

    stage.accept = slow  # type: ignore[method-assign]
    async with stage:
        ada.says(server.private(ada), "hello")
        await asyncio.wait_for(committing.wait(), 10)
        asked = len(server.called("getUpdates"))
        assert [update["message"]["text"] for update in server.world.updates] == ["hello"]
        committed.set()
        await server.wait_for(lambda: len(server.called("getUpdates")) > asked and not server.world.updates)
        assert stage.taken.qsize() == 1


async def test_an_update_whose_commit_was_cut_off_comes_again_to_the_next_process(server: TelegramServer) -> None:
    ada = server.person(1001)
    killed = Stage(server)
    reached = asyncio.Event()

    async def dies(updates: Sequence[Update]) -> None:
        reached.set()
        await asyncio.Event().wait()

    killed.accept = dies  # type: ignore[method-assign]
    async with killed:
        ada.says(server.private(ada), "do not lose me")
        await asyncio.wait_for(reached.wait(), 10)
    async with Stage(server, killed.inbox) as next_one:
        item = await asyncio.wait_for(next_one.taken.get(), 10)
        assert item.update.payload["message"]["text"] == "do not lose me"


async def test_an_update_committed_but_not_confirmed_is_taken_once(server: TelegramServer) -> None:
    ada = server.person(1001)
    chat = server.private(ada)
    killed = Stage(server)
    store = killed.accept
    reached = asyncio.Event()

    async def dies_after(updates: Sequence[Update]) -> None:
        await store(updates)
        reached.set()
        await asyncio.Event().wait()

    killed.accept = dies_after  # type: ignore[method-assign]
    async with killed:
        ada.says(chat, "once")
        await asyncio.wait_for(reached.wait(), 10)
    async with Stage(server, killed.inbox) as next_one:
        item = await next_one.hears(ada, chat, "and another")
        assert item.update.payload["message"]["text"] == "and another"
        assert len(next_one.inbox.items) == 2


async def test_updates_that_cannot_be_stored_are_kept_and_tried_again_with_growing_patience(
    server: TelegramServer,
) -> None:
    ada = server.person(1001)
    stage = Stage(server)
    store = stage.accept
    failures = [StorageError("storage", "The disk is full.") for _ in range(6)]

    async def fails(updates: Sequence[Update]) -> None:
        if failures:
            raise failures.pop()
        await store(updates)

    stage.accept = fails  # type: ignore[method-assign]
    async with stage:
        await stage.until(lambda: len(server.called("getUpdates")) == 2)
        ada.says(server.private(ada), "hello")
        for times in range(1, 7):
            await stage.clock.asked(times)
            stage.clock.advance(LONG)
        item = await asyncio.wait_for(stage.taken.get(), 10)
        assert item.update.payload["message"]["text"] == "hello"
        await stage.until(lambda: len(server.called("getUpdates")) == 3)
        bounds = [0.5 * 2**number for number in range(6)]
        assert all(0 <= wait <= bound for wait, bound in zip(stage.clock.slept, bounds, strict=True))
        assert len(server.called("getMe")) == 1
        assert stage.states == [
            "connected",
            "disconnected: updates could not be stored: The disk is full.",
            "connected",
        ]


async def test_connected_is_told_only_when_the_first_updates_are_stored(server: TelegramServer) -> None:
    ada = server.person(1001)
    ada.says(server.private(ada), "hello")
    stage = Stage(server)
    committed = asyncio.Event()
    reached = asyncio.Event()

    async def slow(updates: Sequence[Update]) -> None:
        reached.set()
        await committed.wait()

    stage.accept = slow  # type: ignore[method-assign]
    async with stage:
        await asyncio.wait_for(reached.wait(), 10)
        assert stage.states == []
        committed.set()
        await stage.until(lambda: len(server.called("getUpdates")) == 2)
        assert stage.states == ["connected"]


async def test_many_updates_come_in_their_order(stage: Stage) -> None:
    ada = stage.server.person(1001)
    chat = stage.server.private(ada)
    for number in range(250):
        ada.says(chat, f"n{number}")
    taken = [await asyncio.wait_for(stage.taken.get(), 10) for _ in range(250)]
    assert [item.update.payload["message"]["text"] for item in taken] == [f"n{number}" for number in range(250)]


async def test_an_update_of_an_unknown_shape_does_not_hold_up_the_others(stage: Stage) -> None:
    ada = stage.server.person(1001)
    stage.server.world.queue("message", {"chat": "odd", "from": 7, "date": "never", "entities": {"a": 1}})
    item = await stage.hears(ada, stage.server.private(ada), "hello")
    assert stage.platform.read(item.update) is None
    item = await asyncio.wait_for(stage.taken.get(), 10)
    assert item.update.payload["message"]["text"] == "hello"


@pytest.mark.parametrize(
    ("code", "description", "parameters", "state"),
    [
        pytest.param(502, "Bad Gateway", {}, "disconnected: Telegram is out of order (502)", id="5xx"),
        pytest.param(
            429,
            "Too Many Requests",
            {"retry_after": 30},
            "disconnected: Telegram asks to wait 30 s",
            id="flood control",
        ),
        pytest.param(400, "Bad Request: odd", {}, "disconnected: Odd", id="an odd refusal"),
    ],
)
async def test_trouble_is_told_and_waited_out(
    stage: Stage, code: int, description: str, parameters: dict[str, int], state: str
) -> None:
    ada = stage.server.person(1001)
    # The poll that is to fail is under way: a failure of the next one would come before the message.
    await stage.until(lambda: len(stage.server.called("getUpdates")) == 2)
    stage.server.fail("getUpdates", code, description, **parameters)
    await stage.hears(ada, stage.server.private(ada), "makes the running poll return")
    await stage.clock.asked(1)
    assert stage.states == ["connected", state]
    if parameters:
        assert stage.clock.slept == [30]
    stage.clock.advance(LONG)
    item = await stage.hears(ada, stage.server.private(ada), "again")
    assert item.update.payload["message"]["text"] == "again"
    assert stage.states == ["connected", state, "connected"]


class NoLongPolls(TelegramServer):
    """Answers at once, and refuses to wait while `error` is set."""

    error: ApiError | None = None

    async def _answer(self, call: Call) -> Any:
        if self.error is not None and call.method == "getupdates" and call.params.get("timeout") not in (None, "0"):
            raise self.error
        return await super()._answer(call)


@pytest.mark.parametrize(
    ("error", "state"),
    [
        pytest.param(
            ApiError(409, "Conflict: terminated by other getUpdates request"),
            "another process polls Telegram",
            id="two gateways with one token",
        ),
        pytest.param(ApiError(502, "Bad Gateway"), "Telegram is out of order (502)", id="5xx"),
    ],
)
async def test_a_server_that_breaks_every_poll_that_waits_is_said_once_and_tried_less_and_less(
    error: ApiError, state: str
) -> None:
    with NoLongPolls() as server:
        server.error = error
        ada = server.person(1001)
        async with Stage(server) as stage:
            for times in range(1, 12):
                await stage.clock.asked(times)
                if times == 11:
                    server.error = None
                stage.clock.advance(LONG)
            assert max(stage.clock.slept) > 0.5, "the answers to questions that do not wait end no patience"
            assert len(stage.states) == 2
            assert stage.states[0] == "connected"
            assert stage.states[1].startswith(f"disconnected: {state}")
            await stage.hears(ada, server.private(ada), "hello")
            assert stage.states[2:] == ["connected"]


async def test_floods_are_said_once_however_long_each_is(stage: Stage) -> None:
    ada = stage.server.person(1001)
    await stage.until(lambda: len(stage.server.called("getUpdates")) == 2)
    for seconds in (31, 32, 33):
        stage.server.flood("getUpdates", seconds)
    await stage.hears(ada, stage.server.private(ada), "makes the running poll return")
    for times in range(1, 4):
        await stage.clock.asked(times)
        stage.clock.advance(LONG)
    await stage.hears(ada, stage.server.private(ada), "hello")
    assert stage.clock.slept == [31, 32, 33]
    assert stage.states == ["connected", "disconnected: Telegram asks to wait 31 s", "connected"]


async def test_a_connection_cut_in_the_middle_of_a_poll_loses_nothing(stage: Stage) -> None:
    ada = stage.server.person(1001)
    await stage.until(lambda: len(stage.server.called("getUpdates")) == 2)
    stage.server.drop("getUpdates", after=True)
    ada.says(stage.server.private(ada), "the answer with this was lost")
    await stage.clock.asked(1)
    assert stage.states[-1].startswith("disconnected: no answer from Telegram (")
    stage.clock.advance(LONG)
    item = await asyncio.wait_for(stage.taken.get(), 10)
    assert item.update.payload["message"]["text"] == "the answer with this was lost"


async def test_an_outage_at_the_start_is_waited_out_with_growing_patience() -> None:
    with TelegramServer() as server:
        server.fail("getMe", 503, "Service Unavailable", times=6)
        async with Stage(server) as stage:
            for times in range(1, 7):
                await stage.clock.asked(times)
                stage.clock.advance(LONG)
            await stage.until(lambda: stage.states[-1:] == ["connected"])
            bounds = [0.5 * 2**number for number in range(6)]
            assert all(0 <= wait <= bound for wait, bound in zip(stage.clock.slept, bounds, strict=True))
            assert stage.states == ["disconnected: Telegram is out of order (503)", "connected"]


async def test_a_server_that_is_not_there_is_asked_again_and_again() -> None:
    with TelegramServer() as gone:
        stage = Stage(gone)
    async with stage:
        for times in (1, 2, 3):
            await stage.clock.asked(times)
            stage.clock.advance(LONG)
        assert stage.states == ["disconnected: no connection to Telegram (ConnectError)"]


async def test_another_process_with_the_same_token_is_named_as_the_cause(stage: Stage) -> None:
    ada = stage.server.person(1001)
    await stage.until(lambda: len(stage.server.called("getUpdates")) == 2)
    stage.server.steal_polling()
    await stage.clock.asked(1)
    assert "another process polls Telegram with the same token" in stage.states[-1]
    passing = asyncio.create_task(_every_wait_ends(stage))
    await stage.hears(ada, stage.server.private(ada), "ours again")
    await stage.until(lambda: stage.states[-1] == "connected")
    passing.cancel()


async def test_a_webhook_that_somebody_sets_meanwhile_is_removed(stage: Stage) -> None:
    ada = stage.server.person(1001)
    await stage.until(lambda: len(stage.server.called("getUpdates")) == 2)
    stage.server.webhook = "https://elsewhere.example"
    await stage.hears(ada, stage.server.private(ada), "makes the running poll return")
    passing = asyncio.create_task(_every_wait_ends(stage))
    await stage.hears(ada, stage.server.private(ada), "hello")
    passing.cancel()
    assert stage.server.webhook == ""


async def _every_wait_ends(stage: Stage) -> None:
    """However often it is refused before it may poll again."""
    for times in itertools.count(1):
        await stage.clock.asked(times)
        stage.clock.advance(LONG)


async def test_a_revoked_token_ends_polling_and_names_setting_and_remedy(server: TelegramServer) -> None:
    stage = Stage(server)
    server.revoke()
    with pytest.raises(ConfigError) as caught:
        await asyncio.wait_for(stage.platform.run(stage.accept, stage.states.append), 10)
    await stage.stop()
    assert caught.value.path == "channels.telegram.token"
    assert "BotFather" in caught.value.hint
    assert stage.states == [], "what ends it is told by whoever runs it"


OTHERS = "888000888:AAcanary-Token_of_another_bot00"
RENEWED = "777000777:AAcanary-Token_that_came_later00"


async def test_after_a_refusal_it_can_be_run_again_with_a_new_token_and_goes_on_where_it_was(
    server: TelegramServer,
) -> None:
    ada, stage = server.person(1001), Stage(server)
    chat = server.private(ada)
    async with stage:
        await stage.hears(ada, chat, "one")
        menus = len(server.called("setMyCommands"))
        server.revoke(RENEWED)
        with pytest.raises(ConfigError):
            await asyncio.wait_for(stage.ended(), 10)
        assert not stage.platform.take_token(Secret(TOKEN)), "it is the one that was refused"
        assert stage.platform.take_token(Secret(RENEWED))
        stage.begin()
        item = await stage.hears(ada, chat, "two")
        assert item.update.payload["message"]["text"] == "two"
        assert stage.states == ["connected", "connected"]
        offsets = [call.params.get("offset") for call in server.called("getUpdates")]
        assert offsets[0] is None
        assert None not in offsets[2:], "the updates are those of the same bot"
        assert len(server.called("setMyCommands")) == menus, "its menu is there"


async def test_another_bots_updates_are_numbered_anew_and_it_gets_a_menu(server: TelegramServer) -> None:
    ada, stage = server.person(1001), Stage(server)
    async with stage:
        await stage.hears(ada, server.private(ada), "one")
        await stage.until(lambda: server.called("getUpdates")[-1].params.get("offset"))
        await stage.stop_running()
        menus = dict(server.world.menus)
        server.world.menus.clear()
        server.revoke(OTHERS)
        assert stage.platform.take_token(Secret(OTHERS))
        stage.begin()
        await stage.until(lambda: server.called("getUpdates")[-1].params.get("offset") is None)
        assert server.world.menus == menus


async def test_a_text_that_is_no_token_is_refused_and_the_one_before_stays(stage: Stage) -> None:
    ada = stage.server.person(1001)
    for text in ("two words", "1:a/../getMe", ""):
        with pytest.raises(ConfigError, match=r"channels\.telegram\.token: This is not a bot token"):
            stage.platform.take_token(Secret(text))
    await stage.hears(ada, stage.server.private(ada), "hello")


async def test_a_refused_menu_does_not_stop_the_bot(server: TelegramServer) -> None:
    server.fail("setMyCommands", 400, "Bad Request: BOT_COMMAND_INVALID")
    ada = server.person(1001)
    async with Stage(server) as stage:
        await stage.hears(ada, server.private(ada), "hello")


async def test_cancelling_ends_a_waiting_poll_at_once(stage: Stage) -> None:
    await stage.until(lambda: len(stage.server.called("getUpdates")) == 2)
    async with asyncio.timeout(1):
        await stage.stop()
