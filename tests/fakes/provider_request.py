"""Builders for calls to a ProviderServer: only what a test is about is spelled out."""

from collections.abc import AsyncIterator
from datetime import timedelta

from adapters.providers.registry import HttpProviderClient
from core.auth.profiles import AuthProfile, CredentialKind
from core.auth.secret import Secret
from core.chat.completion import Completed, CompletionRequest, Counted, Endpoint, TextDelta, Timeouts
from core.errors import Failure, ProviderError
from core.sessions.history import Message, Role
from tests.fakes.provider_server import ProviderServer

OPENAI = "openai-completions"
ANTHROPIC = "anthropic-messages"
RESPONSES = "openai-responses"
GOOGLE = "google-generative-ai"
ALL = (OPENAI, RESPONSES, ANTHROPIC, GOOGLE)
_BASES = {OPENAI: "/v1", RESPONSES: "/v1", ANTHROPIC: "", GOOGLE: "/v1beta"}
KEY = "demo-7f3a9c51e8b24d06"


def make_request(
    server: ProviderServer | str,
    api: str = OPENAI,
    *,
    key: str = KEY,
    kind: CredentialKind = CredentialKind.API_KEY,
    profile: AuthProfile | None = None,
    messages: tuple[Message, ...] = (Message(Role.USER, "hello"),),
    stream: bool = True,
    model: str = "small",
    max_tokens: int | None = None,
    headers: tuple[tuple[str, str], ...] = (),
    first_byte: float = 5.0,
    silence: float = 5.0,
    provider: str = "acme",
) -> CompletionRequest:
    if isinstance(server, ProviderServer):
        server = server.base_url + _BASES.get(api, "")
    return CompletionRequest(
        endpoint=Endpoint(provider=provider, base_url=server, api=api, headers=headers),
        model=model,
        messages=messages,
        profile=profile or AuthProfile(id="acme:work", provider="acme", kind=kind, secret=Secret(key)),
        stream=stream,
        max_tokens=max_tokens,
        timeouts=Timeouts(first_byte=timedelta(seconds=first_byte), silence=timedelta(seconds=silence)),
    )


async def ask(client: HttpProviderClient, request: CompletionRequest) -> tuple[list[str], Completed]:
    """The pieces and the whole of one answer."""
    pieces = [piece async for piece in client.complete(request)]
    done = pieces.pop()
    assert isinstance(done, Completed)
    return [piece.text for piece in pieces if isinstance(piece, TextDelta)], done


async def failing(client: HttpProviderClient, request: CompletionRequest) -> Failure:
    """How the call failed; the test fails if it did not."""
    return (await provider_error(client, request)).failure


async def provider_error(client: HttpProviderClient, request: CompletionRequest) -> ProviderError:
    """The error that the call raised; the test fails if there was none."""
    try:
        await ask(client, request)
    except ProviderError as error:
        return error
    raise AssertionError("the call succeeded")


async def first_piece(pieces: AsyncIterator[TextDelta | Counted | Completed]) -> str:
    piece = await anext(pieces)
    while isinstance(piece, Counted):
        piece = await anext(pieces)
    assert isinstance(piece, TextDelta)
    return piece.text
