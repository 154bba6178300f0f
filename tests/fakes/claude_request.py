"""Builders for questions to the Claude command line: only what a test is about is spelled out."""

import os
from collections.abc import AsyncGenerator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from adapters.claude_cli.client import ClaudeCliClient
from adapters.claude_cli.invocation import Installed
from core.auth.cli_login import LOGIN_ID, PROVIDER
from core.auth.profiles import AuthProfile, CredentialKind
from core.auth.secret import Secret
from core.chat.completion import Completed, CompletionRequest, Counted, Endpoint, TextDelta, Timeouts
from core.errors import Failure, ProviderError
from core.sessions.history import Message, Role
from tests.fakes.claude_cli import FakeClaude
from tests.fakes.clock import FakeClock

TOKEN = "sk-ant-oat01-" + "x7" * 45
LOGIN = AuthProfile(id=LOGIN_ID, provider=PROVIDER, kind=CredentialKind.CLI, secret=Secret(TOKEN))


def make_client(fake: FakeClaude, tmp_path: Path, clock: FakeClock, **more: Any) -> ClaudeCliClient:
    environ = more.pop("environ", {"PATH": os.environ["PATH"], "HOME": str(tmp_path)})
    folder = tmp_path / "state" / "claude-cli"
    installed = Installed(executable=str(fake.path), environ=environ, folder=folder, **more)
    return ClaudeCliClient(lambda: installed, clock)


def ask(*texts: str, **more: Any) -> CompletionRequest:
    """A question, after what was said before it in turn."""
    roles = (Role.USER, Role.ASSISTANT)
    messages = more.pop("messages", tuple(Message(roles[n % 2], text) for n, text in enumerate(texts)))
    silence = timedelta(seconds=more.pop("silence", 10))
    return CompletionRequest(
        endpoint=Endpoint(provider=PROVIDER, base_url=more.pop("base_url", ""), api=more.pop("api", PROVIDER)),
        model=more.pop("model", "sonnet"),
        messages=messages,
        profile=more.pop("profile", LOGIN),
        timeouts=Timeouts(first_byte=silence, silence=silence),
        **more,
    )


async def whole(client: ClaudeCliClient, request: CompletionRequest) -> tuple[list[str], Completed]:
    """The pieces, and the answer that comes last."""
    pieces = [piece async for piece in client.complete(request)]
    done = pieces.pop()
    assert isinstance(done, Completed)
    return [piece.text for piece in pieces if isinstance(piece, TextDelta)], done


async def failing(client: ClaudeCliClient, request: CompletionRequest) -> Failure:
    with pytest.raises(ProviderError) as raised:
        await whole(client, request)
    return raised.value.failure


async def text(client: ClaudeCliClient, *said: str, **more: Any) -> str:
    return (await whole(client, ask(*said, **more)))[1].text


async def first_text(pieces: AsyncGenerator[TextDelta | Counted | Completed, None]) -> str:
    piece = await anext(pieces)
    while isinstance(piece, Counted):
        piece = await anext(pieces)
    assert isinstance(piece, TextDelta)
    return piece.text
