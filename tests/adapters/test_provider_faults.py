"""Everything that a provider or the way to it can do wrong ends as one classified ProviderError, in time."""

import asyncio
import json
import logging
import socket
from collections.abc import AsyncIterator
from contextlib import aclosing

import httpx
import pytest

from adapters.providers import guarded_body, transcript
from adapters.providers.registry import HttpProviderClient
from core.errors import Failure, FailureReason, ProviderError
from tests.fakes.clock import FakeClock
from tests.fakes.provider_request import ALL, KEY, ask, failing, first_piece, make_request
from tests.fakes.provider_script import (
    Step,
    drip,
    drop,
    error_event,
    malformed,
    ok,
    raw,
    slow,
    stall,
    truncated,
)
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


@EVERY
@pytest.mark.parametrize("stream", [True, False])
@pytest.mark.parametrize(
    ("step", "reason"),
    [
        pytest.param(drop("half an"), NETWORK, id="dropped"),
        pytest.param(truncated("half an"), NETWORK, id="truncated"),
        pytest.param(malformed("half an"), NETWORK, id="malformed"),
        pytest.param(
            error_event({"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}}, "half an"),
            FailureReason.OVERLOADED,
            id="error-inside",
        ),
        pytest.param(
            error_event({"error": {"code": 429, "message": "slow down", "details": [{"retryDelay": "9s"}]}}, "half an"),
            FailureReason.RATE_LIMIT,
            id="error-inside-with-a-numeric-code",
        ),
    ],
)
async def test_a_broken_answer_is_a_failure(
    api: str, stream: bool, step: Step, reason: FailureReason, server: ProviderServer, client: HttpProviderClient
) -> None:
    server.script[KEY] = [step]
    failure = await failing(client, make_request(server, api, stream=stream))
    assert failure.reason is reason
    assert failure.detail


async def test_pieces_before_a_break_have_been_given(server: ProviderServer, client: HttpProviderClient) -> None:
    server.script[KEY] = [drop("half an")]
    pieces = client.complete(make_request(server))
    assert [await first_piece(pieces), await first_piece(pieces)] == ["half ", "an"]
    with pytest.raises(ProviderError):
        await anext(pieces)


async def test_an_error_inside_a_stream_keeps_its_reset_time(
    server: ProviderServer, client: HttpProviderClient, clock: FakeClock
) -> None:
    server.script[KEY] = [error_event({"error": {"code": 429, "details": [{"retryDelay": "9s"}]}})]
    failure = await failing(client, make_request(server))
    assert failure.status == 429
    assert failure.retry_at is not None
    assert (failure.retry_at - clock.now()).total_seconds() == 9


def _event(payload: object) -> bytes:
    return b"data: " + json.dumps(payload).encode() + b"\n\n"


def _chunk(content: object, finish: str | None = None) -> bytes:
    return _event({"choices": [{"delta": {"content": content}, "finish_reason": finish}]})


WHOLE = _chunk("whole", "stop")


@pytest.mark.parametrize(
    ("chunks", "text"),
    [
        pytest.param((WHOLE,), "whole", id="no-done-no-usage"),
        pytest.param(
            (b": hi\n\n", _chunk("whole"), b":\n", _chunk("", "stop"), b"data: [DONE]\n\n"), "whole", id="comments"
        ),
        pytest.param((_chunk("whole")[:20], _chunk("whole")[20:], _chunk("", "length")), "whole", id="cut-in-two"),
        pytest.param((_chunk("wh\u00f6le", "stop").replace(b"\\u00f6", b"\xc3"),), "wh\ufffdle", id="half-a-character"),
        pytest.param((_chunk("whole", "stop").replace(b"\n", b"\r\n"),), "whole", id="crlf"),
        pytest.param((_chunk("\ud83d\udc4b", "stop"),), "\U0001f44b", id="surrogate-pair"),
        pytest.param((_chunk("a\ud83d\0b", "stop"),), "a\ufffdb", id="lone-surrogate-and-nul"),
        pytest.param((_chunk([{"type": "text", "text": "whole"}], "stop"),), "whole", id="parts"),
        pytest.param(
            (_event({"choices": [{"index": 1, "delta": {"content": "no"}}]}), WHOLE), "whole", id="second-choice"
        ),
        pytest.param((WHOLE, _event({"choices": [], "usage": {"prompt_tokens": -1}})), "whole", id="odd-usage"),
    ],
)
async def test_peculiar_streams_are_understood(
    chunks: tuple[bytes, ...], text: str, server: ProviderServer, client: HttpProviderClient
) -> None:
    server.script[KEY] = [raw(*chunks)]
    assert (await ask(client, make_request(server)))[1].text == text


@pytest.mark.parametrize("tail", [(), (b"data: [DONE]\n\n",)])
async def test_a_finished_answer_does_not_wait_for_a_connection_that_stays_open(
    tail: tuple[bytes, ...], server: ProviderServer, client: HttpProviderClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("adapters.providers.registry._USAGE_SECONDS", 0.1)
    server.script[KEY] = [raw(WHOLE, *tail, hold=True)]
    async with asyncio.timeout(3):
        assert (await ask(client, make_request(server)))[1].text == "whole"


@EVERY
@pytest.mark.parametrize("stream", [True, False])
async def test_no_first_byte_in_time_is_a_timeout(
    api: str, stream: bool, server: ProviderServer, client: HttpProviderClient
) -> None:
    server.script[KEY] = [slow()]
    failure = await failing(client, make_request(server, api, stream=stream, first_byte=0.1))
    assert (failure.reason, failure.status) == (FailureReason.TIMEOUT, None)
    assert "0.1 s" in failure.detail
    await server.wait_abandoned()


@EVERY
@pytest.mark.parametrize("stream", [True, False])
async def test_silence_in_the_middle_is_a_timeout(
    api: str, stream: bool, server: ProviderServer, client: HttpProviderClient
) -> None:
    server.script[KEY] = [stall("half an")]
    failure = await failing(client, make_request(server, api, stream=stream, silence=0.1))
    assert failure.reason is FailureReason.TIMEOUT
    assert "nothing within 0.1 s" in failure.detail
    await server.wait_abandoned()


async def test_a_slow_answer_within_its_time_is_an_answer(server: ProviderServer, client: HttpProviderClient) -> None:
    server.script[KEY] = [stall("first", " second")]
    pieces = client.complete(make_request(server))
    assert await first_piece(pieces) == "first"
    server.release()
    assert await first_piece(pieces) == " second"
    await pieces.aclose()


async def test_a_slow_reader_is_not_the_providers_silence(server: ProviderServer, client: HttpProviderClient) -> None:
    server.script[KEY] = [stall("first", " second")]
    pieces = client.complete(make_request(server, silence=0.05))
    assert await first_piece(pieces) == "first"
    server.release()
    await asyncio.sleep(0.2)  # the reader's own delay is what is tested
    assert await first_piece(pieces) == " second"
    await pieces.aclose()


@EVERY
async def test_comments_are_life_until_the_callers_deadline(
    api: str, server: ProviderServer, client: HttpProviderClient
) -> None:
    server.script[KEY] = [drip("half")]
    pieces = client.complete(make_request(server, api, silence=0.2))
    assert await first_piece(pieces) == "half"
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(first_piece(pieces), 0.5)
    await server.wait_abandoned()


@pytest.mark.parametrize("stream", [True, False])
@pytest.mark.parametrize("step", [slow(), stall("half")])
async def test_cancellation_closes_the_connection(
    stream: bool, step: Step, server: ProviderServer, client: HttpProviderClient
) -> None:
    server.script[KEY] = [step]
    task = asyncio.create_task(ask(client, make_request(server, stream=stream)))
    await server.wait_seen(1)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await server.wait_abandoned()


async def test_closing_the_iterator_closes_the_connection(server: ProviderServer, client: HttpProviderClient) -> None:
    server.script[KEY] = [stall("half")]
    async with aclosing(client.complete(make_request(server))) as pieces:
        assert await first_piece(pieces) == "half"
    await server.wait_abandoned()


async def test_a_closed_port_is_a_network_failure(client: HttpProviderClient) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        base = f"http://127.0.0.1:{free.getsockname()[1]}"
    failure = await failing(client, make_request(base))
    assert failure == Failure(reason=NETWORK, detail=f"No connection to {base} (Connection refused).")


async def test_something_that_does_not_speak_http_is_a_network_failure(client: HttpProviderClient) -> None:
    async def greet(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"SSH-2.0-OpenSSH_9.9\r\n")
        writer.close()

    async with await asyncio.start_server(greet, "127.0.0.1", 0) as listener:
        base = f"http://127.0.0.1:{listener.sockets[0].getsockname()[1]}"
        assert (await failing(client, make_request(base))).reason is NETWORK


async def test_tls_to_a_server_without_is_a_network_failure(server: ProviderServer, client: HttpProviderClient) -> None:
    base = server.base_url.replace("http://", "https://")
    assert (await failing(client, make_request(base))).reason is NETWORK


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        pytest.param(httpx.ReadTimeout("x"), FailureReason.TIMEOUT, id="timeout"),
        pytest.param(httpx.ConnectError("x"), NETWORK, id="connect"),
        pytest.param(httpx.RemoteProtocolError("x"), NETWORK, id="protocol"),
        pytest.param(ConnectionResetError("x"), NETWORK, id="reset"),
        pytest.param(httpx.InvalidURL("x"), FailureReason.FORMAT, id="url"),
        pytest.param(UnicodeEncodeError("ascii", "é", 0, 1, "x"), FailureReason.FORMAT, id="header"),
        pytest.param(RuntimeError(KEY), FailureReason.UNKNOWN, id="fault-of-our-own"),
    ],
)
async def test_every_error_of_the_transport_is_translated(
    error: Exception, reason: FailureReason, clock: FakeClock, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(request: httpx.Request) -> httpx.Response:
        raise error

    client = HttpProviderClient(clock, httpx.MockTransport(fail))
    failure = await failing(client, make_request("http://provider.example/v1"))
    assert failure.reason is reason
    assert failure.detail
    assert KEY not in failure.detail
    if reason is FailureReason.UNKNOWN:
        assert [record.levelno for record in caplog.records] == [logging.ERROR]
        assert KEY not in caplog.text
    await client.close()


async def test_a_web_page_is_a_wrong_address(server: ProviderServer, client: HttpProviderClient) -> None:
    server.script[KEY] = [raw(b"<html>hi</html>", headers={"content-type": "text/html; charset=utf-8"})]
    failure = await failing(client, make_request(server))
    assert failure.reason is FailureReason.FORMAT
    assert "base_url" in failure.detail


@pytest.mark.parametrize(
    ("limit", "step"),
    [
        pytest.param("LONGEST_LINE", raw(*[b"x" * 1000] * 9, hold=True), id="line-without-end"),
        pytest.param("LONGEST_STREAM", raw(*[b": comment\n"] * 900, hold=True), id="stream-without-end"),
        pytest.param(
            "LONGEST_PLAIN",
            raw(b"{", *[b" " * 1000] * 9, hold=True, headers={"content-type": "application/json"}),
            id="plain",
        ),
    ],
)
async def test_an_endless_answer_is_cut(
    limit: str, step: Step, server: ProviderServer, client: HttpProviderClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(guarded_body, limit, 8000)
    server.script[KEY] = [step]
    failure = await failing(client, make_request(server))
    assert failure.reason is NETWORK
    assert "more than an answer can be" in failure.detail
    await server.wait_abandoned()


async def test_an_answer_beyond_any_sense_is_cut(
    server: ProviderServer, client: HttpProviderClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(transcript, "LONGEST_ANSWER", 10)
    server.script[KEY] = [ok("one two three four")]
    assert (await failing(client, make_request(server))).reason is NETWORK


async def test_a_client_can_be_used_again_after_closing(server: ProviderServer, client: HttpProviderClient) -> None:
    await ask(client, make_request(server))
    await client.close()
    await client.close()
    await ask(client, make_request(server))
