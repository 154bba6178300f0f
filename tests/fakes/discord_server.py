"""A counterpart of Discord on loopback: REST and gateway as a client library needs them, people who write, type and press.

It runs in a thread of its own, so that it serves this process and others alike. What people do returns at once;
`await server.wait_for(...)` waits for what the bot makes of it.
"""

import asyncio
import threading
import time
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, TypeVar

from aiohttp import web

from tests.fakes.discord_cdn import Cdn
from tests.fakes.discord_gateway import Gateway
from tests.fakes.discord_people import User as User
from tests.fakes.discord_rest import Rest
from tests.fakes.discord_world import (
    DIRECT,
    TEXT,
    THREAD,
    Channel,
    Guild,
    Interaction,
    Message,
    Person,
    role_wire,
    snowflake,
)

_T = TypeVar("_T")
_PREFIX = "/api/v10"


@dataclass
class Planned:
    """An answer that the next matching request gets instead of its own."""

    method: str
    path: str
    status: int
    code: int
    retry_after: float
    times: int
    lost: bool = False
    """It is done, and the connection breaks before the answer is there."""


class DiscordServer:
    """Use as a context manager. `api_base_url`, `gateway_url` and `token` are what a bot is configured with."""

    def __init__(self, token: str = "counterpart-bot-token-0123456789abcdef") -> None:
        self.token = token
        self.bot = Person(name="claw", bot=True)
        self.application = snowflake()
        self.flags = 1 << 19
        """Of the application: it may read what people write."""
        self.people: dict[int, Person] = {}
        self.guilds: list[Guild] = []
        self.channels: dict[int, Channel] = {}
        self.interactions: dict[int, Interaction] = {}
        self.commands: list[dict[str, Any]] = []
        self.requests: list[dict[str, Any]] = []
        """Every REST request: method, path, body, headers (lower case)."""
        self.refused: list[dict[str, Any]] = []
        """Those of them that were answered as `fail` had planned."""
        self.acknowledge_within = 3.0
        self.gateway = Gateway(token, self.bot, self.application, self.guilds, self.changed)
        self.cdn = Cdn(self)
        self.api_base_url = self.gateway_url = ""
        self._planned: list[Planned] = []
        self._waiting: list[tuple[asyncio.AbstractEventLoop, asyncio.Event]] = []
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="discord counterpart", daemon=True)

    def __enter__(self) -> "DiscordServer":
        self._thread.start()
        self._do(self._start())
        return self

    def __exit__(self, *_: object) -> None:
        self._do(self._stop())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(5)
        self._loop.close()

    def guild(self, name: str = "guild") -> Guild:
        """A guild that has the bot. Made before the bot connects, or told by `emit` afterwards."""
        guild = Guild(name=name, bot=self.bot)
        self.guilds.append(guild)
        return guild

    def channel(self, guild: Guild, name: str = "general") -> Channel:
        return self._add(Channel(name=name, kind=TEXT, guild=guild))

    def thread(self, parent: Channel, name: str = "thread") -> Channel:
        return self._add(Channel(name=name, kind=THREAD, guild=parent.guild, parent=parent))

    def private(self, person: Person) -> Channel:
        """The private chat of the bot with a person; there is one."""
        known = (c for c in self.channels.values() if c.kind == DIRECT and c.recipient is person)
        return next(known, None) or self._add(Channel(name="dm", kind=DIRECT, recipient=person))

    def role(self, guild: Guild, *members: Person) -> int:
        """A new role for these members; its id."""
        number = snowflake()
        for member in members:
            guild.roles.setdefault(member.id, []).append(number)
        self.emit("GUILD_ROLE_CREATE", {"guild_id": str(guild.id), "role": role_wire(number, {})})
        return number

    def user(self, name: str, *, bot: bool = False) -> User:
        user = User(name=name, bot=bot, server=self)
        self.people[user.id] = user
        return user

    def fail(
        self, method: str, path: str, status: int, *, code: int = 0, retry_after: float = 0.05, times: int = 1
    ) -> None:
        """Refuse the next requests of this method whose path contains `path`."""
        self._planned.append(Planned(method, path, status, code, retry_after, times))

    def lose(self, method: str, path: str, *, times: int = 1) -> None:
        """Do what the next matching requests ask for, and break the connection in place of an answer."""
        self._planned.append(Planned(method, path, 0, 0, 0.0, times, lost=True))

    def good_again(self) -> None:
        """Refuse nothing any more that was planned to be refused."""
        self._planned.clear()

    def planned(self, method: str, path: str) -> Planned | None:
        for planned in self._planned:
            if planned.times > 0 and planned.method == method and planned.path in path:
                planned.times -= 1
                if not planned.lost:
                    self.refused.append({"method": method, "path": path, "status": planned.status})
                return planned
        return None

    def sent(self, method: str, path: str) -> list[dict[str, Any]]:
        """The requests of this method whose path contains `path`."""
        return [entry for entry in list(self.requests) if entry["method"] == method and path in entry["path"]]

    def emit(self, event: str, data: dict[str, Any], *, direct: bool = False) -> None:
        self._do(self.gateway.emit(event, data, direct=direct))

    def drop_connections(self) -> None:
        """The network breaks: no close frame."""
        self._do(self.gateway.drop())

    def renew_token(self, token: str) -> None:
        """The owner has a new token made: all that was logged in with the old one is put out."""
        self.token = self.gateway.token = token
        self.gateway.sessions.clear()
        self._do(self.gateway.drop())

    def ask_to_reconnect(self) -> None:
        """Operation 7."""
        self._do(self.gateway.ask(7))

    def invalidate_sessions(self, *, resumable: bool = False) -> None:
        """Operation 9; what happens until the bot identifies again is in the history only."""
        if not resumable:
            self.gateway.sessions.clear()
        self._do(self.gateway.ask(9, resumable))

    def changed(self) -> None:
        """Wake everybody who waits. Called from the server's thread and from others."""
        for loop, event in list(self._waiting):
            if not loop.is_closed():
                loop.call_soon_threadsafe(event.set)

    async def wait_for(self, predicate: Callable[[], _T], seconds: float = 8.0) -> _T:
        """Wait until the predicate is true and return what it said. Raises TimeoutError with the last requests."""
        waiting = (asyncio.get_running_loop(), asyncio.Event())
        self._waiting.append(waiting)
        deadline = time.monotonic() + seconds
        try:
            while not (found := predicate()):
                try:
                    await asyncio.wait_for(waiting[1].wait(), max(0.0, deadline - time.monotonic()))
                except TimeoutError:
                    last = [f"{entry['method']} {entry['path']}" for entry in self.requests[-8:]]
                    raise TimeoutError(f"it did not happen; the last requests were {last}") from None
                waiting[1].clear()
            return found
        finally:
            self._waiting.remove(waiting)

    def post(self, message: Message) -> Message:
        """A message that somebody has written."""
        message.history.append(message.content)

        async def tell() -> None:
            message.channel.everything.append(message)
            await self.gateway.emit("MESSAGE_CREATE", message.event(), direct=message.channel.kind == DIRECT)

        self._do(tell())
        return message

    def rewrite(self, message: Message, text: str) -> None:
        """Somebody has changed their own message."""
        message.content = text
        message.history.append(text)
        message.edited = datetime.now(UTC).isoformat()
        self._tell_of("MESSAGE_UPDATE", message, message.event())

    def embeds(self, message: Message) -> None:
        """Discord has found a page behind a link in the message: an update that nobody wrote."""
        self._tell_of("MESSAGE_UPDATE", message, message.event() | {"embeds": [{"type": "link", "title": "a page"}]})

    def take_back(self, *messages: Message) -> None:
        """These messages of one chat are deleted; several at once as moderators do it."""
        channel = messages[0].channel
        for message in messages:
            message.deleted = True
        where = {"channel_id": str(channel.id)} | ({"guild_id": str(channel.guild.id)} if channel.guild else {})
        if len(messages) == 1:
            self._tell_of("MESSAGE_DELETE", messages[0], where | {"id": str(messages[0].id)})
        else:
            self._tell_of("MESSAGE_DELETE_BULK", messages[0], where | {"ids": [str(m.id) for m in messages]})

    def kick(self, guild: Guild) -> None:
        """The bot is removed from the guild: it may not see anything there any more."""
        for channel in guild.channels:
            channel.lost = True
        self.guilds.remove(guild)
        self.emit("GUILD_DELETE", {"id": str(guild.id)})

    def remove(self, channel: Channel) -> None:
        """A channel is deleted, with all that was said in it."""
        del self.channels[channel.id]
        self.emit("CHANNEL_DELETE", channel.wire())

    def interact(self, interaction: Interaction) -> Interaction:
        """An interaction that somebody has begun."""

        async def tell() -> None:
            self.interactions[interaction.id] = interaction
            event = interaction.event(self.application)
            await self.gateway.emit("INTERACTION_CREATE", event, direct=interaction.channel.kind == DIRECT)

        self._do(tell())
        return interaction

    def _tell_of(self, event: str, message: Message, data: dict[str, Any]) -> None:
        self._do(self.gateway.emit(event, data, direct=message.channel.kind == DIRECT))

    def _add(self, channel: Channel) -> Channel:
        self.channels[channel.id] = channel
        if channel.guild is not None:
            channel.guild.channels.append(channel)
        return channel

    def _do(self, work: Coroutine[Any, Any, _T]) -> _T:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(10)

    async def _start(self) -> None:
        app = web.Application()
        app.add_routes([*Rest(self).routes(_PREFIX), *self.cdn.routes()])
        app.add_routes([web.get("/gateway", self.gateway.handle), web.get("/gateway/", self.gateway.handle)])
        self._runner = web.AppRunner(app, shutdown_timeout=0.2, access_log=None)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0)
        await site.start()
        port = self._runner.addresses[0][1]
        self.api_base_url = f"http://127.0.0.1:{port}{_PREFIX}"
        self.gateway_url = self.gateway.url = f"ws://127.0.0.1:{port}/gateway"

    async def _stop(self) -> None:
        await self._settle()
        await self.gateway.drop()
        await self._runner.cleanup()
        await self._settle()

    async def _settle(self) -> None:
        """Some passes of the loop: a connection just accepted becomes known, a closed one lets go of its socket."""
        for _ in range(10):
            await asyncio.sleep(0)
