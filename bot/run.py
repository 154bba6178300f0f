"""Operation of a gateway: every platform in one process, from the first update until the last answer is delivered.

Each platform has an intake of its own. One that fails for good is reported and leaves the others alone, unless it was the
last. A stop goes in order: no more updates, running turns to their end, platforms closed; the caller closes the database.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from bot.health_http import Readiness, loopback_address, serve_health
from bot.instance import tell_service_manager
from bot.log import redact, redact_known
from bot.ops.watchdog import give_signs_of_life, watchdog_pause
from core.announcements import Announcer
from core.clock import Clock
from core.errors import BotError, ConfigError
from core.gateway import Gateway
from core.intake import Intake, Platform
from core.ports import Inbox, Update
from core.resolution.rules import Rules
from core.resolution.source import SnapshotSource
from core.sessions.key import SessionKey
from core.watch.rounds import Watch

if TYPE_CHECKING:
    from bot.ops.observing import Observing

log = logging.getLogger(__name__)

DRAIN_SECONDS = 20.0
"""How long a stop waits for running answers. Most take less, and service managers kill 30 to 90 s after they asked."""

CONNECTED = "connected"


class ServedPlatform(Platform, Protocol):
    """A platform as the process runs it."""

    async def run(self, accept: Callable[[Sequence[Update]], Awaitable[None]], on_state: Callable[[str], None]) -> None:
        """Listen until cancelled. After that it can still deliver, until `close`. Raises BotError if it cannot go on."""
        ...

    async def close(self) -> None: ...


class ServedApp(Protocol):
    """What the process needs of the application."""

    @property
    def gateway(self) -> Gateway: ...
    @property
    def inbox(self) -> Inbox: ...
    @property
    def clock(self) -> Clock: ...
    @property
    def rules(self) -> Rules: ...
    @property
    def snapshots(self) -> SnapshotSource: ...
    @property
    def platforms(self) -> Sequence[ServedPlatform]: ...
    @property
    def announcer(self) -> Announcer: ...
    @property
    def watch(self) -> Watch: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """How to run. `stop` is set by whoever wants an end; `listen` is where `/readyz` is asked, None for nowhere. `notes` are
    sentences for `/readyz` about what is wrong without keeping anybody from being served."""

    stop: asyncio.Event
    environ: Mapping[str, str]
    listen: str | None = None
    notes: Callable[[], Sequence[str]] = tuple
    drain_seconds: float = DRAIN_SECONDS


async def serve(app: ServedApp, operation: Operation) -> None:
    """Run every platform until `operation.stop` is set. Cancelling stops at once; what is unfinished stays in the inbox.

    Raises ConfigError if there is no platform or a wrong `gateway.listen`, and the last platform's BotError if all have ended.
    """
    if not app.platforms:
        raise ConfigError(
            "channels",
            "no chat platform is enabled.",
            "Set channels.telegram or channels.discord with a token, or chat here with `remoteclaw chat`.",
        )
    observing = _observing(app, operation)
    platforms = app.platforms if observing is None else [observing.platform(platform) for platform in app.platforms]
    services = [_Service(app, platform, operation) for platform in platforms]
    async with AsyncExitStack() as stack:
        if operation.listen is not None:
            host, port = loopback_address(operation.listen)
            page = observing.page(lambda: _connected(services)) if observing is not None else None
            health = serve_health(host, port, lambda: _readiness(app, services, operation), page)
            host, port = await stack.enter_async_context(health)
            log.info("Health is answered at http://%s:%s/readyz.", f"[{host}]" if ":" in host else host, port)
        async with asyncio.TaskGroup() as group:
            serving = [group.create_task(service.serve()) for service in services]
            tell_service_manager("READY=1", operation.environ)
            announcing = group.create_task(_announce_stop(operation))
            watching = group.create_task(_watch(app, operation))
            living = group.create_task(_give_signs_of_life(app, operation))
            await asyncio.wait(serving)
            announcing.cancel()
            watching.cancel()
            living.cancel()
    failures = [service.failure for service in services if service.failure is not None]
    if not operation.stop.is_set() and failures:
        raise failures[-1]


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


async def _announce_stop(operation: Operation) -> None:
    await operation.stop.wait()
    log.info("Stopping; running answers have %g s.", operation.drain_seconds)
    tell_service_manager("STOPPING=1", operation.environ)


async def _watch(app: ServedApp, operation: Operation) -> None:
    """Watch until a stop is asked for: what is told after that is told by the next start."""
    watching = asyncio.create_task(app.watch.run())
    try:
        await operation.stop.wait()
    finally:
        watching.cancel()
        await asyncio.wait((watching,))


class _Service:
    """One platform with its intake, for as long as the process runs it."""

    def __init__(self, app: ServedApp, platform: ServedPlatform, operation: Operation) -> None:
        self.name = f"{platform.name} ({platform.account})"
        self.platform = platform.name
        self.state = "starting"
        self.failure: BotError | None = None
        self._platform = platform
        self._operation = operation
        self._intake = Intake(app.inbox, app.gateway, platform, app.clock, redact_known)
        app.announcer.serve(platform, self._intake.announce)

    async def serve(self) -> None:
        """Listen until told to stop or until the platform fails for good; then wind down. Raises nothing but a cancellation."""
        try:
            await self._listen_until_stopped()
        except BotError as error:
            self._fail(error)
        except Exception:
            log.exception("%s ended unexpectedly", self.name)
            self._fail(BotError("platform_ended", f"{self.name} ended unexpectedly.", "The log says where."))
        finally:
            await self._wind_down()

    async def _listen_until_stopped(self) -> None:
        await self._intake.resume()
        listening = asyncio.ensure_future(self._platform.run(self._intake.accept, self._on_state))
        stopping = asyncio.ensure_future(self._operation.stop.wait())
        try:
            await asyncio.wait((listening, stopping), return_when=asyncio.FIRST_COMPLETED)
        finally:
            stopping.cancel()
            listening.cancel()
            await asyncio.wait((listening, stopping))
        if not listening.cancelled():
            listening.result()
            if not self._operation.stop.is_set():
                raise BotError(
                    "platform_ended", f"{self.name} stopped listening by itself.", "Start the gateway again."
                )

    async def _wind_down(self) -> None:
        task = asyncio.current_task()
        at_once = task is not None and task.cancelling() > 0
        try:
            left = 0 if at_once else await self._intake.drain(self._operation.drain_seconds)
            if left:
                log.warning("%s: %d not answered in time; the next start takes them up.", self.name, left)
        finally:
            await self._intake.close()
            try:
                await self._platform.close()
            except Exception:
                log.exception("%s could not be closed", self.name)
            self._on_state("stopped" if self.failure is None else "failed")

    def _fail(self, error: BotError) -> None:
        self.failure = error
        log.error("%s: %s", self.name, error)

    def _on_state(self, state: str) -> None:
        if state != self.state:
            self.state = state
            log.log(logging.WARNING if state.startswith("disconnected") else logging.INFO, "%s: %s", self.name, state)


def _connected(services: "Sequence[_Service]") -> dict[str, bool]:
    return {service.platform: service.state == CONNECTED for service in services}


async def _readiness(app: ServedApp, services: Sequence[_Service], operation: Operation) -> Readiness:
    reasons = [f"{service.name}: {service.state}" for service in services if service.state != CONNECTED]
    try:
        await app.inbox.get_mark("gateway", "readiness")
        reasons += _unresolved(app)
    except BotError as error:
        reasons.append(f"database: {error.message}")
    if operation.stop.is_set():
        reasons.append("stopping")
    states = {service.name: redact(service.state) for service in services}
    return Readiness(
        tuple(redact(reason) for reason in reasons),
        {"platforms": states, "notes": [redact(note) for note in operation.notes()]},
    )


def _unresolved(app: ServedApp) -> list[str]:
    """Credentials whose secret reference gives nothing, each once, whichever agents share it; and stores that cannot be read."""
    held = {agent: app.snapshots.take(SessionKey(agent, "main")).credentials for agent in app.rules.agents}
    names = [p.id for found in held.values() for p in found.unresolved]
    unread = [f"credentials of {agent}: the store cannot be read" for agent, found in held.items() if found.unreadable]
    return [f"secret of {name}: not resolved" for name in dict.fromkeys(names)] + unread
