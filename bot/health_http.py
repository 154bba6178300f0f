"""`/healthz`, `/readyz` and `/metrics` on loopback, for monitors and service managers. GET only, no secret, no message text."""

import asyncio
import ipaddress
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

from core.errors import ConfigError

_LISTEN = "gateway.listen"
_PATIENCE = 5.0
"""Seconds that a client may take to ask. A monitor on the same machine needs milliseconds."""
_LINE_LIMIT = 8192
_MOST_HEADERS = 100
_JSON = "application/json"


@dataclass(frozen=True, slots=True)
class Page:
    """A page that is made when it is asked for, of a content type of its own. Making it raises nothing."""

    content_type: str
    make: Callable[[], Awaitable[bytes]]


@dataclass(frozen=True, slots=True)
class Readiness:
    """Whether the gateway can serve now, and if not, every reason. `details` is the JSON that says more."""

    reasons: tuple[str, ...]
    details: Mapping[str, Any]


def loopback_address(text: str) -> tuple[str, int]:
    """Read `host:port`. Raises ConfigError unless the host is this machine's loopback: the page has no access control."""
    host, _, port = text.strip().rpartition(":")
    host = host.removeprefix("[").removesuffix("]")
    if not host or not port.isdecimal() or int(port) > 65535:
        raise ConfigError(_LISTEN, f"{text!r} is not host:port.", 'Write for example "127.0.0.1:18789".')
    if host == "localhost":
        return "127.0.0.1", int(port)
    try:
        loopback = ipaddress.ip_address(host).is_loopback
    except ValueError:
        loopback = False
    if not loopback:
        raise ConfigError(
            _LISTEN, f"{host} is not a loopback address.", "Use 127.0.0.1 or [::1]; others reach it through a proxy."
        )
    return host, int(port)


@asynccontextmanager
async def serve_health(
    host: str, port: int, readiness: Callable[[], Awaitable[Readiness]], metrics: Page | None = None
) -> AsyncIterator[tuple[str, int]]:
    """Answer while the context is open; yields the address, with the port that a 0 became. Raises ConfigError if it is taken."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            async with asyncio.timeout(_PATIENCE):
                writer.write(await _respond(reader, readiness, metrics))
                await writer.drain()
        except (OSError, ValueError, asyncio.IncompleteReadError, TimeoutError):
            pass  # a client that says nothing sensible gets nothing; nobody here can act on it
        finally:
            writer.close()

    try:
        server = await asyncio.start_server(answer, host, port, limit=_LINE_LIMIT)
    except OSError as error:
        raise ConfigError(
            _LISTEN, f"{host}:{port} cannot be listened on ({error.strerror}).", "Choose a free port."
        ) from error
    async with server:
        yield server.sockets[0].getsockname()[:2]


async def _respond(
    reader: asyncio.StreamReader, readiness: Callable[[], Awaitable[Readiness]], metrics: Page | None
) -> bytes:
    method, target, *_ = (await reader.readuntil(b"\n")).decode("ascii", "replace").split() or [""] * 2
    for _ in range(_MOST_HEADERS):
        if not (await reader.readuntil(b"\n")).strip():
            break
    path = target.partition("?")[0]
    paths = ["/healthz", "/readyz", *(["/metrics"] if metrics is not None else [])]
    if path not in paths:
        return _response(HTTPStatus.NOT_FOUND, {"error": "not found", "paths": paths})
    if method != "GET":
        return _response(HTTPStatus.METHOD_NOT_ALLOWED, {"error": "only GET"}, "Allow: GET\r\n")
    if path == "/healthz":
        return _response(HTTPStatus.OK, {"status": "ok"})
    if path == "/metrics" and metrics is not None:
        return _whole(HTTPStatus.OK, metrics.content_type, await metrics.make())
    now = await readiness()
    status = HTTPStatus.SERVICE_UNAVAILABLE if now.reasons else HTTPStatus.OK
    word = "unready" if now.reasons else "ready"
    return _response(status, {"status": word, "reasons": list(now.reasons), **now.details})


def _response(status: HTTPStatus, body: Mapping[str, Any], extra: str = "") -> bytes:
    return _whole(status, _JSON, json.dumps(body).encode(), extra)


def _whole(status: HTTPStatus, content_type: str, content: bytes, extra: str = "") -> bytes:
    head = (
        f"HTTP/1.1 {status.value} {status.phrase}\r\nContent-Type: {content_type}\r\n"
        f"Content-Length: {len(content)}\r\nCache-Control: no-store\r\nConnection: close\r\n{extra}\r\n"
    )
    return head.encode() + content
