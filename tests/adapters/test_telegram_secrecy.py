"""The token stays where it belongs: in the request, and nowhere else."""

import asyncio
import logging
import traceback
from collections.abc import Callable, Iterator

import pytest
from telegram.error import TelegramError

from adapters.telegram.client import TelegramPlatform
from core.auth.secret import Secret
from core.errors import ConfigError
from tests.adapters.telegram_stage import FakeInbox, Stage, text
from tests.fakes.clock import FakeClock
from tests.fakes.telegram_server import TOKEN, TelegramServer

CANARY = TOKEN.partition(":")[2]


@pytest.fixture
def turn_up() -> Iterator[Callable[[], None]]:
    """Puts every logger that there is at DEBUG, whatever was set on it; afterwards all is as before."""
    before: dict[str, int] = {}

    def turn_all_up() -> None:
        for name in ["", *logging.root.manager.loggerDict, "telegram.Bot", "httpcore.connection", "httpcore.http11"]:
            before.setdefault(name, logging.getLogger(name).level)
            logging.getLogger(name).setLevel(logging.DEBUG)

    yield turn_all_up
    for name, level in before.items():
        logging.getLogger(name).setLevel(level)


async def test_no_log_line_shows_the_token_at_debug(
    turn_up: Callable[[], None], caplog: pytest.LogCaptureFixture
) -> None:
    with TelegramServer() as server:
        ada = server.person(1001)
        chat = server.private(ada)
        stage = Stage(server)
        turn_up()
        async with stage:
            item = await stage.hears(ada, chat, "hello")
            server.fail("sendMessage", 502, "Bad Gateway")
            answer = asyncio.create_task(stage.answer(item, text("a b")))
            await stage.clock.asked(1)
            answer.cancel()
            await asyncio.gather(answer, return_exceptions=True)
            server.drop("getUpdates", after=False)
            ada.says(chat, "makes the running poll return")
            await stage.clock.asked(2)
    lines = [f"{record.name} {record.getMessage()} {record.exc_text}" for record in caplog.records]
    assert any("HTTP Request" in line for line in lines), "httpx was not turned up"
    assert [line for line in lines if CANARY in line or TOKEN in line] == []


async def test_the_libraries_are_quiet_at_the_level_that_operators_use(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    with TelegramServer() as server:
        ada = server.person(1001)
        async with Stage(server) as stage:
            await stage.answer(await stage.hears(ada, server.private(ada), "a secret of Ada's"), text("for Ada alone"))
    lines = [
        record.getMessage() for record in caplog.records if record.name.startswith(("httpx", "httpcore", "telegram"))
    ]
    assert lines == []
    assert "Ada" not in caplog.text


async def test_no_error_and_no_repr_shows_the_token() -> None:
    with TelegramServer() as server:
        stage = Stage(server)
        server.revoke()
        with pytest.raises(ConfigError) as caught:
            await asyncio.wait_for(stage.platform.run(stage.accept, stage.states.append), 10)
        await stage.stop()
    told = "".join(traceback.TracebackException.from_exception(caught.value, capture_locals=True).format())
    assert CANARY not in told
    assert CANARY not in repr(vars(stage.platform))


async def test_a_broken_connection_leaves_no_url_in_the_chain_of_errors() -> None:
    with TelegramServer() as gone:
        stage = Stage(gone)
    bot = stage.platform._bot
    with pytest.raises(TelegramError) as caught:
        await bot.get_me()
    told = "".join(traceback.TracebackException.from_exception(caught.value, capture_locals=True).format())
    assert (caught.value.__cause__, caught.value.__context__) == (None, None)
    await stage.stop()
    assert "no connection to Telegram" in told
    assert CANARY not in told


@pytest.mark.parametrize(
    ("token", "url", "setting"),
    [
        pytest.param("", "https://api.telegram.org", "channels.telegram.token", id="no token"),
        pytest.param("1:a/../../x", "https://api.telegram.org", "channels.telegram.token", id="a path for a token"),
        pytest.param("1:a\n", "https://api.telegram.org", "channels.telegram.token", id="line end"),
        pytest.param("1:a", "api.telegram.org", "channels.telegram.api_base_url", id="no scheme"),
        pytest.param("1:a", "file:///etc", "channels.telegram.api_base_url", id="other scheme"),
        pytest.param("1:a", "", "channels.telegram.api_base_url", id="no url"),
    ],
)
def test_a_setting_that_cannot_be_meant_is_refused_by_its_name(token: str, url: str, setting: str) -> None:
    with pytest.raises(ConfigError) as caught:
        TelegramPlatform(
            Secret(token),
            api_base_url=url,
            agent="main",
            dm_scope="main",
            inbox=FakeInbox(),
            clock=FakeClock(),
            commands=(),
        )
    assert caught.value.path == setting
