"""One table over the four wire formats: what is asked and where the credential travels."""

from collections.abc import AsyncIterator
from typing import Any

import pytest

from adapters.providers.registry import HttpProviderClient
from core.auth.profiles import CredentialKind
from core.errors import ProviderError
from core.sessions.history import Image, Message, Role
from tests.fakes.clock import FakeClock
from tests.fakes.provider_request import ALL, ANTHROPIC, GOOGLE, KEY, OPENAI, RESPONSES, ask, make_request
from tests.fakes.provider_server import ProviderServer

EVERY = pytest.mark.parametrize("api", ALL)
BOTH_WAYS = pytest.mark.parametrize("stream", [True, False], ids=["streamed", "plain"])
KINDS = CredentialKind
USER, BOT = Role.USER, Role.ASSISTANT
PNG, PNG_TEXT = Image("image/png", b"\x89PNG\r\n"), "iVBORw0K"
JPEG, JPEG_TEXT = Image("image/jpeg", b"\xff\xd8\xff"), "/9j/"
CREDENTIAL_HEADERS = ("authorization", "x-api-key", "x-goog-api-key", "api-key", "anthropic-beta", "cookie")


@pytest.fixture
async def server() -> AsyncIterator[ProviderServer]:
    async with ProviderServer() as running:
        yield running


@pytest.fixture
async def client(clock: FakeClock) -> AsyncIterator[HttpProviderClient]:
    made = HttpProviderClient(clock)
    yield made
    await made.close()


PATHS = {
    OPENAI: ("/v1/chat/completions", "/v1/chat/completions"),
    RESPONSES: ("/v1/responses", "/v1/responses"),
    ANTHROPIC: ("/v1/messages", "/v1/messages"),
    GOOGLE: ("/v1beta/models/small:streamGenerateContent?alt=sse", "/v1beta/models/small:generateContent"),
}


@EVERY
@BOTH_WAYS
async def test_each_format_has_its_own_place(
    api: str, stream: bool, server: ProviderServer, client: HttpProviderClient
) -> None:
    await ask(client, make_request(server, api, stream=stream))
    assert server.seen[0].path == PATHS[api][not stream]
    assert server.seen[0].headers["accept"] == ("text/event-stream" if stream else "application/json")
    assert server.seen[0].headers["content-type"] == "application/json"
    assert server.seen[0].headers["accept-encoding"] == "identity"


BEARER = {"authorization": f"Bearer {KEY}"}
LOGIN = "sk-ant-oat01-abcdef"


@pytest.mark.parametrize(
    ("api", "kind", "key", "headers"),
    [
        *(pytest.param(api, kind, KEY, BEARER, id=f"{api}-{kind}") for api in (OPENAI, RESPONSES) for kind in KINDS
          if kind not in (KINDS.NONE, KINDS.CLI)),
        *(pytest.param(ANTHROPIC, kind, KEY, {"x-api-key": KEY}, id=f"anthropic-{kind}") for kind in (
            KINDS.API_KEY, KINDS.ENV)),
        *(pytest.param(ANTHROPIC, kind, KEY, BEARER, id=f"anthropic-{kind}") for kind in (
            KINDS.TOKEN, KINDS.OAUTH)),
        pytest.param(ANTHROPIC, KINDS.ENV, LOGIN, {
            "authorization": f"Bearer {LOGIN}", "anthropic-beta": "oauth-2025-04-20"}, id="anthropic-login-in-env"),
        *(pytest.param(GOOGLE, kind, KEY, {"x-goog-api-key": KEY}, id=f"google-{kind}") for kind in (
            KINDS.API_KEY, KINDS.ENV)),
        *(pytest.param(GOOGLE, kind, KEY, BEARER, id=f"google-{kind}") for kind in (
            KINDS.TOKEN, KINDS.OAUTH)),
        pytest.param(GOOGLE, KINDS.ENV, "ya29.a0Af", {"authorization": "Bearer ya29.a0Af"}, id="google-login-in-env"),
    ],
)  # fmt: skip
async def test_a_credential_travels_in_one_header_and_never_in_the_address(
    api: str,
    kind: CredentialKind,
    key: str,
    headers: dict[str, str],
    server: ProviderServer,
    client: HttpProviderClient,
) -> None:
    for stream in (True, False):
        await ask(client, make_request(server, api, kind=kind, key=key, stream=stream))
    for seen in server.seen:
        assert {name: seen.headers[name] for name in CREDENTIAL_HEADERS if name in seen.headers} == headers
        assert key not in seen.path
        assert key not in str(seen.body)


@pytest.mark.parametrize("api", ALL)
async def test_the_login_of_a_program_is_never_sent_for_it(
    api: str, server: ProviderServer, client: HttpProviderClient
) -> None:
    with pytest.raises(ProviderError, match="is the login of a program, which alone sends it"):
        await ask(client, make_request(server, api, kind=KINDS.CLI))
    assert server.seen == []


TALK = (
    Message(USER, "look", (PNG,)),
    Message(USER, "and this", (JPEG, PNG)),
    Message(BOT, "I see"),
    Message(USER, "", (JPEG,)),
)


def _asked(api: str) -> Any:
    """TALK as the vendor's own documentation has it."""
    png, jpeg = f"data:image/png;base64,{PNG_TEXT}", f"data:image/jpeg;base64,{JPEG_TEXT}"
    if api == OPENAI:
        shown = [{"type": "image_url", "image_url": {"url": url}} for url in (png, jpeg, png, jpeg)]
        return {"messages": [
            {"role": "user", "content": [{"type": "text", "text": "look"}, shown[0]]},
            {"role": "user", "content": [{"type": "text", "text": "and this"}, *shown[1:3]]},
            {"role": "assistant", "content": "I see"},
            {"role": "user", "content": [shown[3]]},
        ]}  # fmt: skip
    if api == RESPONSES:
        shown = [{"type": "input_image", "image_url": url} for url in (png, jpeg, png, jpeg)]
        says = [
            ("user", [{"type": "input_text", "text": "look"}, shown[0]]),
            ("user", [{"type": "input_text", "text": "and this"}, *shown[1:3]]),
            ("assistant", [{"type": "output_text", "text": "I see"}]),
            ("user", [shown[3]]),
        ]
        return {"input": [{"type": "message", "role": role, "content": content} for role, content in says]}
    kinds = (("image/png", PNG_TEXT), ("image/jpeg", JPEG_TEXT), ("image/png", PNG_TEXT), ("image/jpeg", JPEG_TEXT))
    if api == ANTHROPIC:
        sources = [{"type": "base64", "media_type": kind, "data": data} for kind, data in kinds]
        blocks: list[Any] = [{"type": "image", "source": source} for source in sources]
        return {"messages": [
            {"role": "user", "content": [*blocks[:3], {"type": "text", "text": "look\n\nand this"}]},
            {"role": "assistant", "content": "I see"},
            {"role": "user", "content": blocks[3:]},
        ]}  # fmt: skip
    parts: list[Any] = [{"inlineData": {"mimeType": kind, "data": data}} for kind, data in kinds]
    return {"contents": [
        {"role": "user", "parts": [*parts[:3], {"text": "look\n\nand this"}]},
        {"role": "model", "parts": [{"text": "I see"}]},
        {"role": "user", "parts": parts[3:]},
    ]}  # fmt: skip


LIMITS: dict[str, dict[str, Any]] = {
    OPENAI: {"max_tokens": 50},
    RESPONSES: {"max_output_tokens": 50},
    ANTHROPIC: {"max_tokens": 50},
    GOOGLE: {"generationConfig": {"maxOutputTokens": 50}},
}
BESIDES: dict[str, dict[str, Any]] = {
    OPENAI: {"model": "small", "stream": True, "stream_options": {"include_usage": True}},
    RESPONSES: {"model": "small", "stream": True, "store": False},
    ANTHROPIC: {"model": "small", "stream": True},
    GOOGLE: {},
}


@EVERY
async def test_words_and_pictures_are_asked_in_the_vendors_shape(
    api: str, server: ProviderServer, client: HttpProviderClient
) -> None:
    await ask(client, make_request(server, api, messages=TALK, max_tokens=50))
    assert server.seen[0].body == {**_asked(api), **LIMITS[api], **BESIDES[api]}


async def test_responses_is_never_asked_for_less_than_the_vendor_allows(
    server: ProviderServer, client: HttpProviderClient
) -> None:
    await ask(client, make_request(server, RESPONSES, max_tokens=8))
    assert server.seen[0].body["max_output_tokens"] == 16


@pytest.mark.parametrize(
    ("model", "segment"),
    [
        ("models/gemini-3.1-pro", "gemini-3.1-pro"),
        ("tuned/x", "tuned%2Fx"),
        ("../../admin?key#x", "..%2F..%2Fadmin%3Fkey%23x"),
        ("..", ".."),
        ("grün", "gr%C3%BCn"),
    ],
)
async def test_googles_model_is_one_segment_of_the_path(
    model: str, segment: str, server: ProviderServer, client: HttpProviderClient
) -> None:
    await ask(client, make_request(server, GOOGLE, model=model))
    assert server.seen[0].path == f"/v1beta/models/{segment}:streamGenerateContent?alt=sse"


async def test_a_query_of_googles_base_url_stays(server: ProviderServer, client: HttpProviderClient) -> None:
    await ask(client, make_request(f"{server.base_url}/gw/v1beta/?team=7", GOOGLE))
    assert server.seen[0].path == "/gw/v1beta/models/small:streamGenerateContent?team=7&alt=sse"
