"""The door of the webhook: who is let in, how long anybody may take, and where it is."""

import asyncio
import socket
from collections.abc import AsyncIterator, Iterator
from datetime import timedelta
from http import HTTPStatus
from typing import Any

import pytest

from adapters.telegram.webhook import LOOK_SECONDS
from adapters.telegram.webhook_http import Hook, listening
from core.auth.secret import Secret
from core.errors import ConfigError
from tests.adapters.telegram_hook_stage import SECRET, HookStage, free_port, written
from tests.fakes.telegram_server import TelegramServer
from tests.fakes.telegram_webhook import HEADER

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


class TestStrangers:
    @pytest.mark.parametrize(
        ("asked", "status"),
        [
            pytest.param({"secret": None}, 403, id="no secret"),
            pytest.param({"secret": SECRET[:-1]}, 403, id="wrong secret"),
            pytest.param({"secret": f"{SECRET}é"}, 403, id="secret that is not ASCII"),
            pytest.param({"path": "/telegram/"}, 404, id="another path"),
            pytest.param({"path": "/"}, 404, id="root"),
            pytest.param({"path": "/telegram?x=1"}, 404, id="query"),
            pytest.param({"method": "GET"}, 405, id="GET"),
            pytest.param({"method": "PUT"}, 405, id="PUT"),
        ],
    )
    async def test_they_get_a_bare_status_and_nothing_is_taken(
        self, stage: HookStage, asked: dict[str, Any], status: int
    ) -> None:
        answered = await stage.posts(written(7), **asked)
        assert (answered.status, answered.body) == (status, b"")
        assert "Server" not in answered.headers
        assert stage.own == []

    async def test_the_log_tells_of_them_once_and_not_what_they_sent(
        self, stage: HookStage, caplog: pytest.LogCaptureFixture
    ) -> None:
        for _ in range(3):
            await stage.posts(b"what strangers say", secret="guess")
            await stage.posts(b"x", path="/elsewhere")
            assert (await _raw(stage.port, b"no\x00thing like HTTP\r\n\r\n")).startswith((b"HTTP/1.", b""))
        lines = [record.getMessage() for record in caplog.records]
        assert len(lines) == 1
        assert HEADER in lines[0]
        assert "guess" not in caplog.text

    async def test_a_body_that_is_too_large_is_refused(self, stage: HookStage) -> None:
        answered = await stage.posts(written(7, "x" * 1024 * 1024))
        assert (answered.status, answered.body, stage.own) == (413, b"", [])
        assert (await stage.posts(written(8, "x" * 1000))).status == 200

    @pytest.mark.parametrize(
        ("head", "answer"),
        [
            pytest.param(
                f"POST /hook HTTP/1.1\r\nHost: h\r\n{HEADER}: {SECRET}\r\nContent-Length: 50\r\n\r\nhalf",
                b"HTTP/1.1 408",
                id="in the body",
            ),
            pytest.param("POST /hook HTTP/1.1\r\nHost: h\r\n", b"", id="in the head"),
            pytest.param("", b"", id="before a word"),
        ],
    )
    async def test_a_slow_client_is_cut_off(self, head: str, answer: bytes) -> None:
        async def take(body: bytes) -> HTTPStatus:
            raise AssertionError("nothing whole came")

        port = free_port()
        hook = Hook(url=f"http://127.0.0.1:{port}/hook", listen="127.0.0.1", port=port, secret=Secret(SECRET))
        async with listening(hook, take, body_seconds=0.2, idle_seconds=0.2):
            said = await _raw(port, head.encode())
            assert said.startswith(answer)
            assert bool(said) == bool(answer)


async def _raw(port: int, data: bytes) -> bytes:
    """All that comes back until the other side closes."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        writer.write(data)
        return await asyncio.wait_for(reader.read(), 20)
    finally:
        writer.close()


class TestListening:
    async def test_a_taken_port_is_named(self, server: TelegramServer) -> None:
        with socket.socket() as taken:
            taken.bind(("127.0.0.1", 0))
            taken.listen()
            stage = HookStage(server, port=taken.getsockname()[1])
            with pytest.raises(ConfigError) as caught:
                await asyncio.wait_for(stage.platform.run(stage.accept, stage.states.append), 10)
            assert caught.value.path == "channels.telegram.webhook.port"
            assert f"127.0.0.1:{stage.port} cannot be listened on (it is taken). Choose" in str(caught.value)
            assert (stage.states, server.calls) == ([], [])
        stage.begin()
        await stage.connected()
        await stage.stop()

    async def test_what_is_no_address_is_named(self) -> None:
        async def take(body: bytes) -> HTTPStatus:
            return HTTPStatus.OK

        hook = Hook(url="https://h/x", listen="a..b", port=free_port(), secret=Secret(SECRET))
        with pytest.raises(ConfigError) as caught:
            async with listening(hook, take):
                pass
        assert caught.value.path == "channels.telegram.webhook.listen"
