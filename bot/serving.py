"""One chat platform with its intake, for as long as the process runs it.

What cannot listen now is tried again at growing pauses, and at once after a reload: a token that is revoked is replaced while the
gateway runs, and what people wrote meanwhile is answered then. Only who has never been connected may be given up, by `run`.
"""

import asyncio
import logging
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Sequence
from contextlib import aclosing

from bot.log import redact_known
from bot.ops.database_watch import DatabaseWatch
from bot.ops.provider_watch import ProviderWatch
from bot.served import ServedApp, ServedPlatform
from core.auth.secret import Secret
from core.errors import BotError, ConfigError, StorageError
from core.intake import Intake
from core.messages import Event, Inbound, TurnReport
from core.ports import InboxItem, Update

log = logging.getLogger(__name__)

CONNECTED = "connected"
_FIRST_PAUSE = 1.0
"""Seconds until a platform that could not go on is tried again, for the first time; then twice as long each time."""
_LONGEST_PAUSE = 600.0
_LASTING = 60.0
"""Seconds of being connected after which the pauses begin anew."""


class Service:
    """Runs a platform; for the intake, the platform itself.

    `over` is set when it shall end: told to stop, or given up. `failed` is called when it cannot listen, after `failure` and
    `was_connected` say so.
    """

    def __init__(
        self,
        app: ServedApp,
        platform: ServedPlatform,
        database: DatabaseWatch,
        providers: ProviderWatch,
        over: asyncio.Event,
        failed: Callable[[], None],
    ) -> None:
        self.name = platform.name
        self.account = platform.account
        self.label = f"{platform.name} ({platform.account})"
        self.state = "starting"
        """What the health page says of it."""
        self.failure: BotError | None = None
        """Why it does not listen; None again when it is connected."""
        self.was_connected = False
        self.note = ""
        """What is wrong with a new token, while the one before is used."""
        self._platform = platform
        self._database = database
        self._providers = providers
        self._over = over
        self._failed = failed
        self._anew = asyncio.Event()
        self._connected_at: float | None = None
        self._pause = _FIRST_PAUSE
        self._said: set[str] = set()
        """The states that were logged since it was connected last: a trouble is one line, and not one for every try."""
        self._catching_up: asyncio.Task[None] | None = None
        self._intake = Intake(app.inbox, app.gateway, self, app.clock, redact_known)
        app.announcer.serve(platform, self._intake.announce)

    async def serve(self, drain_seconds: float) -> None:
        """Listen until it is over; then wind down. Raises nothing but a cancellation."""
        try:
            while not self._over.is_set():
                error = await self._listen()
                if error is not None:
                    self._fail(error)
                    await self._rest(self._pause)
                    self._pause = min(2 * self._pause, _LONGEST_PAUSE)
        finally:
            await self._wind_down(drain_seconds)

    def renew(self, token: Secret | None) -> None:
        """After a reload: go by this token. What could not listen is tried again at once; it may have been put right."""
        self.note = ""
        try:
            is_new = token is not None and self._platform.take_token(token)
        except ConfigError as error:
            self.note = f"{self.label}: the new token is not used: {error}"
            log.error("%s", self.note)
            return
        if is_new:
            log.info("%s: connects anew, with another token", self.label)
            self._lost()
            # What was wrong was the other token; of this one nothing is known yet.
            self.failure, self.state = None, "connecting"
            self._said.clear()
        if is_new or self.failure is not None:
            self._anew.set()

    def read(self, update: Update) -> Inbound | None:
        """As the platform reads it."""
        return self._platform.read(update)

    def announcement(self, chat: str, key: str) -> Update:
        """As the platform makes it."""
        return self._platform.announcement(chat, key)

    async def deliver(self, item: InboxItem, inbound: Inbound, events: AsyncIterator[Event]) -> None:
        """As the platform does it. Where the platform is refused, listening begins anew: it finds out why, or that all is well."""
        try:
            async with aclosing(self._noticing(events)) as noticed:
                await self._platform.deliver(item, inbound, noticed)
        except ConfigError as error:
            if self.failure is None:
                self._fail(error)
                self._anew.set()
            raise

    async def _noticing(self, events: AsyncIterator[Event]) -> AsyncGenerator[Event, None]:
        async for event in events:
            if isinstance(event, TurnReport):
                self._providers.turned(event.data)
            yield event

    async def _listen(self) -> BotError | None:
        """Listen until it is over or to begin anew, or give what it ended with."""
        self._anew.clear()
        listening = asyncio.ensure_future(self._run())
        ends = [asyncio.ensure_future(event.wait()) for event in (self._over, self._anew)]
        try:
            await asyncio.wait((listening, *ends), return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in (listening, *ends):
                task.cancel()
            await asyncio.wait((listening, *ends))
        if listening.cancelled():
            return None
        error = listening.exception()
        if error is None:
            return BotError("platform_ended", f"{self.label} stopped listening by itself.")
        if isinstance(error, BotError):
            return error
        if repr(error) not in self._said:
            self._said.add(repr(error))
            log.error("%s ended unexpectedly", self.label, exc_info=error)
        return BotError("platform_ended", f"{self.label} ended unexpectedly.", "The log says where.")

    async def _run(self) -> None:
        await self._catch_up()
        while True:
            try:
                return await self._platform.run(self._accept, self._on_state)
            except StorageError as error:
                await self._database.outlast(error)

    async def _catch_up(self) -> None:
        """Take up what was left, by an earlier process or while the platform was not there."""
        while True:
            try:
                return await self._intake.resume()
            except StorageError as error:
                await self._database.outlast(error)

    async def _accept(self, updates: Sequence[Update]) -> None:
        """Return when the updates are stored, however long the database is away: the platform keeps what comes after them."""
        while True:
            try:
                return await self._intake.accept(updates)
            except StorageError as error:
                await self._database.outlast(error)

    async def _rest(self, seconds: float) -> None:
        """Wait that long, or until it is over or to begin anew."""
        ends = [asyncio.ensure_future(event.wait()) for event in (self._over, self._anew)]
        try:
            await asyncio.wait(ends, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in ends:
                task.cancel()

    def _fail(self, error: BotError) -> None:
        sentence = "; ".join(str(error).splitlines())
        self.failure = error
        self._lost()
        self._say(sentence, logging.ERROR)
        self._failed()

    def _on_state(self, state: str) -> None:
        if state == CONNECTED:
            self._connected()
        elif self.failure is None:
            self._lost()
            self._say(state, logging.WARNING if state.startswith("disconnected") else logging.INFO)

    def _connected(self) -> None:
        if self.state == CONNECTED:
            return
        is_free = self._catching_up is None or self._catching_up.done()
        if self.was_connected and is_free:
            self._catching_up = asyncio.create_task(self._catch_up())
        self.failure, self.was_connected, self._connected_at = None, True, _time()
        self._said.clear()
        self._intake.reach(True)
        self._say(CONNECTED, logging.INFO)

    def _lost(self) -> None:
        if self._connected_at is not None and _time() - self._connected_at > _LASTING:
            self._pause = _FIRST_PAUSE
        self._connected_at = None
        self._intake.reach(False)

    def _say(self, state: str, level: int) -> None:
        self.state = state
        if state not in self._said:
            self._said.add(state)
            log.log(level, "%s: %s", self.label, state)

    async def _wind_down(self, drain_seconds: float) -> None:
        task = asyncio.current_task()
        at_once = task is not None and task.cancelling() > 0
        try:
            left = 0 if at_once else await self._intake.drain(drain_seconds)
            if left:
                log.warning("%s: %d not answered in time; the next start takes them up.", self.label, left)
        finally:
            if self._catching_up is not None:
                self._catching_up.cancel()
            await self._intake.close()
            try:
                await self._platform.close()
            except Exception:
                log.exception("%s could not be closed", self.label)
            self._say("stopped" if self.failure is None else "failed", logging.INFO)


def _time() -> float:
    return asyncio.get_running_loop().time()
