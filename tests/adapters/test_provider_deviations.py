"""What compatible endpoints do otherwise than the vendor whose format they speak: read as it is meant, and always to an end."""

import asyncio
import json
import socket
import struct
from collections.abc import AsyncIterator
from typing import Any

import pytest

from adapters.providers import guarded_body, transcript
from adapters.providers.registry import HttpProviderClient
from core.chat.completion import Usage
from core.errors import FailureReason
from tests.fakes.clock import FakeClock
from tests.fakes.provider_events import end, piece, sent
from tests.fakes.provider_request import ALL, ANTHROPIC, GOOGLE, KEY, OPENAI, RESPONSES, ask, failing, make_request
from tests.fakes.provider_script import raw
from tests.fakes.provider_server import ProviderServer

EVERY = pytest.mark.parametrize("api", ALL)
NETWORK = FailureReason.NETWORK


@pytest.fixture
async def server() -> AsyncIterator[ProviderServer]:
    async with ProviderServer() as running:
        yield running


@pytest.fixture
async def client(clock: FakeClock) -> AsyncIterator[HttpProviderClient]:
    made = HttpProviderClient(clock)
    yield made
    await made.close()


def _choice(**fields: Any) -> dict[str, Any]:
    return {"choices": [{"index": 0, "finish_reason": None, **fields}]}


def _says(text: object, finish: str | None = None) -> dict[str, Any]:
    return _choice(delta={"content": text}, finish_reason=finish)


PRELUDE = {"id": "", "model": "", "choices": [], "prompt_filter_results": [{"prompt_index": 0}], "usage": None}
PARTS = [{"type": "text", "text": "wh"}, {"type": "reference", "reference_ids": [1]}, {"type": "text", "text": "ole"}]
RESPONSE = {
    "output": [{"type": "message", "content": [{"type": "output_text", "text": "whole"}]}],
    "status": "completed",
}

ODD = [
    pytest.param(OPENAI, [PRELUDE, _says("whole"), end(OPENAI)], id="azure-prelude"),
    pytest.param(OPENAI, [_choice(delta={"role": "assistant", "content": None}), _says("whole", "stop")], id="null-content"),
    pytest.param(OPENAI, [_choice(delta=None), {"choices": None}, {}, _says("whole", "stop")], id="null-everything"),
    pytest.param(OPENAI, [_says(PARTS), end(OPENAI)], id="array-of-parts"),
    pytest.param(OPENAI, [_says("whole", ""), end(OPENAI), end(OPENAI), end(OPENAI)], id="finished-three-times"),
    pytest.param(OPENAI, [_says("wh", "stop"), _says("ole", "stop")], id="finished-with-each-piece"),
    pytest.param(OPENAI, [{"choices": [{"delta": {"content": "whole"}, "finish_reason": "stop"}]}], id="no-index"),
    pytest.param(OPENAI, [{"choices": [{"index": None, "delta": {"content": "whole"}}]}, end(OPENAI)], id="null-index"),
    pytest.param(OPENAI, [_choice(message={"content": "whole"}, finish_reason="stop")], id="message-for-delta"),
    pytest.param(OPENAI, [_says("whole"), _choice(message={"content": "whole"}, finish_reason="stop")], id="message-again"),
    pytest.param(RESPONSES, [{"type": "response.completed", "response": RESPONSE}], id="responses-only-the-end"),
    pytest.param(RESPONSES, [{"type": "response.output_text.done", "text": "whole"}, end(RESPONSES)], id="responses-no-deltas"),
    pytest.param(RESPONSES, [piece(RESPONSES, "whole"), {"type": "response.completed"}], id="responses-bare-end"),
    pytest.param(ANTHROPIC, [piece(ANTHROPIC, "whole"), {"type": "message_stop"}], id="anthropic-no-reason"),
    pytest.param(ANTHROPIC, [{"type": "ping"}, piece(ANTHROPIC, "whole"), end(ANTHROPIC)], id="anthropic-no-opening"),
    pytest.param(GOOGLE, [
        {"candidates": [{"content": {"parts": [{"text": text}]}, "finishReason": "STOP"}]} for text in ("wh", "ole")
    ], id="google-finished-with-each-piece"),
    pytest.param(GOOGLE, [piece(GOOGLE, "whole"), {"candidates": [{"finishReason": "STOP"}]}], id="google-end-without-content"),
    pytest.param(GOOGLE, [piece(GOOGLE, "whole"), {"usageMetadata": {}}, {"candidates": []}, end(GOOGLE)],
                 id="google-no-candidates"),
]  # fmt: skip


@pytest.mark.parametrize(("api", "payloads"), ODD)
async def test_an_odd_stream_is_read_as_it_is_meant(
    api: str, payloads: list[dict[str, Any]], server: ProviderServer, client: HttpProviderClient
) -> None:
    server.script[KEY] = [raw(*sent(payloads))]
    pieces, done = await ask(client, make_request(server, api))
    assert ("".join(pieces), done.text, done.usage, done.stop_reason) == ("whole", "whole", Usage(), "stop")


async def test_the_type_of_an_event_may_stand_in_its_name_alone(
    server: ProviderServer, client: HttpProviderClient
) -> None:
    named = {
        ANTHROPIC: (piece(ANTHROPIC, "whole"), end(ANTHROPIC)),
        RESPONSES: (piece(RESPONSES, "whole"), end(RESPONSES)),
    }
    for api, payloads in named.items():
        events = [(payload["type"], {k: v for k, v in payload.items() if k != "type"}) for payload in payloads]
        server.script[KEY] = [raw(*(f"event: {name}\ndata: {json.dumps(rest)}\n\n".encode() for name, rest in events))]
        assert (await ask(client, make_request(server, api)))[1].text == "whole"


async def test_a_second_message_of_one_response_is_a_new_paragraph(
    server: ProviderServer, client: HttpProviderClient
) -> None:
    deltas = [
        {"type": "response.output_text.delta", "output_index": n, "delta": t}
        for n, t in ((0, "o"), (0, "ne"), (2, "two"))
    ]
    items = [{"type": "message", "content": [{"type": "output_text", "text": text}]} for text in ("one", "two")]
    plain = json.dumps({"status": "completed", "output": [items[0], {"type": "reasoning"}, items[1]]}).encode()
    server.script[KEY] = [
        raw(*sent([*deltas, end(RESPONSES)])),
        raw(plain, headers={"content-type": "application/json"}),
    ]
    for stream in (True, False):
        assert (await ask(client, make_request(server, RESPONSES, stream=stream)))[1].text == "one\n\ntwo"


@EVERY
@pytest.mark.parametrize(
    ("chunks", "kind", "words"),
    [
        pytest.param((), "text/event-stream", "ended before", id="empty-stream"),
        pytest.param((), "application/json", "with nothing", id="empty-json"),
        pytest.param((b" \n\n",), "application/json", "with nothing", id="blanks"),
        pytest.param((b": comment\n\n",), "text/event-stream", "ended before", id="a-comment-alone"),
        pytest.param((b"null",), "application/json", "ended before", id="null"),
        pytest.param((b"{}",), "application/json", "holds no", id="empty-object"),
        pytest.param((b"[]",), "application/json", "holds no", id="empty-list"),
        pytest.param((b"garbage\n\n\x00\xff",), "text/event-stream", "ended before", id="garbage"),
        pytest.param((b"data: {not json\n\n",), "text/event-stream", "not JSON", id="malformed"),
        pytest.param((b'data: "a text"\n\n',), "text/event-stream", "not JSON", id="not-an-object"),
        pytest.param((b'data: {"cho',), "text/event-stream", "ended before", id="cut"),
    ],
)
async def test_a_200_without_an_answer_is_a_failure(
    api: str, chunks: tuple[bytes, ...], kind: str, words: str, server: ProviderServer, client: HttpProviderClient
) -> None:
    server.script[KEY] = [raw(*chunks, headers={"content-type": kind})]
    failure = await failing(client, make_request(server, api))
    assert failure.reason is NETWORK
    assert words in failure.detail


KEEP_ALIVES = {
    OPENAI: {"choices": [{"index": 0, "delta": {"content": ""}}]},
    RESPONSES: {"type": "response.in_progress"},
    ANTHROPIC: {"type": "ping"},
    GOOGLE: {"candidates": []},
}


@EVERY
@pytest.mark.parametrize("says", ["nothing", "more and more"])
async def test_a_stream_that_never_ends_is_ended(
    api: str, says: str, server: ProviderServer, client: HttpProviderClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(guarded_body, "LONGEST_STREAM", 100_000)
    monkeypatch.setattr(transcript, "LONGEST_ANSWER", 100)
    event = KEEP_ALIVES[api] if says == "nothing" else piece(api, "on")
    server.script[KEY] = [raw(*[b"".join(sent([event] * 500))] * 10, hold=True)]
    failure = await failing(client, make_request(server, api))
    assert failure.reason is NETWORK
    assert ("more than an answer can be" if says == "nothing" else "longer than 100") in failure.detail
    await server.wait_abandoned()


async def test_what_follows_an_early_end_is_waited_for(
    client: HttpProviderClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Some models give a reason for the end with each piece; none of these is the last before the stream says so."""
    monkeypatch.setattr("adapters.providers.registry._USAGE_SECONDS", 0.9)

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nconnection: close\r\n\r\n")
        for text in ("one ", "two ", "three"):
            writer.write(sent([_says(text, "stop")])[0])
            await writer.drain()
            await asyncio.sleep(0.5)  # the provider's own slowness is what is tested
        writer.close()

    async with await asyncio.start_server(answer, "127.0.0.1", 0) as listener:
        base = f"http://127.0.0.1:{listener.sockets[0].getsockname()[1]}"
        assert (await ask(client, make_request(base)))[1].text == "one two three"


@pytest.mark.parametrize(
    "said", [b"", b"HTTP/1.1 200 OK\r\ncontent-type: text/event-"], ids=["at-once", "inside-headers"]
)
async def test_a_connection_reset_before_the_headers_is_a_network_failure(
    said: bytes, client: HttpProviderClient
) -> None:
    async def hang_up(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(said)
        sock: socket.socket = writer.get_extra_info("socket")
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        writer.transport.abort()

    async with await asyncio.start_server(hang_up, "127.0.0.1", 0) as listener:
        base = f"http://127.0.0.1:{listener.sockets[0].getsockname()[1]}"
        failure = await failing(client, make_request(base))
    assert failure.reason is NETWORK
    assert failure.detail == f"{base} broke the connection off."
