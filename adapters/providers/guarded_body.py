"""A response body that keeps its limits: time to the first byte, silence between pieces, length of a line and of the whole."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import suppress

import httpx

from adapters.providers import json_fields
from adapters.providers.error_body import broken
from adapters.providers.event_stream import BOM, Event, EventParser
from adapters.providers.inflate import ENCODINGS, Inflater
from adapters.providers.transport_error import TRANSPORT_ERRORS, too_slow, transport_error
from core.errors import Failure, FailureReason, ProviderError

LONGEST_LINE = 4 * 1024 * 1024
LONGEST_PLAIN = 4 * 1024 * 1024
LONGEST_STREAM = 32 * 1024 * 1024
"""With all the envelopes of its events; the answer itself is bounded by the transcript."""


class GuardedBody:
    """Raises ProviderError when a limit is passed or the connection breaks. Times are seconds of the loop's clock.

    Read once, by `events` or by `read_json`; `is_stream` says by which.
    """

    def __init__(self, response: httpx.Response, place: str, first_byte_at: float, silence: float) -> None:
        self._response = response
        self._raw = aiter(response.aiter_raw())
        self._place = place
        self._first_byte_at = first_byte_at
        self._silence = silence
        self._end = float("inf")
        self._total = 0
        self._has_begun = False
        self._chunks = self._limited()
        self._head = b""

    def end_within(self, seconds: float, *, anew: bool = False) -> None:
        """Nothing that matters is missing any more: what is still to come has this long, however it drips. `anew`: counted from
        now, whatever was said before."""
        end = asyncio.get_running_loop().time() + seconds
        self._end = end if anew else min(self._end, end)

    async def is_stream(self) -> bool:
        """Whether events come. Judged by how the body begins, for content types lie; an empty one has nothing else to go by."""
        begun = await self._begin()
        if not begun:
            return "text/event-stream" in self._response.headers.get("content-type", "")
        return begun[:1] not in (b"{", b"[", b"<")

    async def events(self) -> AsyncIterator[Event]:
        """Server-sent events. Comments and keep-alives count as life; only a caller's deadline ends a stream of them."""
        parser = EventParser()
        async for chunk in self._pieces():
            for event in parser.feed(chunk):
                yield event
            if parser.pending > LONGEST_LINE:
                raise self._too_long()
        for event in parser.end():
            yield event

    async def read(self, limit: int) -> bytes:
        """At most `limit` bytes; the rest is not read."""
        raw = bytearray()
        async for chunk in self._pieces():
            raw += chunk
            if len(raw) >= limit:
                break
        return bytes(raw[:limit])

    async def read_json(self, *shapes: type) -> object:
        """The body as JSON of one of these shapes (left out: an object). Raises ProviderError: format for a web page, which is a
        wrong address; network for the rest."""
        raw = await self.read(LONGEST_PLAIN + 1)
        if len(raw) > LONGEST_PLAIN:
            raise self._too_long()
        payload = json_fields.parse(raw)
        if isinstance(payload, shapes or (dict,)):
            return payload
        if "text/html" in self._response.headers.get("content-type", "") or raw.startswith(b"<"):
            detail = f"{self._place} answered with a web page. Check base_url."
            raise ProviderError(Failure(reason=FailureReason.FORMAT, status=self._response.status_code, detail=detail))
        if not raw.strip():
            raise broken(f"{self._place} answered with nothing.")
        raise broken(f"{self._place} answered with something that is not JSON.")

    async def _pieces(self) -> AsyncIterator[bytes]:
        yield await self._begin()
        async for chunk in self._chunks:
            yield chunk

    async def _begin(self) -> bytes:
        """The first bytes that say something. A byte order mark and blanks before them, which keep a connection alive, are
        dropped."""
        while BOM.startswith(self._head) and (chunk := await anext(self._chunks, None)) is not None:
            self._head = (self._head + chunk).lstrip().removeprefix(BOM).lstrip()
        return self._head

    async def _limited(self) -> AsyncGenerator[bytes, None]:
        """Decompressed pieces, as long as all of them are no more than an answer can be."""
        packed = Inflater() if self._response.headers.get("content-encoding", "").lower() in ENCODINGS else None
        while (chunk := await self._next()) is not None:
            self._has_begun = True
            try:
                for piece in (chunk,) if packed is None else packed.feed(chunk):
                    self._total += len(piece)
                    if self._total > LONGEST_STREAM:
                        raise self._too_long()
                    yield piece
            except ValueError:
                raise broken(f"{self._place} sent a compressed answer that cannot be read.") from None
        if packed is not None and not packed.is_whole:
            raise broken(f"{self._place} broke a compressed answer off.")

    async def _next(self) -> bytes | None:
        """Silence counts from here, not from the last piece: a slow reader is not the provider's fault."""
        now = asyncio.get_running_loop().time()
        until = min(now + self._silence if self._has_begun else self._first_byte_at, self._end)
        try:
            async with asyncio.timeout_at(until):
                return await anext(self._raw, None)
        except TimeoutError:
            failure = too_slow("nothing", round(until - now, 1), self._place)
        except TRANSPORT_ERRORS as error:
            failure = transport_error(error, self._place)
        raise failure

    def _too_long(self) -> ProviderError:
        return broken(f"{self._place} sent more than an answer can be.")

    async def aclose(self) -> None:
        """Give the connection back, or close it if something is still to come."""
        with suppress(*TRANSPORT_ERRORS):
            await self._chunks.aclose()
            await self._response.aclose()
