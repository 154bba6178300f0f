"""The demo's provider, driven by the product's own client and by plain HTTP."""

import asyncio
import re
from collections.abc import AsyncIterator

import httpx
import pytest

from adapters.providers.registry import HttpProviderClient
from bot.demo.answers import answer_to
from bot.demo.provider import DemoKey, DemoProvider
from core.errors import FailureReason
from core.sessions.history import Message, Role
from tests.fakes.clock import FakeClock
from tests.fakes.provider_request import ANTHROPIC, OPENAI, ask, failing, first_piece, make_request

LIMITED, FREE = "demo-limited-key-1", "demo-free-key-22"
BOTH = pytest.mark.parametrize("api", [OPENAI, ANTHROPIC])


@pytest.fixture
async def demo() -> AsyncIterator[DemoProvider]:
    async with DemoProvider({LIMITED: DemoKey("acme:work", 2, 30), FREE: DemoKey("acme:home")}) as running:
        yield running


@pytest.fixture
async def client(clock: FakeClock) -> AsyncIterator[HttpProviderClient]:
    made = HttpProviderClient(clock)
    yield made
    await made.close()


def base(demo: DemoProvider, api: str) -> str:
    return f"{demo.base_url}/v1" if api == OPENAI else demo.base_url


@BOTH
@pytest.mark.parametrize("stream", [True, False])
async def test_an_answer_names_model_and_credential_but_no_key(
    api: str, stream: bool, demo: DemoProvider, client: HttpProviderClient
) -> None:
    request = make_request(base(demo, api), api, key=FREE, stream=stream, model="opus-1")
    pieces, done = await ask(client, request)
    assert "opus-1" in done.text
    assert "acme:home" in done.text
    assert "hello" in done.text
    assert FREE not in done.text
    assert done.usage.output_tokens > 0
    assert (len(pieces) > 3) is stream


@BOTH
async def test_each_key_has_its_own_limit_with_a_true_time_to_wait(
    api: str, demo: DemoProvider, client: HttpProviderClient, clock: FakeClock
) -> None:
    limited = make_request(base(demo, api), api, key=LIMITED, stream=False)
    for _ in range(2):
        await ask(client, limited)
    failure = await failing(client, limited)
    assert (failure.reason, failure.status) == (FailureReason.RATE_LIMIT, 429)
    assert failure.retry_at is not None
    assert 28 <= (failure.retry_at - clock.now()).total_seconds() <= 30
    await ask(client, make_request(base(demo, api), api, key=FREE, stream=False))


async def test_the_limit_ends_with_its_window() -> None:
    async with DemoProvider({LIMITED: DemoKey("acme:work", 1, 0.1)}) as demo, asyncio.timeout(5):
        assert [await _status(demo, LIMITED), await _status(demo, LIMITED)] == [200, 429]
        while await _status(demo, LIMITED) == 429:
            pass


async def _status(demo: DemoProvider, key: str) -> int:
    body = {"model": "small", "messages": [{"role": "user", "content": "hi"}]}
    async with httpx.AsyncClient(trust_env=False) as plain:
        answer = await plain.post(
            f"{demo.base_url}/v1/chat/completions", json=body, headers={"authorization": f"Bearer {key}"}
        )
        return answer.status_code


@BOTH
async def test_an_unknown_key_and_an_unknown_model_are_refused_as_the_vendor_does(
    api: str, demo: DemoProvider, client: HttpProviderClient
) -> None:
    failure = await failing(client, make_request(base(demo, api), api, key="demo-unknown-key"))
    assert (failure.reason, failure.status) == (FailureReason.AUTH, 401)
    failure = await failing(client, make_request(base(demo, api), api, key=FREE, model="gone"))
    assert (failure.reason, failure.status) == (FailureReason.MODEL_NOT_FOUND, 404)


async def test_models_are_listed_and_nonsense_is_answered(demo: DemoProvider) -> None:
    headers = {"authorization": f"Bearer {FREE}"}
    async with httpx.AsyncClient(trust_env=False, base_url=demo.base_url, headers=headers) as plain:
        assert [model["id"] for model in (await plain.get("/v1/models")).json()["data"]][:2] == ["small", "large"]
        assert (await plain.get("/models")).status_code == 200
        assert (await plain.get("/nothing")).status_code == 404
        assert (await plain.post("/v1/messages", content=b"[" * 50_000)).status_code == 400
        assert (await plain.post("/v1/messages", content=b'{"messages": []}')).status_code == 400
        assert (await plain.post("/v1/messages", json={"model": "small", "messages": [3]})).status_code == 200
        assert (await plain.get("/models", headers={"authorization": "Bearer x"})).status_code == 401


@pytest.mark.parametrize("length", ["99999999999999999999", "5000000", "-1", "x"])
async def test_a_body_that_is_too_long_is_not_read(length: str, demo: DemoProvider) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", int(demo.base_url.rpartition(":")[2]))
    writer.write(f"POST /v1/messages HTTP/1.1\r\nContent-Length: {length}\r\n\r\n".encode())
    async with asyncio.timeout(5):
        assert await reader.read() == b""
    writer.close()


async def test_leaving_the_block_ends_a_running_answer(client: HttpProviderClient) -> None:
    async with DemoProvider({FREE: DemoKey("acme:home")}) as demo:
        said = (Message(Role.USER, "a long story"),)
        pieces = client.complete(make_request(base(demo, OPENAI), key=FREE, messages=said))
        await first_piece(pieces)
    await pieces.aclose()


def test_what_was_asked_for_is_in_the_answer() -> None:
    answer = answer_to("write code ``` and list steps", model="small", key_name="acme:work", messages=3)
    assert len(re.findall("```", answer)) == 2
    assert "\n1. " in answer
    assert "message 3" in answer
    assert len(answer_to("a long story", model="small", key_name="acme:work", messages=1)) > 1500
