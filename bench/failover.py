"""What a turn costs beside the bare request, however many credentials there are; and what LiteLLM's Router costs there.

A turn goes the whole way: the gateway's door, resolver, request, reading the answer, the durable record of it. All credentials
were used before, and in the last case nine of ten are cooling. The bare request is httpx's own, of the same size, and all ask
the same provider. The Router has one deployment for each credential; it keeps no sessions and writes nothing.
"""

import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import httpx

from bench.installation import install, opened, use_all
from bench.provider import provider_process
from bench.rounds import Case, Count, Group
from bench.router import is_installed, router_process
from bench.turns import Speaker, bare_call
from bot.app import build_app

_CALLS = 100
_BASE = "httpx"


@dataclass(frozen=True, slots=True)
class Size:
    """So many credentials, of which so many are cooling."""

    credentials: int
    cooling: int = 0

    def __str__(self) -> str:
        word = "credential" if self.credentials == 1 else "credentials"
        cooling = f", {self.cooling:,} cooling" if self.cooling else ""
        return f"{self.credentials:,} {word}{cooling}"


SIZES = (Size(1), Size(10), Size(100), Size(1_000), Size(1_000, 900))


@asynccontextmanager
async def failover(directory: Path) -> AsyncIterator[Group]:
    """Turns, and the Router where it is installed, over the bare request and over themselves with one credential."""
    async with AsyncExitStack() as opening:
        base_url = await opening.enter_async_context(provider_process())
        client = await opening.enter_async_context(httpx.AsyncClient(trust_env=False, timeout=30))
        cases = [Case(_BASE, partial(_each, lambda: bare_call(client, f"{base_url}/chat/completions")))]
        cases += _grown("a turn", [await opening.enter_async_context(_turns(directory, s, base_url)) for s in SIZES])
        if not is_installed():
            note = "LiteLLM is not installed (pip install '.[bench-litellm]'), so its Router is left out."
            yield Group(cases, notes=(note,))
            return
        routers = [await opening.enter_async_context(router_process(base_url, s.credentials, s.cooling)) for s in SIZES]
        cases += _grown("LiteLLM's Router", [partial(router.ask, _CALLS) for router in routers])
        name = "deployments that LiteLLM's Router remembers to be cooling, of"
        yield Group(
            cases, [Count(f"{name} {s.cooling}", r.cooling) for s, r in zip(SIZES, routers, strict=True) if s.cooling]
        )


def _grown(name: str, measures: Sequence[Callable[[], Awaitable[Sequence[float]]]]) -> list[Case]:
    """Each size over the bare request, and the larger ones over the smallest too."""
    smallest = f"{name}, {SIZES[0]}"
    cases = []
    for size, measure in zip(SIZES, measures, strict=True):
        bases = (_BASE,) if size is SIZES[0] else (_BASE, smallest)
        cases.append(Case(f"{name}, {size}", measure, bases))
    return cases


@asynccontextmanager
async def _turns(directory: Path, size: Size, base_url: str) -> AsyncIterator[Callable[[], Awaitable[list[float]]]]:
    """An installation of its own for each size."""
    environ = install(directory / str(size), profiles=size.credentials, base_url=base_url)
    settings, paths = opened(environ)
    async with build_app(settings, paths, environ=environ, platforms=()) as app:
        await use_all(app, paths, size.cooling)
        speaker = Speaker(app)
        yield partial(_each, lambda: speaker.ask(stream=False))


async def _each(call: Callable[[], Awaitable[None]]) -> list[float]:
    """The seconds of each call."""
    taken = []
    for _ in range(_CALLS):
        begin = time.perf_counter()
        await call()
        taken.append(time.perf_counter() - begin)
    return taken
