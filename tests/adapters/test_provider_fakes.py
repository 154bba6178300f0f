"""The fakes that other tests trust."""

import asyncio
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest

from core.chat.completion import Completed, TextDelta
from core.errors import Failure, FailureReason, ProviderError
from tests.fakes.provider_client import Breaks, FakeProviderClient, Held
from tests.fakes.provider_request import make_request
from tests.fakes.provider_script import slow, stall, status
from tests.fakes.provider_server import ThreadedProviderServer

BODY = {"model": "m", "messages": [{"role": "user", "content": "hi"}]}


def _post(server: ThreadedProviderServer, key: str, stream: bool = False) -> httpx.Response:
    headers = {"x-api-key": key}
    with httpx.Client(trust_env=False, timeout=5) as client:
        return client.post(f"{server.openai_url}/chat/completions", json={**BODY, "stream": stream}, headers=headers)


def test_a_server_in_a_thread_records_and_answers_by_key() -> None:
    with ThreadedProviderServer() as server:
        server.script["key-1234"] = [status(429, {"retry-after": "3"})]
        assert _post(server, "key-1234").headers["retry-after"] == "3"
        assert _post(server, "key-1234").json()["choices"][0]["message"]["content"] == "served-by:1234"
        assert [(seen.key, seen.model, seen.path) for seen in server.seen] == [
            ("key-1234", "m", "/v1/chat/completions")
        ] * 2
        assert server.seen[0].body["messages"] == BODY["messages"]


@pytest.mark.parametrize(("step", "stream"), [(slow("late"), False), (stall("la", "te"), True)])
def test_a_held_answer_goes_on_when_it_is_released(step: object, stream: bool) -> None:
    with ThreadedProviderServer() as server, ThreadPoolExecutor() as pool:
        server.script["key-1234"] = [step]  # type: ignore[list-item]
        answer = pool.submit(_post, server, "key-1234", stream)
        server.wait_seen(1)
        assert not answer.done()
        server.release()
        assert "te" in answer.result(5).text


async def test_the_fake_client_follows_its_script_by_profile() -> None:
    client = FakeProviderClient()
    limit, broken = Failure(reason=FailureReason.RATE_LIMIT), Failure(reason=FailureReason.NETWORK)
    held = Held("late")
    client.script["acme:work"] = ["one two", limit, FailureReason.BILLING, Breaks("half", broken), held]
    request = make_request("http://provider.example")
    told = [piece async for piece in client.complete(request)]
    assert told[:2] == [TextDelta("one "), TextDelta("two")]
    assert isinstance(told[2], Completed)
    for reason in (FailureReason.RATE_LIMIT, FailureReason.BILLING, FailureReason.NETWORK):
        with pytest.raises(ProviderError) as caught:
            _ = [piece async for piece in client.complete(request)]
        assert caught.value.failure.reason is reason
    waiting = asyncio.ensure_future(anext(client.complete(request)))
    await held.started.wait()
    held.release.set()
    assert await waiting == TextDelta("late")
    assert (await anext(client.complete(request))) == TextDelta("served-by:acme:work")
    assert client.served == ["acme:work"] * 6
