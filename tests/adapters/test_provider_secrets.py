"""No character of a credential leaves by an error, a log line or a redirect."""

import asyncio
import base64
import logging
import pickle
import traceback
from collections.abc import AsyncIterator
from types import TracebackType
from urllib.parse import quote

import pytest

from adapters.providers.redaction import Redactor
from adapters.providers.registry import HttpProviderClient
from core.auth.profiles import CredentialKind
from core.errors import FailureReason
from tests.fakes.clock import FakeClock
from tests.fakes.provider_request import ALL, ask, failing, make_request, provider_error
from tests.fakes.provider_script import Ok, Step, drop, error_event, malformed, ok, raw, slow, status, truncated
from tests.fakes.provider_server import ProviderServer

RANDOM = "Zq7fK2mX9vB4tW8nR3yL6pD1"
CANARIES = [
    pytest.param(f"sk-canary-{RANDOM}", CredentialKind.API_KEY, id="key"),
    pytest.param(f"sk-ant-oat01-{RANDOM}", CredentialKind.TOKEN, id="login-token"),
    pytest.param(f"{RANDOM}/+{RANDOM}==", CredentialKind.OAUTH, id="opaque"),
]


@pytest.fixture
async def server() -> AsyncIterator[ProviderServer]:
    async with ProviderServer() as running:
        yield running


@pytest.fixture
async def client(clock: FakeClock) -> AsyncIterator[HttpProviderClient]:
    made = HttpProviderClient(clock)
    yield made
    await made.close()


@pytest.fixture
def everything_logged(caplog: pytest.LogCaptureFixture) -> pytest.LogCaptureFixture:
    for name in ("", "httpx", "httpcore", "aiohttp.client", "aiohttp.internal", "asyncio"):
        caplog.set_level(logging.DEBUG, logger=name)
    return caplog


def leaks(text: str) -> list[str]:
    """Runs of eight characters of the canary's random part that the text shows, plain or encoded."""
    found = []
    for shift in range(3):
        encoded = base64.b64encode(b"." * shift + RANDOM.encode()).decode()[4:-4]
        found += [encoded[i : i + 8] for i in range(len(encoded) - 7) if encoded[i : i + 8] in text]
    return found + [RANDOM[i : i + 8] for i in range(len(RANDOM) - 7) if RANDOM[i : i + 8] in text]


def every_rendering(error: BaseException) -> str:
    """Words, repr, and tracebacks with the local variables of every frame, of the error and of all behind it."""
    shown = [str(error), repr(error), repr(getattr(error, "failure", "")), repr(vars(error))]
    todo: list[BaseException | None] = [error]
    while todo:
        behind = todo.pop()
        if behind is None:
            continue
        shown += traceback.format_exception(behind)
        shown += _locals(behind.__traceback__)
        todo += [behind.__cause__, behind.__context__]
    return "\n".join(shown)


def _locals(trace: TracebackType | None) -> list[str]:
    """Local variables of the product's and its libraries' frames, as a crash reporter shows them; mappings in full."""
    shown = []
    while trace is not None:
        if "/tests/" not in trace.tb_frame.f_code.co_filename:
            for value in trace.tb_frame.f_locals.values():
                shown += [repr(value), repr(dict(value)) if hasattr(value, "keys") else ""]
        trace = trace.tb_next
    return shown


def _echo(key: str) -> list[Step]:
    """What a provider can do with a key: refuse it and repeat it, whole, cut, encoded; or break at any point."""
    coded = base64.b64encode(f"user:{key}".encode()).decode()
    said = f"Bad key {key} ({key[:-3]}…, {coded}, {quote(key, safe='')}) in Authorization: Bearer {key}"
    error = {"type": "error", "error": {"message": said, "type": said, "code": said, "param": key}}
    return [
        ok("fine"),
        status(401, body=error),
        status(401, body=said),
        status(429, {"retry-after": key, "x-echo": key, "set-cookie": f"a={key}; Expires={key}"}, error),
        status(400, body={"error": {"message": "x" * 290 + said}}),
        status(307, {"location": f"http://127.0.0.1:1/?key={key}"}),
        error_event(error, "half"),
        error_event({"error": said, "detail": said}, "half"),
        drop("half"),
        truncated("half"),
        malformed("half"),
        raw(f"data: {{{key}\n\n".encode()),
        raw(f"<html>{key}</html>".encode(), headers={"content-type": "text/html"}),
        slow(),
    ]


@pytest.mark.parametrize("api", ALL)
@pytest.mark.parametrize("stream", [True, False])
@pytest.mark.parametrize(("key", "kind"), CANARIES)
async def test_no_outcome_shows_a_credential_anywhere(
    api: str,
    stream: bool,
    key: str,
    kind: CredentialKind,
    server: ProviderServer,
    client: HttpProviderClient,
    everything_logged: pytest.LogCaptureFixture,
) -> None:
    steps = _echo(key)
    server.script[key] = list(steps)
    request = make_request(server, api, key=key, kind=kind, stream=stream, first_byte=0.2)
    assert leaks(repr(request)) == []
    for step in steps:
        if isinstance(step, Ok):
            await ask(client, request)
            continue
        error = await provider_error(client, request)
        assert leaks(every_rendering(error)) == [], step
        assert (error.__cause__, error.__context__) == (None, None)
        assert leaks(repr(pickle.dumps(error.failure))) == []
    assert [seen.key for seen in server.seen] == [key] * len(steps)
    assert leaks(everything_logged.text) == []


async def test_no_failure_of_transport_shows_a_credential(
    client: HttpProviderClient, everything_logged: pytest.LogCaptureFixture
) -> None:
    key = f"sk-canary-{RANDOM}"
    for base in ("http://127.0.0.1:1/v1", "http://[::1/v1", f"http://{key}@127.0.0.1:1", f"nothing {key}"):
        error = await provider_error(client, make_request(base, key=key))
        assert leaks(error.failure.detail) == []
    configured = (("X-Api-Key", f"other-{RANDOM}"), ("X-Odd", "é\n"))
    error = await provider_error(client, make_request("http://127.0.0.1:1/v1", headers=configured, key="k" * 20))
    assert error.failure.reason is FailureReason.FORMAT
    assert leaks(every_rendering(error)) == []
    assert leaks(everything_logged.text) == []


async def test_a_cancelled_call_carries_no_frame_that_knows_the_credential(
    server: ProviderServer, client: HttpProviderClient
) -> None:
    key = f"sk-canary-{RANDOM}"
    server.script[key] = [slow()]
    with pytest.raises(TimeoutError) as caught:
        async with asyncio.timeout(0.1):
            await ask(client, make_request(server, key=key))
    assert leaks(every_rendering(caught.value)) == []


@pytest.mark.parametrize("code", [301, 302, 303, 307, 308])
@pytest.mark.parametrize("api", ALL)
async def test_a_redirect_is_a_failure_and_nothing_follows_it(
    code: int, api: str, server: ProviderServer, client: HttpProviderClient
) -> None:
    async with ProviderServer() as elsewhere:
        for target in (elsewhere.openai_url, f"//{elsewhere.base_url.removeprefix('http://')}/x", "/v1/other"):
            server.script["secret-key-1"] = [status(code, {"location": target})]
            failure = await failing(client, make_request(server, api, key="secret-key-1"))
            assert (failure.reason, failure.status) == (FailureReason.FORMAT, code)
            assert "redirects" in failure.detail
        assert elsewhere.seen == []
        assert len(server.seen) == 3


async def test_one_credentials_cookies_do_not_reach_the_next(
    server: ProviderServer, client: HttpProviderClient
) -> None:
    headers = {"content-type": "application/json", "set-cookie": "who=first; Path=/"}
    answer = b'{"choices":[{"message":{"content":"x"},"finish_reason":"stop"}]}'
    server.script["key-of-first"] = [raw(answer, headers=headers)]
    await ask(client, make_request(server, key="key-of-first"))
    await ask(client, make_request(server, key="key-of-second"))
    assert "cookie" not in server.seen[1].headers


async def test_the_environment_has_no_say_in_the_way(
    server: ProviderServer, client: HttpProviderClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with ProviderServer() as proxy:
        for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
            monkeypatch.setenv(name, proxy.base_url)
        await ask(client, make_request(server))
        assert (len(server.seen), proxy.seen) == (1, [])


@pytest.mark.parametrize(
    ("said", "clean"),
    [
        pytest.param("Incorrect key: sk-proj-****abcd.", "Incorrect key: ***", id="masked-by-the-provider"),
        pytest.param("header Bearer abc12345 refused", "header Bearer *** refused", id="bearer"),
        pytest.param("Bearer authentication is required", "Bearer authentication is required", id="prose"),
        pytest.param("gsk_a1b2c3d4 is wrong", "*** is wrong", id="other-vendor"),
        pytest.param("token ya29.a0AfB_by is old", "token *** is old", id="google-login"),
        pytest.param("key_not_found", "key_not_found", id="a-code-is-no-key"),
        pytest.param("token eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIx.abc is old", "token *** is old", id="jwt"),
        pytest.param("short pass is wrong", "short *** is wrong", id="short-secret-by-value"),
        pytest.param("  a\r\n\tb\u202e c\x00d ", "a b c d", id="one-printable-line"),
    ],
)
def test_a_sentence_is_cleaned(said: str, clean: str) -> None:
    assert Redactor(["pass"]).clean(said) == clean


def test_half_a_secret_at_the_cut_is_gone_too() -> None:
    line = Redactor([RANDOM]).clean("x" * 290 + " " + RANDOM)
    assert (len(line), leaks(line)) == (294, [])
