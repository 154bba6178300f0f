"""A connected bot with a channel, a thread and a person, and the replies that tests let it give."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from core.messages import Button, Event, Inbound, Reply, ReplyKind
from tests.fakes.discord_room import Room, connected, says
from tests.fakes.discord_server import DiscordServer, User
from tests.fakes.discord_world import Channel, Guild, Interaction, Message

PICKER = Reply(
    kind=ReplyKind.PICKER,
    text="Model: large",
    token="tok",
    buttons=(
        Button(n=1, label="large", command="/model large", selected=True),
        Button(n=2, label="small", command="/model small"),
        Button(n=3, label="Status", command="/model status", group="action"),
    ),
)
CHANGED = Reply(kind=ReplyKind.NOTICE, text="Now small.")


class Place:
    """Alice's. `room` is the bot."""

    def __init__(self, server: DiscordServer) -> None:
        self.server = server
        self.guild: Guild = server.guild()
        self.channel: Channel = server.channel(self.guild)
        self.thread: Channel = server.thread(self.channel)
        self.alice: User = server.user("alice")
        self.room: Room

    async def hears(self, channel: Channel, text: str, **how: Any) -> Inbound:
        """A message to the bot, which is named in it where that is needed."""
        count = len(self.room.heard)
        (self.alice.says if channel is self.alice.dm else self.alice.asks)(channel, text, **how)
        await self.room.wait_for(lambda: len(self.room.heard) > count)
        await self.room.settled()
        return self.room.heard[-1]

    async def answers(self, *events: Event) -> None:
        self.room.answer = says(*events)
        await self.hears(self.channel, "go on")

    async def slash(self, text: str | None, *events: Event, channel: Channel | None = None) -> Interaction:
        self.room.answer = says(*events)
        used = self.alice.slash(channel or self.channel, "model", text)
        return await self.handled(used)

    async def handled(self, used: Interaction) -> Interaction:
        await self.room.wait_for(lambda: used.callback and self.room.delivering)
        await self.room.settled()
        return used

    async def picker(self) -> Message:
        return (await self.slash(None, PICKER)).answers[0]


@asynccontextmanager
async def a_place() -> AsyncIterator[Place]:
    """The place, with its bot connected."""
    with DiscordServer() as server:
        made = Place(server)
        async with connected(server) as made.room:
            yield made


def text(words: str, **more: Any) -> Reply:
    """A model's answer."""
    return Reply(kind=ReplyKind.TEXT, text=words, **more)


def notice(words: str, **more: Any) -> Reply:
    return Reply(kind=ReplyKind.NOTICE, text=words, **more)


def seen(used: Interaction) -> list[tuple[str, bool]]:
    """The answers to an interaction, and whether they are for its sender alone."""
    return [(message.content, message.ephemeral) for message in used.answers]
