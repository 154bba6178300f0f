"""What goes over the wire and what comes back, over real HTTP: every format, streamed and plain."""

from collections.abc import AsyncIterator
from dataclasses import replace

import pytest

from adapters.providers.endpoint import call_url
from adapters.providers.registry import API_KINDS, HttpProviderClient
from core.auth.profiles import AuthProfile, CredentialKind
from core.chat.completion import Usage
from core.errors import FailureReason, ProviderError
from core.sessions.history import Message, Role
from tests.fakes.clock import FakeClock
from tests.fakes.provider_request import ALL, ANTHROPIC, KEY, OPENAI, ask, failing, make_request
from tests.fakes.provider_script import ok, raw, status
from tests.fakes.provider_server import ProviderServer

LIMIT, BILLING = FailureReason.RATE_LIMIT, FailureReason.BILLING
EVERY = pytest.mark.parametrize("api", ALL)


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
async def test_a_stream_comes_in_pieces_and_ends_with_the_whole(
    api: str, server: ProviderServer, client: HttpProviderClient
) -> None:
    server.script[KEY] = [ok("Grüße an 🦀 alle", tokens=(11, 4))]
    pieces, done = await ask(client, make_request(server, api))
    assert pieces == ["Grüße ", "an ", "🦀 ", "alle"]
    assert (done.text, done.usage) == ("Grüße an 🦀 alle", Usage(11, 4))
    assert done.stop_reason == "stop"


@EVERY
async def test_a_plain_call_has_no_pieces(api: str, server: ProviderServer, client: HttpProviderClient) -> None:
    server.script[KEY] = [ok("all at once", tokens=(11, 4))]
    pieces, done = await ask(client, make_request(server, api, stream=False))
    assert (pieces, done.text, done.usage) == ([], "all at once", Usage(11, 4))


@EVERY
@pytest.mark.parametrize("stream", [True, False])
async def test_an_empty_answer_is_an_answer(
    api: str, stream: bool, server: ProviderServer, client: HttpProviderClient
) -> None:
    server.script[KEY] = [ok("")]
    pieces, done = await ask(client, make_request(server, api, stream=stream))
    assert (pieces, done.text) == ([], "")


async def test_openai_carries_a_bearer_and_asks_for_usage(server: ProviderServer, client: HttpProviderClient) -> None:
    await ask(client, make_request(server, OPENAI, max_tokens=50))
    seen = server.seen[0]
    assert (seen.path, seen.key, seen.model) == ("/v1/chat/completions", KEY, "small")
    assert seen.headers["authorization"] == f"Bearer {KEY}"
    assert seen.body["messages"] == [{"role": "user", "content": "hello"}]
    assert seen.body["stream_options"] == {"include_usage": True}
    assert seen.body["max_tokens"] == 50


async def test_a_plain_openai_call_asks_for_nothing_special(server: ProviderServer, client: HttpProviderClient) -> None:
    await ask(client, make_request(server, OPENAI, stream=False))
    assert set(server.seen[0].body) == {"model", "messages", "stream"}


@pytest.mark.parametrize(
    ("kind", "key", "bearer"),
    [
        pytest.param(CredentialKind.API_KEY, KEY, False, id="api-key"),
        pytest.param(CredentialKind.ENV, KEY, False, id="environment"),
        pytest.param(CredentialKind.TOKEN, KEY, True, id="token"),
        pytest.param(CredentialKind.OAUTH, KEY, True, id="oauth"),
        pytest.param(CredentialKind.ENV, "sk-ant-oat01-abcdef", True, id="login-token-in-the-environment"),
    ],
)
async def test_anthropic_takes_keys_and_tokens_in_different_headers(
    kind: CredentialKind, key: str, bearer: bool, server: ProviderServer, client: HttpProviderClient
) -> None:
    await ask(client, make_request(server, ANTHROPIC, kind=kind, key=key))
    headers = server.seen[0].headers
    assert (server.seen[0].path, server.seen[0].body["max_tokens"]) == ("/v1/messages", 8192)
    assert headers["anthropic-version"] == "2023-06-01"
    assert headers.get("authorization") == (f"Bearer {key}" if bearer else None)
    assert headers.get("x-api-key") == (None if bearer else key)
    assert headers.get("anthropic-beta") == ("oauth-2025-04-20" if key.startswith("sk-ant-oat") else None)


async def test_anthropic_gets_alternating_roles_and_no_empty_message(
    server: ProviderServer, client: HttpProviderClient
) -> None:
    user, bot = Role.USER, Role.ASSISTANT
    said = ((user, "one"), (user, "two"), (bot, " "), (user, "three"), (bot, "four"), (user, "five"))
    await ask(client, make_request(server, ANTHROPIC, messages=tuple(Message(role, text) for role, text in said)))
    assert server.seen[0].body["messages"] == [
        {"role": "user", "content": "one\n\ntwo\n\nthree"},
        {"role": "assistant", "content": "four"},
        {"role": "user", "content": "five"},
    ]


@pytest.mark.parametrize(
    ("base", "path", "not_doubled", "url"),
    [
        pytest.param(
            "https://a.example/v1", "/chat/completions", "", "https://a.example/v1/chat/completions", id="plain"
        ),
        pytest.param(
            "https://a.example/v1/", "/chat/completions", "", "https://a.example/v1/chat/completions", id="slash"
        ),
        pytest.param("https://a.example", "/v1/messages", "/v1", "https://a.example/v1/messages", id="anthropic"),
        pytest.param("https://a.example/v1", "/v1/messages", "/v1", "https://a.example/v1/messages", id="not-doubled"),
        pytest.param(
            "https://a.example/v1/", "/v1/messages", "/v1", "https://a.example/v1/messages", id="not-doubled-/"
        ),
        pytest.param(
            "https://a.example/x/", "/v1/messages", "/v1", "https://a.example/x/v1/messages", id="in-a-folder"
        ),
        pytest.param("https://a.example/o?v=2", "/chat", "", "https://a.example/o/chat?v=2", id="query-kept"),
        pytest.param("https://a.example/a%2Fb", "/chat", "", "https://a.example/a%2Fb/chat", id="escape-kept"),
        pytest.param("http://[::1]:8080/v1#x", "/chat", "", "http://[::1]:8080/v1/chat", id="ipv6-no-fragment"),
    ],
)
def test_a_base_url_is_completed(base: str, path: str, not_doubled: str, url: str) -> None:
    assert str(call_url(base, path, not_doubled=not_doubled)) == url


@pytest.mark.parametrize(
    "base", ["", "a.example/v1", "ftp://a.example", "http://", "https://user:word@a.example/", "http://a:99999/"]
)
def test_what_is_no_plain_address_is_refused(base: str) -> None:
    with pytest.raises(ProviderError) as caught:
        call_url(base, "/chat")
    assert caught.value.failure.reason is FailureReason.FORMAT
    assert "base_url" in caught.value.failure.detail


async def test_headers_of_the_config_are_sent_but_never_in_place_of_the_credential(
    server: ProviderServer, client: HttpProviderClient
) -> None:
    configured = (("X-Team", "blue"), ("Authorization", "Bearer other"))
    await ask(client, make_request(server, headers=configured))
    assert server.seen[0].headers["x-team"] == "blue"
    assert server.seen[0].headers["authorization"] == f"Bearer {KEY}"


@pytest.mark.parametrize("profile", [None, AuthProfile(id="none:acme", provider="acme", kind=CredentialKind.NONE)])
async def test_a_keyless_provider_gets_no_credential(
    profile: AuthProfile | None, server: ProviderServer, client: HttpProviderClient
) -> None:
    await ask(client, replace(make_request(server), profile=profile))
    assert "authorization" not in server.seen[0].headers


@pytest.mark.parametrize(
    ("key", "words"),
    [
        pytest.param("", "holds no secret", id="empty"),
        pytest.param("two words", "no request can carry", id="blank-inside"),
        pytest.param("line\nbreak: x", "no request can carry", id="header-injection"),
        pytest.param("schlüssel", "no request can carry", id="not-ascii"),
    ],
)
async def test_a_credential_that_cannot_be_sent_is_not_sent(
    key: str, words: str, server: ProviderServer, client: HttpProviderClient
) -> None:
    failure = await failing(client, make_request(server, key=key))
    assert failure.reason is FailureReason.AUTH
    assert "acme:work" in failure.detail
    assert words in failure.detail
    assert server.seen == []


async def test_blanks_around_a_credential_are_not_part_of_it(
    server: ProviderServer, client: HttpProviderClient
) -> None:
    await ask(client, make_request(server, key=f"{KEY}\n"))
    assert server.seen[0].key == KEY


async def test_an_unknown_api_kind_is_named_with_the_known_ones(
    server: ProviderServer, client: HttpProviderClient
) -> None:
    failure = await failing(client, make_request(server, "smoke-signals"))
    assert failure.reason is FailureReason.FORMAT
    assert "smoke-signals" in failure.detail
    assert all(kind in failure.detail for kind in API_KINDS)


@EVERY
@pytest.mark.parametrize("stream", [True, False])
async def test_a_refusal_is_classified_with_status_time_and_sentence(
    api: str, stream: bool, server: ProviderServer, client: HttpProviderClient, clock: FakeClock
) -> None:
    server.script[KEY] = [status(429, {"Retry-After": "7"}), status(401), status(529, body="<html><p>busy</p></html>")]
    request = make_request(server, api, stream=stream)
    limited, refused, busy = [await failing(client, request) for _ in range(3)]
    assert (limited.reason, limited.status) == (FailureReason.RATE_LIMIT, 429)
    assert limited.retry_at is not None
    assert (limited.retry_at - clock.now()).total_seconds() == 7
    assert limited.detail == "refused with 429"
    assert (refused.reason, refused.retry_at) == (FailureReason.AUTH, None)
    assert (busy.reason, busy.detail) == (FailureReason.OVERLOADED, f"{server.base_url} answered with status 529")


@pytest.mark.parametrize(
    ("body", "reason", "detail"),
    [
        pytest.param(
            {"error": {"message": "no money", "code": "insufficient_quota"}}, BILLING, "no money", id="openai"
        ),
        pytest.param([{"error": {"code": 429, "message": "quota", "status": "X"}}], LIMIT, "quota", id="google"),
        pytest.param({"error": "slow down"}, LIMIT, "slow down", id="text"),
        pytest.param({"detail": "slow down"}, LIMIT, "slow down", id="detail"),
        pytest.param({"message": "slow\n\tdown\x1b[31m"}, LIMIT, "slow down [31m", id="one-line"),
        pytest.param("slow down", LIMIT, "slow down", id="plain-text"),
        pytest.param({"error": {"message": '{"nested": 1}'}}, LIMIT, None, id="json-in-json"),
        pytest.param({"error": {"message": "x" * 5000}}, LIMIT, "x" * 299 + "…", id="long"),
        pytest.param(b"\xff\xfe\x00", LIMIT, None, id="bytes"),
        pytest.param("[" * 60_000, LIMIT, None, id="deep"),
        pytest.param("z" * 200_000, LIMIT, "z" * 299 + "…", id="endless"),
    ],
)
async def test_the_sentence_of_any_error_body_is_found(
    body: object, reason: FailureReason, detail: str | None, server: ProviderServer, client: HttpProviderClient
) -> None:
    server.script[KEY] = [status(429, body=body)]
    failure = await failing(client, make_request(server))
    assert failure.reason is reason
    if detail is not None:
        assert failure.detail == detail
    assert "\n" not in failure.detail
    assert len(failure.detail) <= 300


async def test_json_in_answer_to_a_stream_is_taken(server: ProviderServer, client: HttpProviderClient) -> None:
    answer = b'{"choices":[{"message":{"content":"whole"},"finish_reason":"stop"}]}'
    server.script[KEY] = [raw(answer, headers={"content-type": "application/json"})]
    pieces, done = await ask(client, make_request(server))
    assert (pieces, done.text) == ([], "whole")


async def test_connections_are_used_again(server: ProviderServer, client: HttpProviderClient) -> None:
    ports = set()
    server.script[KEY] = [ok("a b c")] * 4
    for stream in (True, False, True, False):
        await ask(client, make_request(server, stream=stream))
        ports.add(server.seen[-1].peer)
    assert len(ports) == 1
