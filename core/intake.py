"""From the inbox through the gateway to the platform: every update once, turns in the order of their chat.

A platform hands over updates with `accept`, which returns when they are committed. Commands and presses are handled at
once, also while a turn of the same chat is running; messages wait for the turn before them.
"""

import asyncio
import logging
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import aclosing, suppress
from dataclasses import replace
from typing import Protocol

from core.blotting import HAS_SECRET, Redact, blot_payload, nothing_known
from core.clock import Clock
from core.errors import BotError, StorageError
from core.gateway import Gateway
from core.messages import Event, Inbound, Working, reply_from_json
from core.ports import Inbox, InboxItem, InboxState, Update
from core.troubles import Trouble

log = logging.getLogger(__name__)


ATTEMPTS = 20
"""How often an answer is delivered, while its platform is there, before it is left to the next resumption: over more than an
hour."""
FIRST_PAUSE = 1.0
LONGEST_PAUSE = 300.0
_LONGEST_UNSTORED = 30.0
"""The longest pause while the database is away: what is delivered and not noted would be said again after a kill."""


class Platform(Protocol):
    """A chat platform as the intake sees it: it reads its own updates and delivers what the gateway answers."""

    name: str
    account: str

    def read(self, update: Update) -> Inbound | None:
        """What the update means, or None if it is nothing for us. Pure: it must read a stored update after a restart too."""
        ...

    def announcement(self, chat: str, key: str) -> Update:
        """See core.announcements: an update of our own, whose answer goes to this chat and replies to nothing."""
        ...

    async def deliver(self, item: InboxItem, inbound: Inbound, events: AsyncIterator[Event]) -> None:
        """Show every event of the answer; returns when all of it was accepted by the platform.

        `item.delivery` holds the notes of an earlier, interrupted delivery of the same answer (see `Inbox.note_delivery`):
        what it names is edited and not sent again. Consumes `events` to the end even if nothing can be shown any more.
        """
        ...


class Intake:
    """The lanes of one platform: takes updates in, has them answered, and remembers how far that came."""

    def __init__(
        self, inbox: Inbox, gateway: Gateway, platform: Platform, clock: Clock, known: Redact = nothing_known
    ) -> None:
        """`known` takes out of a text what is known to be confidential here."""
        self._inbox = inbox
        self._gateway = gateway
        self._platform = platform
        self._clock = clock
        self._known = known
        self._lanes: dict[str, asyncio.Queue[InboxItem]] = {}
        self._workers: dict[str, asyncio.Task[None]] = {}
        self._turns: set[asyncio.Task[None]] = set()
        self._storing: set[asyncio.Task[None]] = set()
        self._idle = asyncio.Event()
        self._idle.set()
        self._early: dict[int, InboxItem] | None = {}
        """Announcements that came before the resumption had read the inbox, which may have them too; then None."""
        self._closed = False
        self._held: set[int] = set()
        """The items that are in a lane or under way, which a resumption leaves alone."""
        self._let_go: set[int] = set()
        """Those that came to their end while a resumption was reading the inbox."""
        self._resuming = asyncio.Lock()
        self._reachable = asyncio.Event()
        self._reachable.set()
        self._stuck = 0
        """Answers that wait for their platform."""
        self._undelivered = Trouble(log, f"Answers are delivered to {platform.name} again.")
        self._unstored = Trouble(log, f"What is delivered to {platform.name} can be noted again.")

    async def accept(self, updates: Sequence[Update]) -> None:
        """Commit updates, without the secrets that people wrote, then have them answered. When this returns, the platform may be
        told that they were seen. Cancelling it ends the waiting only: what is committed all the same is answered too, for when
        the platform brings it again it is known already."""
        clean = [self._without_secrets(update) for update in updates]
        storing = asyncio.create_task(self._store(clean), name=f"updates of {self._platform.name}")
        self._storing.add(storing)
        storing.add_done_callback(self._stored)
        await asyncio.wait((storing,))
        storing.result()

    async def resume(self) -> None:
        """Take up what was left unanswered or undelivered, by an earlier process or by this one, oldest first. It may be called
        again at any time. Raises StorageError."""
        async with self._resuming:
            self._let_go.clear()
            known = await self._inbox.unfinished(self._platform.name, self._platform.account)
            early, self._early = self._early or {}, None
            for item in ({item.id: item for item in known} | early).values():
                if item.id not in self._let_go:
                    self._enqueue(item)

    def reach(self, is_there: bool) -> None:
        """Whether the platform is there. While it is not, what it did not take waits, and no attempt is counted."""
        if is_there:
            self._reachable.set()
        else:
            self._reachable.clear()

    def announce(self, item: InboxItem) -> None:
        """Deliver an announcement that is stored. After `close` it is left to the next start."""
        if self._closed:
            return
        if self._early is not None:
            self._early[item.id] = item
            return
        self._enqueue(item)

    async def drain(self, seconds: float) -> int:
        """Wait until everything that was taken in is answered, at most so long; not for what waits for its platform. Returns how
        many items are left over."""
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._idle.wait()
        return len(self._turns) + sum(queue.qsize() for queue in self._lanes.values())

    async def close(self) -> None:
        """Stop at once. What is not finished stays in the inbox for the next start."""
        self._closed = True
        tasks = [*self._storing, *self._workers.values(), *self._turns]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _store(self, updates: Sequence[Update]) -> None:
        for item in await self._inbox.receive(updates, self._clock.now()):
            self._enqueue(item)

    def _stored(self, storing: asyncio.Task[None]) -> None:
        self._storing.discard(storing)
        if not storing.cancelled():
            storing.exception()  # where nobody waits any more, the platform brings the updates again

    def _without_secrets(self, update: Update) -> Update:
        payload, has_secret = blot_payload(update.payload, self._known)
        if has_secret:
            payload = {**payload, HAS_SECRET: True}
        return update if payload is update.payload else replace(update, payload=payload)

    def _enqueue(self, item: InboxItem) -> None:
        if item.id in self._held:
            return
        self._held.add(item.id)
        lane = item.update.lane
        self._idle.clear()
        self._lanes.setdefault(lane, asyncio.Queue()).put_nowait(item)
        if lane not in self._workers:
            self._workers[lane] = asyncio.create_task(self._work(lane), name=f"lane {lane}")

    async def _work(self, lane: str) -> None:
        """Handle a lane's items in order until it is empty. A turn runs beside it, once it has taken its snapshot."""
        queue = self._lanes[lane]
        try:
            while not queue.empty():
                await self._begin(queue.get_nowait())
        finally:
            self._workers.pop(lane, None)
            if queue.empty():
                self._lanes.pop(lane, None)
            self._settle()

    async def _begin(self, item: InboxItem) -> None:
        """Begin with one item. The next one begins when this is answered, or when its turn has begun or waits in its line."""
        try:
            inbound = self._platform.read(item.update)
        except Exception:
            # One update that cannot be read must not stop the others for ever.
            log.exception("an update of %s could not be read and is dropped", self._platform.name)
            inbound = None
        if inbound is None:
            with suppress(StorageError):  # it is read, and dropped, again at the next resumption
                await self._inbox.done(item.id)
            self._let_it_go(item)
            return
        inbound = replace(inbound, account=self._platform.account)
        started = asyncio.Event()
        goes_on = item.state is InboxState.NEW and self._waits(inbound) and self._gateway.busy(inbound.session)
        task = asyncio.create_task(self._finish(item, inbound, started), name=f"answer in {inbound.session}")
        self._turns.add(task)
        task.add_done_callback(self._turn_over)
        if not goes_on:
            await started.wait()

    def _waits(self, inbound: Inbound) -> bool:
        try:
            return self._gateway.waits(inbound)
        except Exception:
            # Whatever keeps this from being known is met again by the answer, which tells it and does not stop the lane.
            return True

    def _turn_over(self, turn: asyncio.Task[None]) -> None:
        self._turns.discard(turn)
        self._settle()

    def _settle(self) -> None:
        if len(self._turns) == self._stuck and not self._workers:
            self._idle.set()

    def _let_it_go(self, item: InboxItem) -> None:
        self._held.discard(item.id)
        if self._resuming.locked():
            self._let_go.add(item.id)

    async def _finish(self, item: InboxItem, inbound: Inbound, started: asyncio.Event) -> None:
        """Answer one item and deliver the answer; only then it is done. What fails is tried again while the process lives."""
        try:
            for attempt in range(ATTEMPTS):
                if await self._delivered(item, inbound, started):
                    return await self._done(item)
                started.set()
                await self._clock.sleep(min(FIRST_PAUSE * 2**attempt, LONGEST_PAUSE))
                await self._until_reachable()
                item = await self._as_stored(item)
            log.error("an answer for %s stays in the inbox; the next start tries again", self._platform.name)
        except Exception:
            # It stays in the inbox, and the next resumption tries again; going on at once could repeat it for ever.
            log.exception("an answer could not be delivered to %s", self._platform.name)
        finally:
            started.set()
            self._let_it_go(item)

    async def _delivered(self, item: InboxItem, inbound: Inbound, started: asyncio.Event) -> bool:
        """Whether the platform has taken it. An unexpected error is raised: what is wrong in the program stays wrong."""
        try:
            async with aclosing(self._events(item, inbound, started)) as events:
                await self._platform.deliver(item, inbound, events)
        except BotError as error:
            if self._reachable.is_set():  # else its state says it already
                name = self._platform.name
                self._undelivered.begins(f"Answers could not be delivered to {name}, and are tried again: {error}")
            return False
        self._undelivered.is_over()
        return True

    async def _until_reachable(self) -> None:
        """Return when the platform is there. A stop does not wait for that."""
        if self._reachable.is_set():
            return
        self._stuck += 1
        self._settle()
        try:
            await self._reachable.wait()
        finally:
            self._stuck -= 1
            self._idle.clear()

    async def _as_stored(self, item: InboxItem) -> InboxItem:
        """The item with all that is noted of it by now."""
        pause = FIRST_PAUSE
        while True:
            try:
                known = await self._inbox.unfinished(self._platform.name, self._platform.account)
            except StorageError as error:
                self._unstored.begins(f"The inbox cannot be read, and is tried again: {error}")
                await self._clock.sleep(pause)
                pause = min(2 * pause, _LONGEST_UNSTORED)
            else:
                self._unstored.is_over()
                return next((one for one in known if one.id == item.id), item)

    async def _done(self, item: InboxItem) -> None:
        """Mark as done. While that cannot be stored it is tried again: else the next start would ask the provider once more."""
        pause = FIRST_PAUSE
        while True:
            try:
                await self._inbox.done(item.id)
            except StorageError as error:
                self._unstored.begins(f"What was delivered cannot be noted, and is tried again: {error}")
                await self._clock.sleep(pause)
                pause = min(2 * pause, _LONGEST_UNSTORED)
            else:
                return self._unstored.is_over()

    async def _events(self, item: InboxItem, inbound: Inbound, started: asyncio.Event) -> AsyncGenerator[Event, None]:
        """The replies that were already decided before a restart, and the gateway's events, unless those were all."""
        for stored in item.replies:
            yield reply_from_json(stored)
        if item.state is InboxState.ANSWERED:
            return
        async with aclosing(self._gateway.handle(inbound, item.id, bool(item.replies))) as events:
            async for event in events:
                if isinstance(event, Working):
                    started.set()
                yield event
