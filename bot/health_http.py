"""`/healthz`, `/readyz` and `/metrics` on loopback, for monitors and service managers. Read only, no secret, no message text.

Only under a name of loopback: a page of the web that has its own name point here would read them otherwise.
"""

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
_MOST_CLIENTS = 64
"""At once. Each costs a file handle, and the gateway needs its own."""
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

    clients: set[asyncio.StreamWriter] = set()

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if len(clients) >= _MOST_CLIENTS:
            writer.close()
            return
        clients.add(writer)
        try:
            async with asyncio.timeout(_PATIENCE):
                writer.write(await _respond(reader, readiness, metrics))
                await writer.drain()
        except (OSError, ValueError, asyncio.IncompleteReadError, TimeoutError):
            pass  # a client that says nothing sensible gets nothing; nobody here can act on it
        finally:
            clients.discard(writer)
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
    try:
        method, target, hosts = await _asked(reader)
    except asyncio.LimitOverrunError:
        return _response(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE, {"error": "a line is too long"})
    if not all(map(_is_loopback, hosts)):
        return _response(HTTPStatus.MISDIRECTED_REQUEST, {"error": "only for loopback; a proxy has to say so in Host"})
    path = target.partition("?")[0]
    paths = ["/healthz", "/readyz", *(["/metrics"] if metrics is not None else [])]
    if path not in paths:
        answer = _response(HTTPStatus.NOT_FOUND, {"error": "not found", "paths": paths})
    elif method not in ("GET", "HEAD"):
        answer = _response(HTTPStatus.METHOD_NOT_ALLOWED, {"error": "only GET"}, "Allow: GET, HEAD\r\n")
    elif path == "/healthz":
        answer = _response(HTTPStatus.OK, {"status": "ok"})
    elif path == "/metrics" and metrics is not None:
        answer = _whole(HTTPStatus.OK, metrics.content_type, await metrics.make())
    else:
        answer = _state(await readiness())
    return answer if method != "HEAD" else answer.partition(b"\r\n\r\n")[0] + b"\r\n\r\n"


async def _asked(reader: asyncio.StreamReader) -> tuple[str, str, list[str]]:
    """The method, the target and every Host of a request. Raises LimitOverrunError for a line that is too long."""
    method, target, *_ = (await reader.readuntil(b"\n")).decode("ascii", "replace").split() or [""] * 2
    hosts = []
    for _ in range(_MOST_HEADERS):
        line = (await reader.readuntil(b"\n")).decode("ascii", "replace").strip()
        if not line:
            break
        name, _, value = line.partition(":")
        if name.lower() == "host":
            hosts.append(value.strip())
    return method, target, hosts


def _is_loopback(host: str) -> bool:
    name = host.rpartition(":")[0] if host.rpartition(":")[2].isdecimal() and not host.endswith("]") else host
    if name.lower() == "localhost":
        return True
    try:
        return ipaddress.ip_address(name.removeprefix("[").removesuffix("]")).is_loopback
    except ValueError:
        return False


def _state(now: Readiness) -> bytes:
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
