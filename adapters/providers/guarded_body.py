"""A response body that keeps its limits: time to the first byte, silence between pieces, length of a line and of the whole."""

import asyncio
from collections.abc import AsyncIterator

import httpx
from httpx_sse import EventSource, ServerSentEvent

from adapters.providers import json_fields
from adapters.providers.transport_error import TRANSPORT_ERRORS, too_slow, transport_error
from adapters.providers.wire import broken
from core.errors import Failure, FailureReason, ProviderError

LONGEST_LINE = 1024 * 1024
LONGEST_PLAIN = 4 * 1024 * 1024
LONGEST_STREAM = 32 * 1024 * 1024
"""With all the envelopes of its events; the answer itself is bounded by the transcript."""


class GuardedBody(httpx.AsyncByteStream):
    """Raises ProviderError when a limit is passed or the connection breaks. Times are seconds of the loop's clock."""

    def __init__(self, response: httpx.Response, place: str, first_byte_at: float, silence: float) -> None:
        self._response = response
        self._place = place
        self._first_byte_at = first_byte_at
        self._silence = silence
        self._end = float("inf")
        self._line = 0
        self._total = 0

    @property
    def is_event_stream(self) -> bool:
        return "text/event-stream" in self._response.headers.get("content-type", "")

    def end_within(self, seconds: float) -> None:
        """Nothing that matters is missing any more: what is still to come has this long, however it drips."""
        self._end = min(self._end, asyncio.get_running_loop().time() + seconds)

    async def __aiter__(self) -> AsyncIterator[bytes]:
        """Pieces as they come. Comments and keep-alives count as life; only a caller's deadline ends a stream of them."""
        chunks = aiter(self._response.aiter_raw())
        while (chunk := await self._next(chunks)) is not None:
            self._measure(chunk)
            yield chunk

    async def _next(self, chunks: AsyncIterator[bytes]) -> bytes | None:
        """Silence counts from here, not from the last piece: a slow reader is not the provider's fault."""
        now = asyncio.get_running_loop().time()
        until = min(now + self._silence if self._total else self._first_byte_at, self._end)
        try:
            async with asyncio.timeout_at(until):
                return await anext(chunks, None)
        except TimeoutError:
            failure = too_slow("nothing", round(until - now, 1), self._place)
        except TRANSPORT_ERRORS as error:
            failure = transport_error(error, self._place)
        raise failure

    def _measure(self, chunk: bytes) -> None:
        end_of_line = max(chunk.rfind(b"\n"), chunk.rfind(b"\r"))
        self._line = len(chunk) - end_of_line - 1 if end_of_line >= 0 else self._line + len(chunk)
        self._total += len(chunk)
        if self._total > LONGEST_STREAM or (self.is_event_stream and self._line > LONGEST_LINE):
            raise broken(f"{self._place} sent more than an answer can be.")

    async def events(self) -> AsyncIterator[ServerSentEvent]:
        """Server-sent events, read under a fixed content type, so that the sender's charset has no say."""
        guarded = httpx.Response(200, headers={"content-type": "text/event-stream"}, stream=self)
        async for event in EventSource(guarded).aiter_sse():
            yield event

    async def read(self, limit: int) -> bytes:
        """At most `limit` bytes; the rest is not read."""
        raw = bytearray()
        async for chunk in self:
            raw += chunk
            if len(raw) >= limit:
                break
        return bytes(raw[:limit])

    async def read_json(self) -> object:
        """The body as JSON. Raises ProviderError: format for a web page, which is a wrong address; network for the rest."""
        raw = await self.read(LONGEST_PLAIN + 1)
        if len(raw) > LONGEST_PLAIN:
            raise broken(f"{self._place} sent more than an answer can be.")
        payload = json_fields.parse(raw)
        if isinstance(payload, dict):
            return payload
        if "text/html" in self._response.headers.get("content-type", ""):
            detail = f"{self._place} answered with a web page. Check base_url."
            raise ProviderError(Failure(reason=FailureReason.FORMAT, status=self._response.status_code, detail=detail))
        raise broken(f"{self._place} answered with something that is not JSON.")

    async def aclose(self) -> None:
        await self._response.aclose()
