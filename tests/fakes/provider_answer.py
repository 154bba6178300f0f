"""How a ProviderServer plays one step, in the format and manner that the request asked for."""

import asyncio
import json
from typing import Any

from aiohttp import web

from bot.demo.vendor_formats import AnthropicFormat, OpenAIFormat, VendorFormat
from tests.fakes.provider_formats import GoogleFormat, ResponsesFormat
from tests.fakes.provider_script import (
    Drip,
    Drop,
    ErrorEvent,
    Malformed,
    Ok,
    Paced,
    Raw,
    Slow,
    Stall,
    Status,
    Step,
    Truncated,
)

_OPENING: dict[type, int] = {AnthropicFormat: 2, ResponsesFormat: 2}
"""Events that come before the text."""


def _vendor(path: str) -> VendorFormat:
    if path.endswith("/messages"):
        return AnthropicFormat()
    if path.endswith("/responses"):
        return ResponsesFormat()
    return GoogleFormat() if "enerateContent" in path else OpenAIFormat()


class Answer:
    """Plays one step. Everything is sent in the format and manner that the request asked for."""

    def __init__(self, permits: asyncio.Semaphore, request: web.Request, model: str, streamed: bool) -> None:
        self._permits = permits
        self._request = request
        self._model = model
        self._streamed = streamed
        self._vendor = _vendor(request.path)

    async def play(self, step: Step) -> web.StreamResponse:
        match step:
            case Status():
                return self._refuse(step)
            case Raw():
                return await self._raw(step)
            case Slow():
                await self._permits.acquire()
                return await self.play(Ok(step.text))
            case Paced():
                return await (self._pace(step) if self._streamed else self.play(Ok("".join(step.pieces))))
        return await (self._stream(step) if self._streamed else self._plain(step))

    def _refuse(self, step: Status) -> web.Response:
        body = step.body
        if body is None:
            body = self._vendor.error(step.status, f"refused with {step.status}") if step.status >= 400 else ""
        if isinstance(body, bytes | str):
            raw = body if isinstance(body, bytes) else body.encode()
            return web.Response(status=step.status, headers=step.headers, body=raw)
        return web.json_response(body, status=step.status, headers=step.headers)

    async def _raw(self, step: Raw) -> web.StreamResponse:
        response = web.StreamResponse(status=step.status, headers=step.headers)
        await response.prepare(self._request)
        for chunk in step.chunks:
            await response.write(chunk)
        if step.hold:
            await self._permits.acquire()
        return response

    async def _plain(self, step: Any) -> web.StreamResponse:
        tokens = step.tokens if isinstance(step, Ok) else (1, 1)
        text = step.text + getattr(step, "rest", "")
        body = json.dumps(self._vendor.answer(self._model, text, tokens)).encode()
        match step:
            case ErrorEvent():
                return web.json_response(step.body)
            case Malformed():
                return web.Response(body=b"{not json", content_type="application/json")
            case Truncated():
                return web.Response(body=body[: len(body) // 2], content_type="application/json")
        response = web.StreamResponse(headers={"content-type": "application/json", "content-length": str(len(body))})
        await response.prepare(self._request)
        await response.write(body[:10])
        await self._interrupt(step)
        await response.write(body[10:])
        return response

    async def _stream(self, step: Any) -> web.StreamResponse:
        response = web.StreamResponse(headers={"content-type": "text/event-stream"})
        await response.prepare(self._request)
        tokens = step.tokens if isinstance(step, Ok) else (1, 1)
        pieces = [f"{word} " for word in step.text.split(" ")] if step.text else []
        if pieces:
            pieces[-1] = pieces[-1][:-1]
        rest = getattr(step, "rest", "")
        events = list(self._vendor.events(self._model, [*pieces, *([rest] if rest else [])], tokens))
        opening = _OPENING.get(type(self._vendor), 0)
        first = len(events) if isinstance(step, Ok) else opening + len(pieces)
        for event in events[:first]:
            await response.write(event)
        match step:
            case Truncated():
                return response
            case Malformed():
                await response.write(b"data: {not json\n\n")
            case ErrorEvent():
                await response.write(b"event: error\ndata: " + json.dumps(step.body).encode() + b"\n\n")
                return response
            case Drip():
                await self._drip(response)
        await self._interrupt(step)
        for event in events[first:]:
            await response.write(event)
        return response

    async def _pace(self, step: Paced) -> web.StreamResponse:
        response = web.StreamResponse(headers={"content-type": "text/event-stream"})
        await response.prepare(self._request)
        events = list(self._vendor.events(self._model, list(step.pieces), (1, 1)))
        first = _OPENING.get(type(self._vendor), 0)
        for at, event in enumerate(events):
            if first < at < first + len(step.pieces):
                await self._permits.acquire()
            await response.write(event)
        return response

    async def _interrupt(self, step: Step) -> None:
        if isinstance(step, Drop):
            await asyncio.sleep(0.02)  # what was written must leave before the reset overtakes it
            assert self._request.transport is not None
            self._request.transport.abort()
            await asyncio.Event().wait()  # until aiohttp has seen the end of the connection and cancels the handler
        elif isinstance(step, Stall) or (isinstance(step, Drip) and not self._streamed):
            await self._permits.acquire()

    async def _drip(self, response: web.StreamResponse) -> None:
        while self._permits.locked():
            await response.write(b": still here\n\n")
            await asyncio.sleep(0.01)
        await self._permits.acquire()
