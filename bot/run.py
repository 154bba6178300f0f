"""Operation of a gateway: every platform in one process, from the first update until the last answer is delivered.

Each platform is a Service of its own, which goes on trying for as long as it takes. Where none has ever been connected and all are
refused there is nothing to wait for, and the process ends. A stop goes in order: no more updates, running turns to their end,
platforms closed; the caller closes the database.
"""

import asyncio
import logging
from collections.abc import Callable, Coroutine, Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NoReturn

from bot.health_http import Readiness, loopback_address, serve_health
from bot.instance import tell_service_manager
from bot.log import redact
from bot.ops.database_watch import DatabaseWatch
from bot.ops.provider_watch import ProviderWatch
from bot.ops.watchdog import give_signs_of_life, watchdog_pause
from bot.served import ServedApp
from bot.serving import CONNECTED, Service
from core.auth.secret import Secret
from core.errors import BotError, ConfigError
from core.sessions.key import SessionKey

if TYPE_CHECKING:
    from bot.ops.observing import Observing

log = logging.getLogger(__name__)

DRAIN_SECONDS = 20.0
"""How long a stop waits for running answers. Most take less, and service managers kill 30 to 90 s after they asked."""
_LOOK_EVERY = 5.0
"""Seconds between two looks at what providers think of the credentials."""
_DATABASE_SECONDS = 3.0
"""What a database may take to answer whether it is there. A monitor waits no longer than five."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """How to run. `stop` is set by whoever wants an end; `listen` is where `/readyz` is asked, None for nowhere. `notes` are
    sentences for `/readyz` about what is wrong without keeping anybody from being served. `reloaded` is set by every reload, after
    which `tokens` are those of the platforms, by name."""

    stop: asyncio.Event
    environ: Mapping[str, str]
    listen: str | None = None
    notes: Callable[[], Sequence[str]] = tuple
    tokens: Callable[[], Mapping[str, Secret]] = dict
    reloaded: asyncio.Event = field(default_factory=asyncio.Event)
    drain_seconds: float = DRAIN_SECONDS


async def serve(app: ServedApp, operation: Operation) -> None:
    """Run every platform until `operation.stop` is set. Cancelling stops at once; what is unfinished stays in the inbox.

    Raises ConfigError if there is no platform or a wrong `gateway.listen`, and a platform's BotError if none has ever been
    connected and none can be.
    """
    if not app.platforms:
        raise ConfigError(
            "channels",
            "no chat platform is enabled.",
            "Set channels.telegram or channels.discord with a token, or chat here with `remoteclaw chat`.",
        )
    running = _Running(app, operation)
    async with AsyncExitStack() as stack:
        if operation.listen is not None:
            host, port = loopback_address(operation.listen)
            health = serve_health(host, port, running.readiness, running.page)
            host, port = await stack.enter_async_context(health)
            log.info("Health is answered at http://%s:%s/readyz.", f"[{host}]" if ":" in host else host, port)
        async with asyncio.TaskGroup() as group:
            serving = [group.create_task(service.serve(operation.drain_seconds)) for service in running.services]
            tell_service_manager("READY=1", operation.environ)
            beside = [group.create_task(work) for work in running.beside()]
            await asyncio.wait(serving)
            for task in beside:
                task.cancel()
    failures = [service.failure for service in running.services if service.failure is not None]
    if not operation.stop.is_set() and failures:
        raise failures[-1]


class _Running:
    """The platforms of one process, and what is watched beside them."""

    def __init__(self, app: ServedApp, operation: Operation) -> None:
        self._app = app
        self._operation = operation
        self._over = asyncio.Event()
        self._database = DatabaseWatch(app.inbox, app.clock.now)
        self._providers = ProviderWatch(lambda: app.rules.agents, app.snapshots, app.clock)
        observing = _observing(app, operation)
        platforms = app.platforms if observing is None else [observing.platform(platform) for platform in app.platforms]
        self.page = observing.page(self._connected) if observing is not None else None
        self.services = [
            Service(app, platform, self._database, self._providers, self._over, self._give_up) for platform in platforms
        ]

    def beside(self) -> list[Coroutine[None, None, None]]:
        """What runs until the last platform has wound down."""
        return [
            self._stop(),
            self._renew(),
            self._look(),
            self._database.run(),
            _watch(self._app, self._operation),
            _give_signs_of_life(self._app, self._operation),
        ]

    async def readiness(self) -> Readiness:
        """See `/readyz`."""
        reasons = [f"{one.label}: {one.state}" for one in self.services if one.state != CONNECTED]
        reasons += await self._unstored()
        if self._operation.stop.is_set():
            reasons.append("stopping")
        states = {one.label: redact(one.state) for one in self.services}
        self._providers.look()
        notes = [*self._operation.notes(), *(one.note for one in self.services if one.note), *self._providers.notes()]
        return Readiness(
            tuple(redact(reason) for reason in reasons),
            {"platforms": states, "notes": [redact(note) for note in notes]},
        )

    async def _unstored(self) -> list[str]:
        """What is wrong with the database, or with what it and the stores hold."""
        try:
            async with asyncio.timeout(_DATABASE_SECONDS):
                await self._app.inbox.get_mark("gateway", "readiness")
            found = _unresolved(self._app)
        except TimeoutError:
            return ["database: it does not answer"]
        except BotError as error:
            return [f"database: {error.message}"]
        return [*([f"database: {self._database.reason}"] if self._database.reason else []), *found]

    def _connected(self) -> dict[str, bool]:
        return {one.name: one.state == CONNECTED for one in self.services}

    def _give_up(self) -> None:
        """Where nobody was ever connected, and nobody is still trying, whoever has started the gateway is to know."""
        if all(one.failure is not None and not one.was_connected for one in self.services):
            self._over.set()

    async def _stop(self) -> None:
        await self._operation.stop.wait()
        self._over.set()
        log.info("Stopping; running answers have %g s.", self._operation.drain_seconds)
        tell_service_manager("STOPPING=1", self._operation.environ)

    async def _renew(self) -> NoReturn:
        while True:
            await self._operation.reloaded.wait()
            self._operation.reloaded.clear()
            tokens = self._operation.tokens()
            for service in self.services:
                service.renew(tokens.get(service.name))

    async def _look(self) -> NoReturn:
        while True:
            self._providers.look()
            await asyncio.sleep(_LOOK_EVERY)


def _observing(app: ServedApp, operation: Operation) -> "Observing | None":
    """Nobody can ask for numbers where nothing is listened on, so nothing is counted there."""
    if operation.listen is None:
        return None
    from bot.ops.observing import Observing

    return Observing(app)


async def _give_signs_of_life(app: ServedApp, operation: Operation) -> None:
    """Until the last platform has wound down: an orderly stop is no reason to be killed."""
    pause = watchdog_pause(operation.environ)
    if pause is not None:
        await give_signs_of_life(operation.environ, pause, lambda: app.inbox.get_mark("gateway", "readiness"))


async def _watch(app: ServedApp, operation: Operation) -> None:
    """Watch until a stop is asked for: what is told after that is told by the next start."""
    watching = asyncio.create_task(app.watch.run())
    try:
        await operation.stop.wait()
    finally:
        watching.cancel()
        await asyncio.wait((watching,))


def _unresolved(app: ServedApp) -> list[str]:
    """Credentials whose secret reference gives nothing, each once, whichever agents share it; and stores that cannot be read."""
    held = {agent: app.snapshots.take(SessionKey(agent, "main")).credentials for agent in app.rules.agents}
    names = [p.id for found in held.values() for p in found.unresolved]
    unread = [f"credentials of {agent}: the store cannot be read" for agent, found in held.items() if found.unreadable]
    return [f"secret of {name}: not resolved" for name in dict.fromkeys(names)] + unread
