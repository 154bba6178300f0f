"""The health page as clients of all sorts ask for it: under its own name only, and never at the cost of the gateway."""

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from bot.health_http import Page, Readiness, serve_health

_PAGE = Page("text/plain", lambda: asyncio.sleep(0, b"number 1"))
LONG = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nCookie: " + b"x" * 9000 + b"\r\n\r\n"


async def _ready() -> Readiness:
    return Readiness((), {})


@asynccontextmanager
async def door() -> AsyncIterator[int]:
    async with serve_health("127.0.0.1", 0, _ready, _PAGE) as (_, port):
        yield port


async def ask(port: int, request: bytes) -> bytes:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        writer.write(request)
        return await reader.read()
    finally:
        writer.close()
        await writer.wait_closed()


def get(host: str, method: str = "GET", path: str = "/readyz") -> bytes:
    return f"{method} {path} HTTP/1.1\r\nHost: {host}\r\n\r\n".encode()


@pytest.mark.parametrize("host", ["127.0.0.1:18789", "localhost", "LocalHost:1", "[::1]:9", "[::1]", "127.1.2.3"])
async def test_it_answers_under_the_names_of_loopback(host: str) -> None:
    async with door() as port:
        assert (await ask(port, get(host))).startswith(b"HTTP/1.1 200 ")


@pytest.mark.parametrize("host", ["evil.example", "evil.example:18789", "10.0.0.1", "localhost.evil.example", ""])
async def test_a_name_that_somebody_has_pointed_here_reads_nothing(host: str) -> None:
    async with door() as port:
        answer = await ask(port, get(host))
    assert answer.startswith(b"HTTP/1.1 421 ")
    assert b"ready" not in answer


async def test_a_request_without_a_name_is_answered_as_old_monitors_ask() -> None:
    async with door() as port:
        assert (await ask(port, b"GET /healthz HTTP/1.0\r\n\r\n")).startswith(b"HTTP/1.1 200 ")


@pytest.mark.parametrize("path", ["/healthz", "/readyz", "/metrics", "/elsewhere"])
async def test_head_is_get_without_the_page(path: str) -> None:
    async with door() as port:
        whole, head = await ask(port, get("localhost", path=path)), await ask(port, get("localhost", "HEAD", path))
    assert whole.startswith(head)
    assert head.endswith(b"\r\n\r\n")
    assert len(whole) > len(head)


@pytest.mark.parametrize("request_", [LONG, b"GET /" + b"x" * 9000 + b" HTTP/1.1\r\n\r\n"], ids=["header", "target"])
async def test_a_line_that_is_too_long_is_told_and_is_nothing_for_the_log(
    request_: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    async with door() as port:
        answer = await ask(port, request_)
    assert answer.startswith(b"HTTP/1.1 431 ")
    assert caplog.records == []


async def test_clients_beyond_what_is_sensible_are_let_go_and_the_next_one_is_answered(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO)
    async with door() as port:
        idle = [await asyncio.open_connection("127.0.0.1", port) for _ in range(64)]
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        assert await reader.read() == b"", "one more is closed at once"
        for _, one in [*idle, (reader, writer)]:
            one.close()
        for _, one in [*idle, (reader, writer)]:
            await one.wait_closed()
        while not (answer := await ask(port, get("localhost"))):
            pass
    assert answer.startswith(b"HTTP/1.1 200 ")
    assert caplog.records == []
