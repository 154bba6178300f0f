"""A provider's own list of models over real HTTP: what is asked, what is understood, and that it ends in time."""

import asyncio
import json
from collections.abc import AsyncIterator
from datetime import timedelta

import pytest
from aiohttp import web

from adapters.providers import model_list
from adapters.providers.registry import HttpProviderClient
from core.auth.profiles import AuthProfile, CredentialKind
from core.auth.secret import Secret
from core.errors import Failure, FailureReason, ProviderError
from core.models.catalog import Price, ProviderEntry
from core.models.listed import ListedModel
from tests.fakes.clock import FakeClock
from tests.fakes.provider_request import ANTHROPIC, KEY, OPENAI
from tests.fakes.provider_script import Raw, Step, drip, drop, ok, raw, slow, stall, status
from tests.fakes.provider_server import ProviderServer

GOOGLE, RESPONSES = "google-generative-ai", "openai-responses"
JSON = {"content-type": "application/json"}


@pytest.fixture
async def server() -> AsyncIterator[ProviderServer]:
    async with ProviderServer() as running:
        yield running


@pytest.fixture
async def client(clock: FakeClock) -> AsyncIterator[HttpProviderClient]:
    made = HttpProviderClient(clock)
    yield made
    await made.close()


def entry(server: ProviderServer | str, api: str = OPENAI, **changes: object) -> ProviderEntry:
    base = server if isinstance(server, str) else server.base_url if api == ANTHROPIC else server.openai_url
    return ProviderEntry(id="acme", base_url=base, api=api, **changes)  # type: ignore[arg-type]


def key(text: str = KEY, kind: CredentialKind = CredentialKind.API_KEY) -> AuthProfile:
    return AuthProfile(id="acme:work", provider="acme", kind=kind, secret=Secret(text))


def gives(payload: object) -> Raw:
    return raw(json.dumps(payload).encode(), headers=JSON)


async def listed(
    client: HttpProviderClient, where: ProviderEntry, profile: AuthProfile | None, clock: FakeClock, seconds: float = 5
) -> tuple[ListedModel, ...]:
    return await client.list_models(where, profile, clock.now() + timedelta(seconds=seconds))


async def failing(
    client: HttpProviderClient,
    where: ProviderEntry,
    clock: FakeClock,
    seconds: float = 5,
    profile: AuthProfile | None = None,
) -> Failure:
    with pytest.raises(ProviderError) as raised:
        await listed(client, where, profile or key(), clock, seconds)
    return raised.value.failure


ASKED = [
    pytest.param(OPENAI, key(), "/v1/models", {"authorization": f"Bearer {KEY}"}, id="openai"),
    pytest.param(RESPONSES, key(), "/v1/models", {"authorization": f"Bearer {KEY}"}, id="responses"),
    pytest.param(
        ANTHROPIC, key(), "/v1/models?limit=1000", {"x-api-key": KEY, "anthropic-version": "2023-06-01"}, id="anthropic"
    ),
    pytest.param(
        ANTHROPIC,
        key(KEY, CredentialKind.TOKEN),
        "/v1/models?limit=1000",
        {"authorization": f"Bearer {KEY}"},
        id="token",
    ),
    pytest.param(
        ANTHROPIC,
        key("sk-ant-oat01-x"),
        "/v1/models?limit=1000",
        {"authorization": "Bearer sk-ant-oat01-x", "anthropic-beta": "oauth-2025-04-20"},
        id="login",
    ),
    pytest.param(GOOGLE, key(), "/v1/models?pageSize=1000", {"x-goog-api-key": KEY}, id="google"),
    pytest.param(OPENAI, None, "/v1/models", {}, id="no credential"),
    pytest.param(
        OPENAI, AuthProfile(id="none:acme", provider="acme", kind=CredentialKind.NONE), "/v1/models", {}, id="keyless"
    ),
]


@pytest.mark.parametrize(("api", "profile", "path", "headers"), ASKED)
async def test_the_list_is_asked_for_as_the_api_kind_wants_it(
    api: str,
    profile: AuthProfile | None,
    path: str,
    headers: dict[str, str],
    server: ProviderServer,
    client: HttpProviderClient,
    clock: FakeClock,
) -> None:
    for held in ("", KEY, "sk-ant-oat01-x"):
        server.script[held] = [gives({"data": [], "models": []})]
    assert await listed(client, entry(server, api, headers=(("X-Tenant", "seven"),)), profile, clock) == ()
    (seen,) = server.seen
    assert (seen.path, seen.body, seen.headers["x-tenant"]) == (path, {}, "seven")
    secret = {"authorization", "x-api-key", "x-goog-api-key", "anthropic-beta"}
    assert {name: seen.headers[name] for name in {*headers, *secret} if name in seen.headers} == headers
    assert "content-length" not in seen.headers


OPENROUTER = {
    "id": "vendor/wide",
    "name": "Vendor: Wide",
    "context_length": 200000,
    "architecture": {"input_modalities": ["text", "Image", "text"]},
    "pricing": {"prompt": "0.000003", "completion": "0.000015", "input_cache_read": "0.0000003", "request": "0"},
    "top_provider": {"context_length": 100000, "max_completion_tokens": 64000},
}
CLAUDE = {
    "type": "model",
    "id": "claude-x",
    "display_name": "Claude X",
    "max_input_tokens": 200000,
    "max_tokens": 64000,
    "capabilities": {"image_input": {"supported": True}},
}
ENTRIES = [
    pytest.param({"id": "gpt-x", "object": "model", "owned_by": "a"}, ListedModel(id="gpt-x"), id="only an id"),
    pytest.param(
        OPENROUTER,
        ListedModel(
            id="vendor/wide",
            name="Vendor: Wide",
            context_window=200000,
            max_tokens=64000,
            inputs=("text", "image"),
            price=Price(input=3.0, output=15.0, cache_read=0.3),
        ),
        id="openrouter",
    ),
    pytest.param(
        {"id": "auto", "pricing": {"prompt": "-1", "completion": "-1"}},
        ListedModel(id="auto"),
        id="a price that depends",
    ),
    pytest.param(
        {"id": "free", "pricing": {"prompt": "0", "completion": "0"}},
        ListedModel(id="free", price=Price(input=0.0, output=0.0)),
        id="free",
    ),
    pytest.param(
        {"id": "g", "context_window": 131072, "max_completion_tokens": 9},
        ListedModel(id="g", context_window=131072, max_tokens=9),
        id="groq",
    ),
    pytest.param(
        {"id": "m", "max_context_length": 9, "capabilities": {"vision": False}},
        ListedModel(id="m", context_window=9, inputs=("text",)),
        id="mistral",
    ),
    pytest.param({"id": "v", "max_model_len": 4096}, ListedModel(id="v", context_window=4096), id="vllm"),
    pytest.param(
        CLAUDE,
        ListedModel(id="claude-x", name="Claude X", context_window=200000, max_tokens=64000, inputs=("text", "image")),
        id="anthropic",
    ),
    pytest.param(
        {"name": "models/gem", "displayName": "Gem", "inputTokenLimit": 7, "outputTokenLimit": 3},
        ListedModel(id="gem", name="Gem", context_window=7, max_tokens=3),
        id="google",
    ),
    pytest.param(
        {
            "id": " odd ",
            "name": 7,
            "context_length": -1,
            "max_tokens": True,
            "pricing": [],
            "architecture": "x",
            "capabilities": None,
        },
        ListedModel(id="odd"),
        id="odd fields",
    ),
    pytest.param({"id": "p", "pricing": {"prompt": "NaN", "completion": "1e400"}}, ListedModel(id="p"), id="no price"),
]


@pytest.mark.parametrize(("given", "model"), ENTRIES)
async def test_what_a_provider_tells_about_a_model(
    given: object, model: ListedModel, server: ProviderServer, client: HttpProviderClient, clock: FakeClock
) -> None:
    server.script[KEY] = [gives({"data": [given]}), gives([given])]
    assert await listed(client, entry(server), key(), clock) == (model,)
    assert await listed(client, entry(server), key(), clock) == (model,), "a bare array"


async def test_what_is_no_model_is_left_out_and_each_comes_once(
    server: ProviderServer, client: HttpProviderClient, clock: FakeClock
) -> None:
    entries = [
        None,
        7,
        {},
        {"id": ""},
        {"id": "a\x1b[2J"},
        {"id": "x" * 257},
        {"id": "a"},
        {"id": "a", "name": "again"},
    ]
    server.script[KEY] = [gives({"data": entries})]
    assert await listed(client, entry(server), key(), clock) == (ListedModel(id="a"),)


class TestPages:
    async def test_anthropics_pages_are_followed_to_the_last(
        self, server: ProviderServer, client: HttpProviderClient, clock: FakeClock
    ) -> None:
        server.script[KEY] = [
            gives({"data": [{"id": "a"}], "has_more": True, "last_id": "a"}),
            gives({"data": [{"id": "b"}], "has_more": False, "last_id": "b"}),
        ]
        found = await listed(client, entry(server, ANTHROPIC), key(), clock)
        assert [model.id for model in found] == ["a", "b"]
        assert [seen.path for seen in server.seen] == ["/v1/models?limit=1000", "/v1/models?limit=1000&after_id=a"]

    async def test_googles_too(self, server: ProviderServer, client: HttpProviderClient, clock: FakeClock) -> None:
        server.script[KEY] = [
            gives({"models": [{"name": "models/a"}], "nextPageToken": "t+1"}),
            gives({"models": [{"name": "models/b"}]}),
        ]
        found = await listed(client, entry(server, GOOGLE), key(), clock)
        assert [model.id for model in found] == ["a", "b"]
        assert server.seen[1].path == "/v1/models?pageSize=1000&pageToken=t%2B1"
        assert {seen.headers["x-goog-api-key"] for seen in server.seen} == {KEY}

    async def test_of_a_link_only_the_query_is_used(
        self, server: ProviderServer, client: HttpProviderClient, clock: FakeClock
    ) -> None:
        async with ProviderServer() as elsewhere:
            link = f"{elsewhere.base_url}/steal?offset=500"
            server.script[KEY] = [
                gives({"data": [{"id": "a"}], "links": {"next": link}}),
                gives({"data": [{"id": "b"}]}),
            ]
            assert len(await listed(client, entry(server), key(), clock)) == 2
            assert [seen.path for seen in server.seen] == ["/v1/models", "/v1/models?offset=500"]
            assert elsewhere.seen == []

    async def test_a_list_that_leads_in_a_circle_or_never_ends_does_end(
        self, server: ProviderServer, client: HttpProviderClient, clock: FakeClock
    ) -> None:
        server.script[KEY] = [gives({"data": [{"id": "a"}], "has_more": True, "last_id": "same"})] * 3
        assert len(await listed(client, entry(server, ANTHROPIC), key(), clock)) == 1
        assert len(server.seen) == 2
        server.seen.clear()
        pages = [gives({"data": [{"id": f"m{n}"}], "has_more": True, "last_id": f"m{n}"}) for n in range(40)]
        server.script[KEY] = list(pages)
        assert len(await listed(client, entry(server, ANTHROPIC), key(), clock)) == model_list.MOST_PAGES
        assert len(server.seen) == model_list.MOST_PAGES


REFUSED = [
    pytest.param(status(401), FailureReason.AUTH, 401, id="401"),
    pytest.param(
        status(403, body={"error": {"message": "This API key has been revoked."}}),
        FailureReason.AUTH_PERMANENT,
        403,
        id="revoked",
    ),
    pytest.param(status(429, {"retry-after": "7"}), FailureReason.RATE_LIMIT, 429, id="429"),
    pytest.param(
        status(429, body={"error": {"code": "insufficient_quota"}}), FailureReason.BILLING, 429, id="empty balance"
    ),
    pytest.param(status(402), FailureReason.BILLING, 402, id="402"),
    pytest.param(status(500), FailureReason.TIMEOUT, 500, id="500"),
    pytest.param(status(404), FailureReason.MODEL_NOT_FOUND, 404, id="404"),
    pytest.param(status(405), FailureReason.UNKNOWN, 405, id="405"),
    pytest.param(status(302, {"location": "http://127.0.0.1:1/"}), FailureReason.FORMAT, 302, id="redirect"),
    pytest.param(
        raw(b"<html>hi</html>", headers={"content-type": "text/html"}), FailureReason.FORMAT, 200, id="web page"
    ),
    pytest.param(
        gives({"error": {"message": "no", "code": "invalid_api_key"}}), FailureReason.AUTH, None, id="an error in a 200"
    ),
    pytest.param(gives({"models": 7}), FailureReason.FORMAT, None, id="no list"),
    pytest.param(ok("hello"), FailureReason.FORMAT, None, id="another answer"),
    pytest.param(raw(b"[1, 2", headers=JSON), FailureReason.NETWORK, None, id="cut off"),
    pytest.param(drop("half"), FailureReason.NETWORK, None, id="dropped"),
]


@pytest.mark.parametrize(("step", "reason", "code"), REFUSED)
@pytest.mark.parametrize("api", [OPENAI, ANTHROPIC])
async def test_a_refusal_is_classified_as_for_a_completion(
    api: str,
    step: Step,
    reason: FailureReason,
    code: int | None,
    server: ProviderServer,
    client: HttpProviderClient,
    clock: FakeClock,
) -> None:
    server.script[KEY] = [step]
    failure = await failing(client, entry(server, api), clock)
    assert (failure.reason, failure.status) == (reason, code)
    assert failure.detail


async def test_the_time_of_return_is_told(server: ProviderServer, client: HttpProviderClient, clock: FakeClock) -> None:
    server.script[KEY] = [status(429, {"retry-after": "7"})]
    failure = await failing(client, entry(server), clock)
    assert failure.retry_at == clock.now() + timedelta(seconds=7)


@pytest.mark.parametrize(
    ("where", "words"),
    [
        (ProviderEntry(id="c", base_url="", api="claude-cli"), 'The API kind "claude-cli" has no list of models.'),
        (entry("ftp://127.0.0.1"), "is not an http or https address"),
        (entry("http://user:word@127.0.0.1"), "holds a user name or password"),
    ],
)
async def test_what_cannot_be_asked_is_a_matter_of_form(
    where: ProviderEntry, words: str, client: HttpProviderClient, clock: FakeClock
) -> None:
    failure = await failing(client, where, clock)
    assert failure.reason is FailureReason.FORMAT
    assert words in failure.detail


@pytest.mark.parametrize("held", ["", "two words", "line\nbreak"])
async def test_a_credential_that_no_header_carries_is_not_sent(
    held: str, server: ProviderServer, client: HttpProviderClient, clock: FakeClock
) -> None:
    failure = await failing(client, entry(server), clock, profile=key(held))
    assert (failure.reason, server.seen) == (FailureReason.AUTH, [])


LATE = [
    pytest.param(slow(), id="silence"),
    pytest.param(stall("half"), id="stall"),
    pytest.param(drip("half"), id="drip"),
    pytest.param(raw(b'{"data": [', headers=JSON, hold=True), id="no end"),
    pytest.param(raw(b"x", headers=JSON, code=500, hold=True), id="an error without an end"),
]


@pytest.mark.parametrize("step", LATE)
async def test_the_deadline_holds_whatever_the_provider_does(
    step: Step, server: ProviderServer, client: HttpProviderClient, clock: FakeClock
) -> None:
    server.script[KEY] = [step]
    begun = asyncio.get_running_loop().time()
    failure = await failing(client, entry(server), clock, seconds=0.2)
    assert failure.reason is FailureReason.TIMEOUT
    assert asyncio.get_running_loop().time() - begun < 2
    await server.wait_abandoned()


async def test_a_body_that_trickles_or_never_ends_is_left_in_time(client: HttpProviderClient, clock: FakeClock) -> None:
    async def endless(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers=JSON)
        await response.prepare(request)
        piece = b" " if request.path.startswith("/drop") else b" " * 262144
        while True:
            await response.write(piece)
            await asyncio.sleep(0.01)

    app = web.Application()
    app.router.add_get("/{tail:.*}", endless)
    runner = web.AppRunner(app, handler_cancellation=True, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    base = f"http://127.0.0.1:{runner.addresses[0][1]}"
    try:
        assert (await failing(client, entry(f"{base}/drop"), clock, seconds=0.3)).reason is FailureReason.TIMEOUT
        much = await failing(client, entry(f"{base}/flood"), clock, seconds=5)
        assert (much.reason, "more than an answer" in much.detail) == (FailureReason.NETWORK, True)
    finally:
        await runner.cleanup()


async def test_a_deadline_that_has_passed_asks_nobody(
    server: ProviderServer, client: HttpProviderClient, clock: FakeClock
) -> None:
    assert (await failing(client, entry(server), clock, seconds=-1)).reason is FailureReason.TIMEOUT
    assert server.seen == []


async def test_cancelling_hangs_up(server: ProviderServer, client: HttpProviderClient, clock: FakeClock) -> None:
    server.script[KEY] = [slow()]
    task = asyncio.ensure_future(listed(client, entry(server), key(), clock, 60))
    await server.wait_seen(1)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await server.wait_abandoned()


@pytest.mark.parametrize("code", [401, 403, 400, 429, 500, 307])
async def test_a_provider_that_repeats_the_key_is_not_repeated(
    code: int, server: ProviderServer, client: HttpProviderClient, clock: FakeClock
) -> None:
    secret = "Zq7fK2mX9vB4tW8nR3yL6pD1"
    said = {"error": {"message": f"Bad key {secret}, {secret[:12]}…, Bearer {secret}"}}
    server.script[secret] = [status(code, {"location": f"http://127.0.0.1:1/?k={secret}"}, said)]
    with pytest.raises(ProviderError) as raised:
        await listed(client, entry(server), key(secret), clock)
    shown = repr(raised.value.failure) + str(raised.value)
    assert not any(secret[i : i + 8] in shown for i in range(len(secret) - 7))
    assert raised.value.__context__ is None
