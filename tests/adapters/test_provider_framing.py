"""How an answer is packed: whatever a server makes of events, line ends, content types and compression, its words arrive."""

import gzip
import json
from collections.abc import AsyncIterator, Callable
from typing import Any

import httpx
import httpx_sse
import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.providers.event_stream import Event, EventParser
from adapters.providers.registry import HttpProviderClient
from core.errors import FailureReason
from tests.fakes.clock import FakeClock
from tests.fakes.provider_events import end, packed, piece, sent, whole
from tests.fakes.provider_request import ALL, GOOGLE, KEY, OPENAI, ask, failing, first_piece, make_request
from tests.fakes.provider_script import raw, status
from tests.fakes.provider_server import ProviderServer

EVERY = pytest.mark.parametrize("api", ALL)
STREAM = {"content-type": "text/event-stream"}
TEXT = "Grüße an 🦀\nund alle"

_Framed = Callable[[list[dict[str, Any]]], list[bytes]]


@pytest.fixture
async def server() -> AsyncIterator[ProviderServer]:
    async with ProviderServer() as running:
        yield running


@pytest.fixture
async def client(clock: FakeClock) -> AsyncIterator[HttpProviderClient]:
    made = HttpProviderClient(clock)
    yield made
    await made.close()


def answer(api: str) -> list[dict[str, Any]]:
    return [piece(api, TEXT[:3]), piece(api, TEXT[3:]), end(api)]


def _bytes(payloads: list[dict[str, Any]]) -> list[bytes]:
    """One byte at a time: characters of several bytes come in parts."""
    lines = "".join(f"data: {json.dumps(payload, ensure_ascii=False)}\n\n" for payload in payloads)
    return [bytes([byte]) for byte in lines.encode()]


def _lines(payloads: list[dict[str, Any]]) -> list[bytes]:
    """The JSON of an event over several lines."""
    shown = [json.dumps(payload, indent=1).splitlines() for payload in payloads]
    return ["".join(f"data: {line}\n" for line in lines).encode() + b"\n" for lines in shown]


def _chatty(payloads: list[dict[str, Any]]) -> list[bytes]:
    noise = [
        b"\n\n",
        b": OPENROUTER PROCESSING\n\n",
        b":\n",
        b"event: ping\ndata: {}\n\n",
        b"retry: 100\nid: 7\n\n",
        b"odd\n",
    ]
    return [part for event in sent(payloads) for part in (*noise, event)] + [b": bye\n\n"]


FRAMES = [
    pytest.param(sent, STREAM, id="as-it-should-be"),
    pytest.param(lambda said: [b"".join(sent(said))], STREAM, id="all-at-once"),
    pytest.param(_bytes, STREAM, id="byte-by-byte"),
    pytest.param(lambda said: sent(said, b"\r\n"), STREAM, id="crlf"),
    pytest.param(lambda said: sent(said, b"\r"), STREAM, id="lone-cr"),
    pytest.param(_lines, STREAM, id="data-over-several-lines"),
    pytest.param(_chatty, STREAM, id="comments-and-keep-alives"),
    pytest.param(lambda said: [b"\xef\xbb", b"\xbf", *sent(said)], STREAM, id="byte-order-mark"),
    pytest.param(lambda said: [line.replace(b"data: ", b"data:") for line in sent(said)], STREAM, id="no-blank"),
    pytest.param(lambda said: [*sent(said)[:-1], sent(said)[-1].rstrip()], STREAM, id="no-last-empty-line"),
    pytest.param(lambda said: [*sent(said), b"data: [DONE]\n\n"], STREAM, id="done-at-the-end"),
    pytest.param(lambda said: [*sent(said), b"data: [DONE]"], STREAM, id="done-without-a-line-end"),
    pytest.param(
        lambda said: [b": objects alone\n", *(json.dumps(p).encode() + b"\n" for p in said)], STREAM, id="no-data-field"
    ),
    pytest.param(sent, {"content-type": "text/event-stream;charset=latin-1"}, id="wrong-charset"),
    pytest.param(sent, {"content-type": "application/json"}, id="called-json"),
    pytest.param(sent, {"content-type": "text/html"}, id="called-html"),
    pytest.param(sent, {"content-type": ""}, id="called-nothing"),
    pytest.param(lambda said: packed(sent(said), 31), {**STREAM, "content-encoding": "gzip"}, id="gzip"),
    pytest.param(lambda said: packed(sent(said), 31), {**STREAM, "content-encoding": "X-GZIP"}, id="x-gzip"),
    pytest.param(lambda said: packed(sent(said), 15), {**STREAM, "content-encoding": "deflate"}, id="deflate"),
    pytest.param(lambda said: packed(sent(said), -15), {**STREAM, "content-encoding": "deflate"}, id="deflate-bare"),
    pytest.param(
        lambda said: [gzip.compress(event) for event in sent(said)],
        {**STREAM, "content-encoding": "gzip"},
        id="gzip-member-by-member",
    ),
    pytest.param(
        lambda said: [bytes([b]) for b in gzip.compress(b"".join(sent(said)))],
        {**STREAM, "content-encoding": "gzip"},
        id="gzip-byte-by-byte",
    ),
]


@EVERY
@pytest.mark.parametrize(("framed", "headers"), FRAMES)
async def test_events_are_read_however_they_are_packed(
    api: str, framed: _Framed, headers: dict[str, str], server: ProviderServer, client: HttpProviderClient
) -> None:
    server.script[KEY] = [raw(*framed(answer(api)), headers=headers)]
    pieces, done = await ask(client, make_request(server, api))
    assert (done.text, "".join(pieces), done.stop_reason) == (TEXT, TEXT, "stop")


@EVERY
async def test_a_stream_that_nobody_asked_for_is_one_answer(
    api: str, server: ProviderServer, client: HttpProviderClient
) -> None:
    server.script[KEY] = [
        raw(*sent(answer(api)), headers=headers) for headers in (STREAM, {"content-type": "application/json"})
    ]
    for _ in range(2):
        pieces, done = await ask(client, make_request(server, api, stream=False))
        assert (pieces, done.text, done.stop_reason) == ([], TEXT, "stop")


@EVERY
@pytest.mark.parametrize("stream", [True, False], ids=["asked", "not-asked"])
@pytest.mark.parametrize(
    ("framed", "headers"),
    [
        pytest.param(lambda body: [body], {"content-type": "application/json"}, id="as-it-should-be"),
        pytest.param(lambda body: [body], STREAM, id="called-a-stream"),
        pytest.param(lambda body: [body], {"content-type": "text/plain"}, id="called-text"),
        pytest.param(lambda body: [b"\n", b" \n", b"\xef\xbb\xbf", body], {}, id="kept-alive-with-blanks"),
        pytest.param(lambda body: [gzip.compress(body)], {"content-encoding": "gzip"}, id="gzip"),
        pytest.param(lambda body: packed([body], -15), {"content-encoding": "deflate"}, id="deflate"),
    ],
)
async def test_one_json_is_read_however_it_is_called(
    api: str,
    stream: bool,
    framed: Callable[[bytes], list[bytes]],
    headers: dict[str, str],
    server: ProviderServer,
    client: HttpProviderClient,
) -> None:
    body = json.dumps(whole(api, TEXT), indent=2).encode()
    server.script[KEY] = [raw(*framed(body), headers={"content-type": "application/json", **headers})]
    pieces, done = await ask(client, make_request(server, api, stream=stream))
    assert (pieces, done.text, done.stop_reason) == ([], TEXT, "stop")


async def test_googles_array_of_chunks_is_one_answer(server: ProviderServer, client: HttpProviderClient) -> None:
    body = json.dumps([piece(GOOGLE, "one "), piece(GOOGLE, "two"), end(GOOGLE, "MAX_TOKENS")]).encode()
    server.script[KEY] = [raw(body, headers={"content-type": "application/json"})]
    pieces, done = await ask(client, make_request(server, GOOGLE))
    assert (pieces, done.text, done.stop_reason) == ([], "one two", "length")


@EVERY
async def test_a_line_of_a_megabyte_is_read(api: str, server: ProviderServer, client: HttpProviderClient) -> None:
    long = "x" * 1_000_000
    server.script[KEY] = [raw(*sent([piece(api, long), end(api)]))]
    pieces, done = await ask(client, make_request(server, api))
    assert pieces == [long]
    assert done.text == long


async def test_a_compressed_stream_is_shown_as_it_comes(server: ProviderServer, client: HttpProviderClient) -> None:
    first, *rest = packed(sent([piece(OPENAI, "first"), piece(OPENAI, "second")]), 31)
    server.script[KEY] = [raw(first, hold=True, headers={**STREAM, "content-encoding": "gzip"})]
    assert rest
    pieces = client.complete(make_request(server))
    assert await first_piece(pieces) == "first"
    await pieces.aclose()
    await server.wait_abandoned()


BOMB = gzip.compress(b'{"a": "' + b"x" * 50_000_000)


@pytest.mark.parametrize(
    ("chunk", "encoding", "reason", "words"),
    [
        pytest.param(
            gzip.compress(b'{"a": 1}' * 99)[:-12], "gzip", FailureReason.NETWORK, "broke a compressed", id="cut"
        ),
        pytest.param(b'{"a": "not compressed at all"}', "gzip", FailureReason.NETWORK, "cannot be read", id="a-lie"),
        pytest.param(BOMB, "gzip", FailureReason.NETWORK, "more than an answer can be", id="bomb"),
        pytest.param(b"x", "br", FailureReason.FORMAT, "compressed answer (br)", id="of-another-kind"),
    ],
)
async def test_what_cannot_be_unpacked_is_a_failure(
    chunk: bytes, encoding: str, reason: FailureReason, words: str, server: ProviderServer, client: HttpProviderClient
) -> None:
    server.script[KEY] = [raw(chunk, headers={"content-type": "application/json", "content-encoding": encoding})]
    failure = await failing(client, make_request(server))
    assert failure.reason is reason
    assert words in failure.detail


@pytest.mark.parametrize("encoding", ["gzip", "br"])
async def test_a_compressed_refusal_is_classified(
    encoding: str, server: ProviderServer, client: HttpProviderClient
) -> None:
    body = gzip.compress(b'{"error": {"message": "Slow down."}}')
    server.script[KEY] = [status(429, {"content-encoding": encoding, "retry-after": "7"}, body)]
    failure = await failing(client, make_request(server))
    assert (failure.reason, failure.status) == (FailureReason.RATE_LIMIT, 429)
    assert failure.retry_at is not None
    assert failure.detail == ("Slow down." if encoding == "gzip" else f"{server.base_url} answered with status 429")


_LINE = st.sampled_from(
    ["data: x", "data:ü🦀", "data", "data: ", "event: e", "event", ": c", "id: 1", "retry: 5", "odd: z", "odd", "", ""]
)


@given(st.lists(st.tuples(_LINE, st.sampled_from(["\n", "\r", "\r\n"]))), st.lists(st.integers(1, 9), min_size=1))
def test_events_are_those_that_another_reader_finds(lines: list[tuple[str, str]], sizes: list[int]) -> None:
    """httpx-sse reads the whole; the parser gets it in parts of any size."""
    text = "".join(line + line_end for line, line_end in lines) + "\n\n"
    response = httpx.Response(200, headers=STREAM, content=text.encode())
    others = [event for event in httpx_sse.EventSource(response).iter_sse() if event.data]
    expected = [Event("" if other.event == "message" else other.event, other.data) for other in others]
    parser, left, found = EventParser(), text.encode(), list[Event]()
    while left:
        for size in sizes:
            found += parser.feed(left[:size])
            left = left[size:]
    assert [event for event in (*found, *parser.end()) if event.data] == expected
