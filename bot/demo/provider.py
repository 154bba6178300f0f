"""The provider of `make demo`: a small HTTP server on loopback that speaks both wire formats and has real rate limits.

Standard library only, so that the demo opens at once. It knows its credentials by name and tells no more of them than that.
"""

import asyncio
import json
import math
import re
import time
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self

from bot.demo.answers import answer_to
from bot.demo.vendor_formats import AnthropicFormat, OpenAIFormat, VendorFormat

PIECE_SECONDS = 0.015
MODELS = ("small", "large", "opus-1", "sonnet-1")
_LONGEST_HEAD = 64 * 1024
_LONGEST_BODY = 4 * 1024 * 1024
_PHRASES = {200: "OK", 400: "Bad Request", 401: "Unauthorized", 404: "Not Found", 429: "Too Many Requests"}


@dataclass(frozen=True, slots=True)
class DemoKey:
    """A credential: the name that answers show, and how many requests it takes in `window_seconds` (None: any number)."""

    name: str
    requests: int | None = None
    window_seconds: float = 30.0


@dataclass(frozen=True, slots=True, kw_only=True)
class _Request:
    method: str
    path: str
    key: str
    body: bytes


class _Refusal(Exception):
    def __init__(self, status: int, message: str, retry_after: int | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.retry_after = retry_after


class DemoProvider:
    """`async with DemoProvider(keys) as provider`: serves at `provider.base_url` until the block ends."""

    def __init__(self, keys: Mapping[str, DemoKey]) -> None:
        self._keys = keys
        self._served: dict[str, deque[float]] = {key: deque() for key in keys}
        self._connections: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._connected, "127.0.0.1", 0, limit=_LONGEST_HEAD)
        self.base_url = f"http://127.0.0.1:{self._server.sockets[0].getsockname()[1]}"
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.close()
        for connection in self._connections:
            connection.cancel()
        await asyncio.gather(*self._connections, return_exceptions=True)
        await self._server.wait_closed()

    def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.create_task(self._converse(reader, writer))
        self._connections.add(task)
        task.add_done_callback(self._connections.discard)

    async def _converse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while (request := await _read(reader)) is not None:
                await self._answer(request, writer)
        except (OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            pass  # the client has gone, or it does not speak HTTP
        finally:
            writer.close()

    async def _answer(self, request: _Request, writer: asyncio.StreamWriter) -> None:
        vendor: VendorFormat = AnthropicFormat() if request.path.endswith("/messages") else OpenAIFormat()
        try:
            name = self._admit(request.key)
            if request.method == "GET" and request.path in ("/models", "/v1/models"):
                _write(writer, 200, {"object": "list", "data": [{"id": model, "object": "model"} for model in MODELS]})
            elif request.method == "POST" and request.path in ("/v1/chat/completions", "/v1/messages"):
                self._count(request.key, name)
                await _complete(vendor, name, _asked(request.body), writer)
            else:
                raise _Refusal(404, f"There is nothing at {request.method} {request.path}.")
        except _Refusal as refusal:
            headers = {} if refusal.retry_after is None else {"retry-after": str(refusal.retry_after)}
            _write(writer, refusal.status, vendor.error(refusal.status, refusal.message), headers)
        await writer.drain()

    def _admit(self, key: str) -> DemoKey:
        if key not in self._keys:
            raise _Refusal(401, "Incorrect API key provided.")
        return self._keys[key]

    def _count(self, key: str, known: DemoKey) -> None:
        """Raises a refusal with the true time to wait if the window is full. Refused requests do not count."""
        if known.requests is None:
            return
        served, now = self._served[key], time.monotonic()
        while served and served[0] <= now - known.window_seconds:
            served.popleft()
        if len(served) >= known.requests:
            wait = max(1, math.ceil(served[0] + known.window_seconds - now))
            limit = f"{known.requests} requests in {known.window_seconds:g} s"
            raise _Refusal(429, f"Rate limit reached ({limit}). Please try again in {wait}s.", wait)
        served.append(now)


async def _read(reader: asyncio.StreamReader) -> _Request | None:
    """The next request of a connection, or None at its end. Raises LimitOverrunError for what is too long."""
    try:
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
    except asyncio.IncompleteReadError:
        return None
    first, *lines = head.split("\r\n")
    method, _, rest = first.partition(" ")
    fields = (line.partition(":") for line in lines)
    headers = {name.strip().lower(): value.strip() for name, _, value in fields}
    length = headers.get("content-length", "0")
    if not length.isdecimal() or int(length[:12]) > _LONGEST_BODY:
        raise asyncio.LimitOverrunError("the body is too long", 0)
    key = headers.get("x-api-key") or headers.get("authorization", "").partition(" ")[2]
    path = rest.partition(" ")[0].partition("?")[0]
    return _Request(method=method, path=path, key=key, body=await reader.readexactly(int(length)))


def _asked(raw: bytes) -> dict[str, Any]:
    try:
        body = json.loads(raw)
    except (ValueError, RecursionError):
        body = None
    if not isinstance(body, dict) or not isinstance(body.get("messages"), list) or not body["messages"]:
        raise _Refusal(400, "The body must be a JSON object with at least one message.")
    if body.get("model") not in MODELS:
        raise _Refusal(404, f"The model `{body.get('model')}` does not exist.")
    return body


async def _complete(vendor: VendorFormat, key: DemoKey, body: dict[str, Any], writer: asyncio.StreamWriter) -> None:
    messages, model = body["messages"], body["model"]
    last = messages[-1].get("content") if isinstance(messages[-1], dict) else ""
    question = last if isinstance(last, str) else ""
    text = answer_to(question, model=model, key_name=key.name, messages=len(messages))
    pieces = re.findall(r"(?:\S+\s*){1,3}|\s+", text)
    tokens = (sum(len(str(message)) for message in messages) // 4, len(pieces))
    if not body.get("stream"):
        _write(writer, 200, vendor.answer(model, text, tokens))
        return
    writer.write(b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n")
    for event in vendor.events(model, pieces, tokens):
        writer.write(b"%x\r\n%s\r\n" % (len(event), event))
        await writer.drain()
        await asyncio.sleep(PIECE_SECONDS)
    writer.write(b"0\r\n\r\n")


def _write(
    writer: asyncio.StreamWriter, status: int, payload: Mapping[str, Any], headers: Mapping[str, str] | None = None
) -> None:
    body = json.dumps(payload).encode()
    fields = {"content-type": "application/json", "content-length": str(len(body)), **(headers or {})}
    lines = [f"HTTP/1.1 {status} {_PHRASES[status]}", *(f"{name}: {value}" for name, value in fields.items()), "", ""]
    writer.write("\r\n".join(lines).encode() + body)
