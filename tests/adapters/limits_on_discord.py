"""Replies through the real Discord platform to its counterpart, and what arrived there, for properties that run in a thread."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from core.errors import Suggestion
from core.messages import Event
from tests.fakes.clock import FakeClock
from tests.fakes.discord_room import Room, connected, says
from tests.fakes.discord_server import DiscordServer
from tests.fakes.discord_world import Message


@dataclass
class DiscordArrived:
    """What one answer left in the channel, and the bodies of the requests that it took."""

    messages: list[Message]
    bodies: list[dict[str, Any]]


class DiscordWire:
    """Alice's channel, and a bot that gives the answers it is told."""

    def __init__(self, server: DiscordServer, room: Room) -> None:
        self._loop = asyncio.get_running_loop()
        self._server = server
        self._room = room
        self._alice = server.user("alice")
        self._channel = server.guilds[0].channels[0]

    def answers(self, *events: Event) -> DiscordArrived:
        """Called from another thread: the bot answers a question with these events."""
        return asyncio.run_coroutine_threadsafe(self._answers(events), self._loop).result(60)

    def suggests(self, suggestions: Sequence[Suggestion]) -> list[dict[str, Any]]:
        """Called from another thread: what Discord offers while somebody types, when the bot has these suggestions."""
        return asyncio.run_coroutine_threadsafe(self._suggests(suggestions), self._loop).result(60)

    async def _suggests(self, suggestions: Sequence[Suggestion]) -> list[dict[str, Any]]:
        self._room.suggestions = suggestions
        typed = self._alice.autocomplete(self._channel, "model", "x")
        await self._room.wait_for(lambda: typed.callback)
        return typed.choices or []

    async def _answers(self, events: tuple[Event, ...]) -> DiscordArrived:
        self._room.answer = says(*events)
        heard, before, asked = len(self._room.heard), len(self._channel.everything), len(self._server.requests)
        self._alice.asks(self._channel, "go on")
        await self._room.wait_for(lambda: len(self._room.heard) > heard)
        await self._room.settled()
        shown = [m for m in self._channel.everything[before:] if m.author is self._server.bot and not m.deleted]
        made = [r for r in self._server.requests[asked:] if r["method"] in ("POST", "PATCH") and r["body"]]
        return DiscordArrived(shown, [request["body"] for request in made])


@asynccontextmanager
async def discord_wire() -> AsyncIterator[DiscordWire]:
    """The bot, connected. Its clock does not wait for anything."""
    with DiscordServer() as server:
        server.channel(server.guild())
        async with connected(server, clock=FakeClock()) as room:
            yield DiscordWire(server, room)
