"""The installation that scenarios play on, and its gateway: in this process with a clock that can be moved, or in one of its own
that can be killed."""

import asyncio
import json
import os
import sqlite3
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager, closing
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from bot.app import App, build_app
from bot.config import load_settings
from bot.paths import Paths
from bot.run import Operation, serve
from tests.e2e.installation import Gateway, Installation
from tests.fakes.provider_server import ThreadedProviderServer
from tests.scenarios.moved_clock import MovedClock

KEYS = {
    "anthropic:work": "sk-scene-anthropic-WORK",
    "anthropic:home": "sk-scene-anthropic-HOME",
    "acme:main": "sk-scene-of-acme-MAIN",
    "acme:spare": "sk-scene-of-acme-SPAR",
}
"""Profile ids with their keys, in their order. Unscripted the provider answers with the last four characters of the key."""


@dataclass
class House:
    """Config, credentials and database. Change a field and call `write`; a running gateway reads it when it reloads."""

    files: Installation
    provider: ThreadedProviderServer
    channel: Sequence[str]
    owners: list[str] = field(default_factory=list)
    allow: list[str] = field(default_factory=list)
    keys: dict[str, str] = field(default_factory=lambda: dict(KEYS))
    tokens: dict[str, datetime] = field(default_factory=dict)
    """Further profiles, and when their tokens expire."""
    acme: list[str] = field(default_factory=lambda: ['"small"', '{ id = "large", alias = "big" }'])
    """The models of acme, in TOML."""
    more: list[str] = field(default_factory=list)
    """Further tables."""

    def write(self) -> None:
        base = self.provider.base_url
        lines = [
            "[models.providers.anthropic]",
            f'base_url = "{base}"',
            'api = "anthropic-messages"',
            'models = [{ id = "claude-opus-4-5", alias = "opus" }, { id = "claude-sonnet-4-5", alias = "sonnet" }]',
            "[models.providers.acme]",
            f'base_url = "{base}/v1"',
            'api = "openai-completions"',
            f"models = [{', '.join(self.acme)}]",
            "[agents.defaults]",
            'model = "acme/small"',
            "[access]",
            f"owners = {self.owners}",
            f"allow = {self.allow}",
            *self.channel,
            *self.more,
        ]
        (self.files.state / "config.toml").write_text("\n".join(lines))
        order: dict[str, list[str]] = {}
        for name in self.keys:
            order.setdefault(name.partition(":")[0], []).append(name)
        self.files.keep(self.keys, order)
        store = json.loads(self.files.store.read_text())
        for name, end in self.tokens.items():
            kind = {"type": "token", "provider": name.partition(":")[0], "token": f"sk-scene-token-of-{name}"}
            store["profiles"][name] = kind | {"expires": int(end.timestamp() * 1000)}
        self.files.write_store(json.dumps(store))

    def profile(self, key: str) -> str:
        """Whose key this is."""
        return next((name for name, own in self.keys.items() if own == key), "nobody's")

    @asynccontextmanager
    async def locked_database(self) -> AsyncIterator[None]:
        """Nothing can be written while this is open."""
        with closing(sqlite3.connect(self.files.database, isolation_level=None, timeout=10)) as other:
            other.execute("begin immediate")
            yield

    def bytes_on_disk(self) -> bytes:
        """All that the database's files hold, whatever is written about it."""
        return b"".join(path.read_bytes() for path in self.files.state.glob(f"{self.files.database.name}*"))


class GatewayHere:
    """In this process, by `clock`."""

    def __init__(self, house: House, clock: MovedClock) -> None:
        self._house = house
        self._clock = clock
        self._stop = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._app: App | None = None

    async def start(self, is_connected: Callable[[], Any]) -> None:
        self._stop = asyncio.Event()
        self._task = asyncio.create_task(self._run())
        waiting = asyncio.ensure_future(is_connected())
        await asyncio.wait({self._task, waiting}, return_when=asyncio.FIRST_COMPLETED)
        if not waiting.done():
            waiting.cancel()
            task, self._task = self._task, None
            task.result()
        await waiting

    async def reload(self) -> None:
        """Read config, environment and references anew."""
        assert self._app is not None
        await self._app.installation.reload()

    async def stop(self) -> None:
        task, self._task = self._task, None
        if task is not None:
            self._stop.set()
            await task

    async def _run(self) -> None:
        state = str(self._house.files.state)
        environ = {"PATH": os.environ["PATH"], "HOME": state, "REMOTECLAW_STATE_DIR": state}
        paths = Paths.of(environ)
        settings = load_settings(paths.config, environ)
        async with build_app(settings, paths, environ=environ, clock=self._clock) as self._app:
            await serve(self._app, Operation(stop=self._stop, environ=environ, drain_seconds=2))


class GatewayProcess:
    """`remoteclaw gateway`, as an operator runs it."""

    def __init__(self, house: House) -> None:
        self._house = house
        self._gateway: Gateway | None = None

    async def start(self, is_connected: Callable[[], Any]) -> None:
        self._gateway = Gateway(self._house.files)
        await asyncio.to_thread(self._gateway.says, ": connected")

    async def kill(self) -> None:
        """kill -9"""
        assert self._gateway is not None
        await asyncio.to_thread(self._gateway.kill)
        await self.stop()

    async def stop(self) -> None:
        gateway, self._gateway = self._gateway, None
        if gateway is not None:
            await asyncio.to_thread(gateway.__exit__)


def fresh_state(folder: Path, template: bytes) -> Installation:
    """A private state directory in `folder`; `template` is a database that was migrated before."""
    state = folder / "state"
    state.mkdir(mode=0o700)
    files = Installation(state)
    files.database.write_bytes(template)
    files.database.chmod(0o600)
    return files
