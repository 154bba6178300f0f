"""The command menu: the same for everybody, set only where it differs, and never in the way of the bot."""

from collections.abc import Iterator

import pytest

from tests.adapters.telegram_stage import MENU, Stage
from tests.fakes.telegram_server import TelegramServer

SCOPES = ["default", "all_private_chats", "all_group_chats"]
WANTED = [{"command": name, "description": summary} for name, summary in MENU]


@pytest.fixture
def server() -> Iterator[TelegramServer]:
    with TelegramServer() as running:
        yield running


async def started(server: TelegramServer) -> None:
    """A bot connects, and ends again."""
    polls = len(server.called("getUpdates"))
    async with Stage(server):
        await server.wait_for(lambda: len(server.called("getUpdates")) >= polls + 2)


async def test_everybody_is_offered_the_commands_in_private_and_in_groups(server: TelegramServer) -> None:
    await started(server)
    assert server.world.menus == dict.fromkeys(SCOPES, WANTED)


async def test_a_menu_that_is_right_is_not_set_again_and_one_that_is_not_is(server: TelegramServer) -> None:
    await started(server)
    server.world.menus["all_group_chats"] = WANTED[:1]
    before = len(server.called("setMyCommands"))
    await started(server)
    assert [call.params["scope"]["type"] for call in server.called("setMyCommands")[before:]] == ["all_group_chats"]
    assert server.world.menus == dict.fromkeys(SCOPES, WANTED)


async def test_a_server_that_does_not_tell_its_menu_is_set_one(server: TelegramServer) -> None:
    server.without("getMyCommands")
    await started(server)
    assert server.world.menus == dict.fromkeys(SCOPES, WANTED)


@pytest.mark.parametrize(
    ("code", "description"),
    [
        pytest.param(400, "Bad Request: BOT_COMMAND_INVALID", id="refused"),
        pytest.param(404, "Not Found", id="a server without menus"),
        pytest.param(429, "Too Many Requests: retry after 900", id="flood control"),
    ],
)
async def test_a_menu_that_cannot_be_set_does_not_stop_the_bot(
    server: TelegramServer, code: int, description: str, caplog: pytest.LogCaptureFixture
) -> None:
    server.fail("setMyCommands", code, description, times=3)
    ada = server.person(1001)
    async with Stage(server) as stage:
        await stage.hears(ada, server.private(ada), "hello")
        assert stage.states == ["connected"]
    assert len([record for record in caplog.records if "commands work all the same" in record.message]) == 3


async def test_an_outage_while_the_menu_is_set_is_waited_out_and_the_menu_set_then(server: TelegramServer) -> None:
    server.fail("setMyCommands", 502, "Bad Gateway")
    stage = Stage(server)
    stage.clock.jumps = True
    async with stage:
        await server.wait_for(lambda: len(server.called("getUpdates")) == 2)
    assert server.world.menus == dict.fromkeys(SCOPES, WANTED)
