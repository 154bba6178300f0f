"""The real platform on the Bot API counterpart, with an inbox in memory and a clock that a test moves."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any, Self

from adapters.telegram.client import TelegramPlatform
from core.auth.secret import Secret
from core.errors import StorageError
from core.messages import Event, Reply, ReplyKind
from core.ports import InboxItem, InboxState, Update
from tests.fakes.clock import FakeClock
from tests.fakes.telegram_server import TelegramServer
from tests.fakes.telegram_world import ChatMessage, Person, Press

MENU = (("model", "Which model and credential"), ("new", "A new session"))


class FakeInbox:
    """core.ports.Inbox in memory. While `full`, no note can be stored."""

    def __init__(self) -> None:
        self.items: dict[str, InboxItem] = {}
        self.notes: list[Mapping[str, Any]] = []
        self.full = False
        self.refused = 0
        self._news = asyncio.Event()

    async def receive(self, updates: Sequence[Update], now: datetime) -> tuple[InboxItem, ...]:
        fresh = []
        for update in updates:
            if update.key not in self.items:
                item = InboxItem(id=len(self.items) + 1, update=update, state=InboxState.NEW, received_at=now)
                self.items[update.key] = item
                fresh.append(item)
        return tuple(fresh)

    async def unfinished(self, platform: str, account: str) -> tuple[InboxItem, ...]:
        return tuple(item for item in self.items.values() if item.state is not InboxState.DONE)

    async def note_delivery(self, item: int, delivery: Mapping[str, Any]) -> None:
        if self.full:
            self.refused += 1
            raise StorageError("storage", "The disk is full.")
        self.notes.append(delivery)
        self._news.set()
        self._change(item, delivery=delivery)

    async def answered(self, item: int, replies: Sequence[Mapping[str, Any]]) -> None:
        self._change(item, state=InboxState.ANSWERED, replies=tuple(replies))

    async def done(self, item: int) -> None:
        self._change(item, state=InboxState.DONE)

    async def get_mark(self, platform: str, account: str) -> str | None:
        return None

    async def set_mark(self, platform: str, account: str, mark: str) -> None:
        raise AssertionError("Telegram keeps the position itself")

    async def noted(self, count: int) -> None:
        """Return when so many notes were stored."""
        async with asyncio.timeout(5):
            while len(self.notes) < count:
                self._news.clear()
                await self._news.wait()

    def item(self, number: int) -> InboxItem:
        return next(item for item in self.items.values() if item.id == number)

    def _change(self, number: int, **fields: Any) -> None:
        item = self.item(number)
        self.items[item.update.key] = replace(item, **fields)


class StageClock(FakeClock):
    """A FakeClock whose sleeps can be waited for by their number."""

    def __init__(self) -> None:
        super().__init__(jumps=False)
        self._news = asyncio.Event()

    async def sleep(self, seconds: float) -> None:
        self._news.set()
        await super().sleep(seconds)

    async def asked(self, count: int) -> None:
        """Return when so many sleeps were asked for, since the beginning."""
        async with asyncio.timeout(5):
            while len(self.slept) < count:
                self._news.clear()
                await self._news.wait()


class Stage:
    """One platform that polls the counterpart; what it takes in waits in `taken`."""

    def __init__(self, server: TelegramServer, inbox: FakeInbox | None = None) -> None:
        self.server = server
        self.inbox = inbox or FakeInbox()
        self.clock = StageClock()
        self.states: list[str] = []
        self.taken: asyncio.Queue[InboxItem] = asyncio.Queue()
        self.platform = TelegramPlatform(
            Secret(server.token or "1:gone"),
            api_base_url=server.url,
            agent="main",
            dm_scope="per-account-channel-peer",
            inbox=self.inbox,
            clock=self.clock,
            commands=MENU,
        )
        self._run: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        self.begin()
        return self

    async def __aexit__(self, *exc: object) -> None:
        await self.stop()

    def begin(self) -> None:
        """Run the platform beside the test."""
        self._run = asyncio.create_task(self.platform.run(self.accept, self.states.append))

    async def ended(self) -> None:
        """Return when running has ended; raises what it has ended with."""
        run, self._run = self._run, None
        assert run is not None
        await run

    async def stop_running(self) -> None:
        if self._run is not None:
            self._run.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._run
            self._run = None

    async def stop(self) -> None:
        await self.stop_running()
        await self.platform.close()

    async def accept(self, updates: Sequence[Update]) -> None:
        for item in await self.inbox.receive(updates, self.clock.now()):
            self.taken.put_nowait(item)

    async def hears(self, person: Person, chat: Any, text: str, **where: Any) -> InboxItem:
        """The stored item of a message that a person writes now."""
        person.says(chat, text, **where)
        return await asyncio.wait_for(self.taken.get(), 10)

    async def sees_press(self, person: Person, message: ChatMessage, label: str) -> tuple[InboxItem, Press]:
        """The stored item of a button that a person presses now, and what the person sees of its answer."""
        press = person.presses(message, label)
        return await asyncio.wait_for(self.taken.get(), 10), press

    async def answer(self, item: InboxItem, *events: Event | asyncio.Event) -> None:
        """Deliver an answer made of these events; an asyncio.Event in between holds back what follows it."""
        inbound = self.platform.read(item.update)
        assert inbound is not None
        current = self.inbox.item(item.id)
        await asyncio.wait_for(self.platform.deliver(current, inbound, script(*events)), 20)

    async def until(self, predicate: Any) -> None:
        await self.server.wait_for(predicate)


async def script(*events: Event | asyncio.Event) -> AsyncIterator[Event]:
    """A gateway's answer, as written down."""
    for event in events:
        if isinstance(event, asyncio.Event):
            await event.wait()
        else:
            yield event


def text(words: str, **fields: Any) -> Reply:
    return Reply(kind=ReplyKind.TEXT, text=words, **fields)


def notice(words: str, **fields: Any) -> Reply:
    return Reply(kind=ReplyKind.NOTICE, text=words, **fields)
