"""A whole turn, from the gateway's door to the stored answer, against one bare httpx call of the same size.

Both ask the same provider, in a process of its own. The turn runs on the real store: snapshot, resolver, history, secret,
HTTP, reading the answer, health, and the durable record of it.
"""

import json
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
from httpx_sse import EventSource

from bench.installation import OWNER, install, opened
from bench.provider import PIECES, provider_process
from bench.rounds import Case, Group
from bot.app import App, build_app
from core.messages import Inbound, Ingress, Place, TurnReport
from core.sessions.key import SessionKey

_CALLS = 40
_TURNS_A_SESSION = 5
"""A session's history grows by two messages a turn; a new one keeps what is sent alike in every round."""


@asynccontextmanager
async def turns(directory: Path) -> AsyncIterator[Group]:
    """Plain and streamed, each over its bare call."""
    async with provider_process() as base_url:
        environ = install(directory, profiles=3, base_url=base_url)
        settings, paths = opened(environ)
        async with (
            build_app(settings, paths, environ=environ, platforms=()) as app,
            httpx.AsyncClient(trust_env=False, timeout=30) as client,
        ):
            speaker = Speaker(app)
            url = f"{base_url}/chat/completions"
            yield Group(
                [
                    Case("httpx, plain", lambda: _each(lambda: bare_call(client, url))),
                    Case("httpx, streamed", lambda: _each(lambda: _streamed(client, url))),
                    Case("a turn, plain", lambda: _each(lambda: speaker.ask(stream=False)), "httpx, plain"),
                    Case("a turn, streamed", lambda: _each(lambda: speaker.ask(stream=True)), "httpx, streamed"),
                ]
            )


async def _each(call: Callable[[], Awaitable[None]]) -> float:
    begin = time.perf_counter()
    for _ in range(_CALLS):
        await call()
    return (time.perf_counter() - begin) / _CALLS


def _body(stream: bool) -> Mapping[str, object]:
    return {"model": "model-0", "stream": stream, "messages": [{"role": "user", "content": "How are you?"}]}


async def bare_call(client: httpx.AsyncClient, url: str) -> None:
    """The same question, asked without us."""
    answer = await client.post(url, json=_body(False), headers={"authorization": "Bearer x"})
    assert answer.json()["choices"]


async def _streamed(client: httpx.AsyncClient, url: str) -> None:
    pieces = 0
    async with client.stream("POST", url, json=_body(True), headers={"authorization": "Bearer x"}) as answer:
        async for event in EventSource(answer).aiter_sse():
            if event.data != "[DONE]":
                choices = json.loads(event.data)["choices"]
                pieces += bool(choices and choices[0]["delta"].get("content"))
    assert pieces == PIECES


class Speaker:
    """Says the same thing in one session after the other."""

    def __init__(self, app: App) -> None:
        self._app = app
        self._said = 0

    async def ask(self, stream: bool) -> None:
        """One turn, which must succeed."""
        key = SessionKey("main", f"telegram:default:direct:{self._said // _TURNS_A_SESSION}")
        self._said += 1
        inbound = Inbound(
            ingress=Ingress.MESSAGE,
            sender=OWNER,
            session=key,
            place=Place(direct=True),
            text="How are you?",
            mentioned=True,
            stream=stream,
        )
        last = None
        async for event in self._app.gateway.handle(inbound):
            last = event
        assert isinstance(last, TurnReport)
        assert last.data["outcome"] == "ok"
