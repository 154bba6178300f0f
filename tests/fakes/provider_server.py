"""A provider on loopback that records what reaches it, in all four wire formats, streamed and plain.

Unscripted it answers `served-by:<last four characters of the key>`. `server.script[key] = [ok("hi"), status(429), ...]` is used
up step by step (see provider_script). `ThreadedProviderServer` is the same in a thread of its own, for tests that drive
processes and have no loop.
"""

import asyncio
import json
import threading
from collections import defaultdict
from collections.abc import Coroutine
from dataclasses import dataclass
from typing import Any, Self

from aiohttp import web

from tests.fakes.provider_answer import Answer
from tests.fakes.provider_script import Drop, Ok, Step


@dataclass(frozen=True, slots=True)
class Seen:
    """One request as it arrived. `key` is the credential, from whichever header; header names are lower case; `peer` is the
    client's side of the connection."""

    key: str
    model: str
    path: str
    headers: dict[str, str]
    body: dict[str, Any]
    peer: object


class ProviderServer:
    """`async with ProviderServer() as server`. `abandoned` counts answers that the client hung up on."""

    def __init__(self) -> None:
        self.seen: list[Seen] = []
        self.script: dict[str, list[Step]] = defaultdict(list)
        self.abandoned = 0

    async def __aenter__(self) -> Self:
        self._changed = asyncio.Condition()
        self._permits = asyncio.Semaphore(0)
        app = web.Application(client_max_size=64 * 1024 * 1024)
        app.router.add_route("*", "/{tail:.*}", self._handle)
        self._runner = web.AppRunner(app, handler_cancellation=True, access_log=None, shutdown_timeout=0.1)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0)
        await site.start()
        self.base_url = f"http://127.0.0.1:{self._runner.addresses[0][1]}"
        self.openai_url = f"{self.base_url}/v1"
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._runner.cleanup()

    def release(self, times: int = 1) -> None:
        """Let one waiting step (or the next that will wait) go on."""
        for _ in range(times):
            self._permits.release()

    async def wait_seen(self, count: int, seconds: float = 5.0) -> None:
        await self._wait(lambda: len(self.seen) >= count, seconds)

    async def wait_abandoned(self, count: int = 1, seconds: float = 5.0) -> None:
        await self._wait(lambda: self.abandoned >= count, seconds)

    async def _wait(self, condition: Any, seconds: float) -> None:
        async with asyncio.timeout(seconds), self._changed:
            await self._changed.wait_for(condition)

    async def _handle(self, request: web.Request) -> web.StreamResponse:
        seen = await _record(request)
        self.seen.append(seen)
        async with self._changed:
            self._changed.notify_all()
        steps = self.script[seen.key]
        step = steps.pop(0) if steps else Ok(f"served-by:{seen.key[-4:]}")
        try:
            streamed = bool(seen.body.get("stream")) or ":streamGenerateContent" in request.path
            return await Answer(self._permits, request, seen.model, streamed).play(step)
        except (asyncio.CancelledError, ConnectionError):
            self.abandoned += not isinstance(step, Drop)
            async with self._changed:
                self._changed.notify_all()
            raise asyncio.CancelledError from None  # aiohttp would log anything else as a fault of the handler


async def _record(request: web.Request) -> Seen:
    headers = {name.lower(): value for name, value in request.headers.items()}
    raw = await request.read()
    body = json.loads(raw) if raw else {}
    keys = headers.get("x-api-key"), headers.get("x-goog-api-key"), headers.get("authorization", "").partition(" ")[2]
    key = next(filter(None, keys), "")
    model = body.get("model") or request.path.rpartition("/")[2].rpartition(":")[0]
    peer = request.transport.get_extra_info("peername") if request.transport else None
    return Seen(key, str(model), request.raw_path, headers, body, peer)


class ThreadedProviderServer:
    """`with ThreadedProviderServer() as server`: the same server, reached from a test without a loop."""

    def __init__(self) -> None:
        self._server = ProviderServer()
        self.seen = self._server.seen
        self.script = self._server.script
        self._ready = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._serve()), daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        assert self._ready.wait(10), "the provider server did not start"
        self.base_url, self.openai_url = self._server.base_url, self._server.openai_url
        return self

    def __exit__(self, *_: object) -> None:
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(10)

    @property
    def abandoned(self) -> int:
        return self._server.abandoned

    def release(self, times: int = 1) -> None:
        self._loop.call_soon_threadsafe(self._server.release, times)

    def wait_seen(self, count: int, seconds: float = 5.0) -> None:
        self._run(self._server.wait_seen(count, seconds))

    def wait_abandoned(self, count: int = 1, seconds: float = 5.0) -> None:
        self._run(self._server.wait_abandoned(count, seconds))

    def _run(self, coroutine: Coroutine[Any, Any, None]) -> None:
        asyncio.run_coroutine_threadsafe(coroutine, self._loop).result()

    async def _serve(self) -> None:
        self._loop, self._stop = asyncio.get_running_loop(), asyncio.Event()
        async with self._server:
            self._ready.set()
            await self._stop.wait()
