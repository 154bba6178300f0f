"""Against a provider that is not ours: llmock, in a process of its own."""

import os
import socket
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from adapters.providers.registry import HttpProviderClient
from core.errors import FailureReason
from core.models.catalog import ProviderEntry
from core.sessions.history import Image, Message, Role
from tests.fakes.clock import FakeClock
from tests.fakes.provider_request import ALL, ANTHROPIC, GOOGLE, OPENAI, RESPONSES, ask, failing, make_request

pytestmark = pytest.mark.xdist_group("llmock")  # one server is enough

BASES = {OPENAI: "/v1", RESPONSES: "/v1", ANTHROPIC: "/anthropic", GOOGLE: "/gemini/v1beta"}
NAMES = {OPENAI: "openai", RESPONSES: "openai", ANTHROPIC: "anthropic", GOOGLE: "gemini"}
EVERY = pytest.mark.parametrize("api", ALL)


@pytest.fixture(scope="module")
def llmock(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The server's address, once it answers. Three requests a minute for each key."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    program = Path(sys.executable).with_name("llmock")
    log = tmp_path_factory.mktemp("llmock") / "log"
    with log.open("wb") as out:
        process = subprocess.Popen(
            [program, "serve", "--host", "127.0.0.1", "--port", str(port), "--rpm", "3", "--log-level", "warning"],
            stdout=out,
            stderr=out,
            env={"PATH": os.environ["PATH"], "HOME": str(log.parent)},
        )
        base = f"http://127.0.0.1:{port}"
        try:
            _wait_until_ready(process, base, log)
            yield base
        finally:
            process.terminate()
            process.wait(10)


def _wait_until_ready(process: subprocess.Popen[bytes], base: str, log: Path) -> None:
    ends = time.monotonic() + 30
    while time.monotonic() < ends and process.poll() is None:
        try:
            httpx.get(f"{base}/health", trust_env=False).raise_for_status()
        except httpx.HTTPError:
            time.sleep(0.05)
        else:
            return
    pytest.fail(f"llmock did not start: {log.read_text()}")


@pytest.fixture
async def client(llmock: str, clock: FakeClock) -> AsyncIterator[HttpProviderClient]:
    await admin(llmock, "POST", "reset")
    made = HttpProviderClient(clock)
    yield made
    await made.close()


async def admin(llmock: str, method: str, path: str, body: object = None) -> Any:
    async with httpx.AsyncClient(trust_env=False) as plain:
        answer = await plain.request(method, f"{llmock}/_llmock/{path}", json=body)
    assert answer.is_success, answer.text
    return answer.json()


async def script(llmock: str, api: str, **behavior: object) -> None:
    await admin(llmock, "POST", "scenario", {"behaviors": [{**behavior, "match": {"provider": NAMES[api]}}]})


@EVERY
async def test_streamed_and_plain_answers_have_text_and_usage(
    api: str, llmock: str, client: HttpProviderClient
) -> None:
    pieces, streamed = await ask(client, make_request(llmock + BASES[api], api, model="some-model"))
    assert len(pieces) > 1
    assert "".join(pieces) == streamed.text
    _, plain = await ask(client, make_request(llmock + BASES[api], api, model="some-model", stream=False))
    assert plain.text
    for done in (streamed, plain):
        assert done.usage.input_tokens > 0
        assert done.usage.output_tokens > 0


@EVERY
async def test_a_conversation_with_pictures_is_accepted(api: str, llmock: str, client: HttpProviderClient) -> None:
    picture = Image("image/png", b"\x89PNG")
    talk = (Message(Role.USER, "look", (picture,)), Message(Role.ASSISTANT, "yes"), Message(Role.USER, "", (picture,)))
    request = make_request(llmock + BASES[api], api, model="some-model", messages=talk, max_tokens=300)
    assert (await ask(client, request))[1].text


@EVERY
@pytest.mark.parametrize("stream", [True, False])
async def test_the_fourth_request_of_a_minute_waits_as_long_as_the_server_says(
    api: str, stream: bool, llmock: str, client: HttpProviderClient, clock: FakeClock
) -> None:
    request = make_request(llmock + BASES[api], api, key=f"one-{api}-{stream}", model="some-model", stream=stream)
    for _ in range(3):
        await ask(client, request)
    failure = await failing(client, request)
    assert (failure.reason, failure.status) == (FailureReason.RATE_LIMIT, 429)
    assert failure.retry_at is not None
    assert 0 < (failure.retry_at - clock.now()).total_seconds() <= 21  # one in twenty seconds, rounded up
    assert failure.detail
    await ask(client, make_request(llmock + BASES[api], api, key=f"two-{api}-{stream}", model="some-model"))


@EVERY
@pytest.mark.parametrize(
    ("status", "reason"),
    [
        (400, FailureReason.FORMAT),
        (401, FailureReason.AUTH),
        (403, FailureReason.AUTH),
        (404, FailureReason.MODEL_NOT_FOUND),
        (500, FailureReason.TIMEOUT),
        (503, FailureReason.OVERLOADED),
        (529, FailureReason.OVERLOADED),
    ],
)
async def test_the_vendors_error_bodies_are_classified(
    api: str, status: int, reason: FailureReason, llmock: str, client: HttpProviderClient
) -> None:
    await script(llmock, api, type="fail", status=status)
    failure = await failing(client, make_request(llmock + BASES[api], api, model="some-model"))
    assert (failure.reason, failure.status) == (reason, status)
    assert failure.detail


@EVERY
@pytest.mark.parametrize("fault", ["disconnect", "truncate", "malformed", "stall"])
async def test_a_faulty_stream_is_never_taken_for_an_answer(
    api: str, fault: str, llmock: str, client: HttpProviderClient
) -> None:
    await script(llmock, api, type="stream_fault", kind=fault, after_chunks=3)
    request = make_request(llmock + BASES[api], api, model="some-model", silence=0.3)
    failure = await failing(client, request)
    assert failure.reason is (FailureReason.TIMEOUT if fault == "stall" else FailureReason.NETWORK)
    assert (await ask(client, request))[1].text
    if fault != "stall":  # its judge would wait for the silent connection
        verdict = await admin(llmock, "GET", "verdict")
        assert verdict["passed"], verdict["findings"]


@EVERY
async def test_its_own_list_of_models_is_read(
    api: str, llmock: str, client: HttpProviderClient, clock: FakeClock
) -> None:
    request = make_request(llmock + BASES[api], api)
    provider = ProviderEntry(id="acme", base_url=request.endpoint.base_url, api=api)
    found = await client.list_models(provider, request.profile, clock.now() + timedelta(seconds=10))
    assert found
    assert all(model.id for model in found)
