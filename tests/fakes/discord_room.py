"""The real Discord adapter at work against the counterpart, with scripted answers in place of core."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any

from adapters.discord.client import DiscordPlatform
from bot.system_clock import SystemClock
from core.auth.secret import Secret
from core.clock import Clock
from core.errors import Suggestion
from core.messages import Event, Inbound, Reply, ReplyKind
from core.ports import InboxItem, Update
from tests.fakes.discord_server import DiscordServer
from tests.fakes.inbox import FakeInbox

COMMANDS = (
    ("model", "Choose the model and the credential"),
    ("models", "Models of one provider"),
    ("new", "Start a new conversation"),
    ("compact", "Turn the conversation into a summary"),
    ("usage", "What was used"),
    ("status", "How this session stands"),
    ("help", "What I can do"),
)
ARGUMENTS = {"new": "[<model>] [<message>]", "usage": "[off|tokens|full|all]", "compact": "[<what to keep>]"}


class NotedInbox(FakeInbox):
    """Wakes those who wait when a note was made."""

    def __init__(self, changed: Callable[[], None]) -> None:
        super().__init__()
        self._changed = changed

    async def note_delivery(self, item: int, delivery: Mapping[str, Any]) -> None:
        await super().note_delivery(item, delivery)
        self._changed()


class Room:
    """A platform with an inbox in memory. `answer` makes the events for an inbound; `heard` is what was committed."""

    def __init__(self, server: DiscordServer, inbox: FakeInbox | None = None, clock: Clock | None = None) -> None:
        self.server = server
        self.inbox = inbox or NotedInbox(server.changed)
        self.clock = clock or SystemClock()
        self.heard: list[Inbound] = []
        self.received: list[Update] = []
        """What was committed, as it is stored until it is answered."""
        self.states: list[str] = []
        self.asked: list[Inbound] = []
        self.suggestions: Sequence[Suggestion] = ()
        self.suggest_takes = 0.0
        self.strangers: set[str] = set()
        """Ids of people who may not give commands."""
        self.commit_gate = asyncio.Event()
        """Commits wait for it. Open unless a test closes it."""
        self.commit_gate.set()
        self.answer: Callable[[Inbound], AsyncGenerator[Event, None]] = echo
        self.delivering: set[asyncio.Task[None]] = set()
        self.run: asyncio.Task[None] | None = None
        self.platform = DiscordPlatform(
            Secret(server.token),
            api_base_url=server.api_base_url,
            gateway_url=server.gateway_url,
            agent="main",
            dm_scope="per-account-channel-peer",
            inbox=self.inbox,
            clock=self.clock,
            commands=COMMANDS,
            arguments=ARGUMENTS,
            suggest=self._suggest,
            may_answer=lambda inbound: inbound.sender.id not in self.strangers,
        )

    async def accept(self, updates: Sequence[Update]) -> None:
        await self.commit_gate.wait()
        for item in await self.inbox.receive(updates, self.clock.now()):
            inbound = self.platform.read(item.update)
            assert inbound is not None, "nothing that means nothing is committed"
            self.heard.append(inbound)
            self.received.append(item.update)
            self.deliver(item, inbound)
        self.server.changed()

    def deliver(self, item: InboxItem, inbound: Inbound) -> asyncio.Task[None]:
        """Answer an item as the intake would."""
        task = asyncio.create_task(self._deliver(item, self.platform.read(item.update) or inbound))
        self.delivering.add(task)
        return task

    def start(self) -> None:
        """Run the platform beside the test."""
        self.run = asyncio.create_task(self.platform.run(self.accept, self.on_state))

    async def close(self) -> None:
        """Stop everything, whatever it is doing."""
        tasks = [*self.delivering, *([self.run] if self.run else [])]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await self.platform.close()

    async def settled(self) -> None:
        """Everything that was heard is answered. Raises what a delivery raised."""
        async with asyncio.timeout(10):
            await asyncio.gather(*self.delivering)
        self.delivering.clear()

    async def wait_for(self, predicate: Callable[[], Any]) -> Any:
        return await self.server.wait_for(predicate)

    def on_state(self, state: str) -> None:
        self.states.append(state)
        self.server.changed()

    async def _deliver(self, item: InboxItem, inbound: Inbound) -> None:
        await self.platform.deliver(item, inbound, self.answer(inbound))
        await self.inbox.done(item.id)
        self.server.changed()

    async def _suggest(self, inbound: Inbound) -> Sequence[Suggestion]:
        self.asked.append(inbound)
        await self.clock.sleep(self.suggest_takes)
        return self.suggestions


async def echo(inbound: Inbound) -> AsyncGenerator[Event, None]:
    """The text again, as a model would say it."""
    yield Reply(kind=ReplyKind.TEXT, text=f"you said: {inbound.text}")


def says(*events: Event) -> Callable[[Inbound], AsyncGenerator[Event, None]]:
    """Always these events."""

    async def answer(_: Inbound) -> AsyncGenerator[Event, None]:
        for event in events:
            yield event

    return answer


@asynccontextmanager
async def connected(
    server: DiscordServer, inbox: FakeInbox | None = None, clock: Clock | None = None
) -> AsyncIterator[Room]:
    """A room whose bot is connected, and disconnected and closed at the end."""
    room = Room(server, inbox, clock)
    room.start()
    try:
        await room.wait_for(lambda: "connected" in room.states or (room.run is not None and room.run.done()))
        yield room
    finally:
        await room.close()
