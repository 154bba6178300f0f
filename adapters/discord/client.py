"""The Discord platform: logs in, listens until it is cancelled, delivers answers."""

import asyncio
import contextlib
import logging
import re
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import aiohttp
import discord
from discord.gateway import DiscordWebSocket

from adapters.discord.arrivals import Accept
from adapters.discord.connection import Connection, OnState
from adapters.discord.destination import Destination
from adapters.discord.downloads import Downloads
from adapters.discord.inbound import PLATFORM, Reader
from adapters.discord.interactions import MayAnswer, Suggest
from adapters.discord.outbound import Delivery
from adapters.discord.payloads import announcement_update
from adapters.discord.refusals import Refusals
from adapters.discord.rest import DiscordRest
from adapters.discord.sheets import Sheets
from adapters.discord.wire import DEFAULT_API, fatal, keep_quiet, no_token, point_at
from core.auth.secret import Secret
from core.clock import Clock
from core.errors import BotError, ConfigError
from core.messages import Event, File, Inbound
from core.ports import Inbox, InboxItem, Update
from core.troubles import Trouble

log = logging.getLogger(__name__)

_TOKEN = re.compile(r"[A-Za-z0-9._-]+")
_WAITS = (1, 2, 5, 10, 20, 40, 60)
_CLOSE_SECONDS = 3.0


class DiscordPlatform:
    """A bot account on Discord (core.intake.Platform). `agent` and `dm_scope` make the session keys.

    `commands` are (name, summary) of the slash commands, `arguments` the usage of those that take one; `suggest` answers
    autocomplete; `may_answer` tells, without waiting, whether the sender of a command may give it: who may not sees the refusal
    alone. `api_base_url` and `gateway_url` hold for the whole process; an empty gateway is asked from the API.
    """

    name = PLATFORM

    def __init__(
        self,
        token: Secret,
        *,
        account: str = "default",
        api_base_url: str,
        gateway_url: str,
        agent: str,
        dm_scope: str,
        inbox: Inbox,
        clock: Clock,
        commands: Sequence[tuple[str, str]],
        suggest: Suggest,
        arguments: Mapping[str, str] | None = None,
        may_answer: MayAnswer | None = None,
    ) -> None:
        self.account = account
        self._token = token
        self._gateway_url = gateway_url
        self._api_base_url = api_base_url
        self._reader = Reader(agent=agent, account=account, dm_scope=dm_scope)
        self._inbox = inbox
        self._clock = clock
        self._commands = tuple(commands)
        self._arguments = dict(arguments or {})
        self._suggest = suggest
        self._may_answer = may_answer
        self._connection: Connection | None = None
        self._left: list[Connection] = []
        """Those before it, which an answer may still be using."""
        self._outage = Trouble(log, "Discord takes messages again.")
        self._logged_in = asyncio.Event()
        self._sheets = Sheets()
        self._refusals = Refusals()

    def read(self, update: Update) -> Inbound | None:
        """What the update means. Its files are fetched when they are asked for."""
        inbound = self._reader.read(update)
        if inbound is None or not update.payload.get("attachments"):
            return inbound
        return replace(inbound, files=partial(self._fetch, update.payload))

    def announcement(self, chat: str, key: str) -> Update:
        """An update of our own, with this key, whose answer goes to a chat: what `Inbound.chat` says, or `person:<id>`, whose
        private chat is opened then. Raises ValueError for a text that names no chat on Discord."""
        return announcement_update(self._reader, chat, key)

    async def deliver(self, item: InboxItem, inbound: Inbound, events: AsyncIterator[Event]) -> None:
        """Show the answer where the question was asked; waits for the login.

        Raises BotError if Discord is away for minutes or refuses the token: the answer is to be delivered by a later start.
        """
        await self._logged_in.wait()
        connection = self._connection
        assert connection is not None, "set before the login is announced"
        if connection.is_closed():  # it was refused, and the next one is not there yet
            raise BotError("discord_unreachable", "There is no connection to Discord.")
        acknowledged = await connection.acknowledgements.taken(item.update.key)
        rest = DiscordRest(connection, self._clock, self._outage)
        destination = Destination(rest, item.update.payload, acknowledged=acknowledged)
        await Delivery(item, destination, self._inbox, self._clock, self._sheets, self._refusals).run(events)

    async def _fetch(self, payload: Mapping[str, Any]) -> tuple[File, ...]:
        """What was sent with a stored message; waits for the login."""
        await self._logged_in.wait()
        connection = self._connection
        assert connection is not None, "set before the login is announced"
        return await Downloads(connection, payload, self._api_base_url or DEFAULT_API, self._clock).fetch()

    async def run(self, accept: Accept, on_state: OnState) -> None:
        """Listen until cancelled, reconnecting as often as it takes. States: `connecting`, `connected`, `disconnected` and why.

        Raises BotError, naming the setting, if Discord refuses the token or the right to read messages; it may be called again
        then. Cancelling closes the gateway connection; answers can be delivered until `close`.
        """
        point_at(self._api_base_url, self._gateway_url)
        keep_quiet()
        on_state("connecting")
        connection = await self._login(on_state)
        await self._close_left()
        await self.attend(connection, accept, on_state)

    async def attend(self, connection: Connection, accept: Accept, on_state: OnState) -> None:
        """Commit what a logged-in connection hears and keep it connected, until cancelled."""
        self.adopt(connection)
        connection.on_state = on_state
        tasks = [asyncio.create_task(connection.arrivals.run(accept)), asyncio.create_task(connection.connect())]
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in tasks:
                task.cancel()
            ended = await asyncio.gather(*tasks, return_exceptions=True)
            await _hang_up(connection)
        for error in ended:
            if isinstance(error, Exception):
                if (refused := fatal(error)) is not None:
                    raise refused from error
                raise error

    async def close(self) -> None:
        """Let go of all connections. Nothing can be delivered after it."""
        self._logged_in.clear()
        connection, self._connection = self._connection, None
        await self._close_left()
        if connection is not None:
            await _close(connection)

    def take_token(self, token: Secret) -> bool:
        """Log in with this token from the next time on; whether it is another one. Whoever runs the platform begins anew then.
        Raises ConfigError for a text that cannot be a token; then the one before stays."""
        if token == self._token:
            return False
        _check(token)
        self._token = token
        return True

    async def _close_left(self) -> None:
        while self._left:
            await _close(self._left.pop())

    def connection(self) -> Connection:
        """A new connection that is not logged in yet."""
        return Connection(
            self._reader,
            self._inbox,
            self._clock,
            commands=self._commands,
            arguments=self._arguments,
            suggest=self._suggest,
            may_answer=self._may_answer,
        )

    def adopt(self, connection: Connection) -> None:
        """Answers go through this logged-in connection from now on."""
        if self._connection is not None:
            self._left.append(self._connection)
        self._connection = connection
        self._logged_in.set()

    async def _login(self, on_state: OnState) -> Connection:
        """Log in and synchronise the commands, for as long as Discord is merely away."""
        _check(self._token)
        waits = iter(_WAITS)
        while True:
            connection = self.connection()
            try:
                return await self._log_in_once(connection)
            except BaseException as error:
                await _close(connection)
                if (refused := fatal(error)) is not None:
                    raise refused from error
                if not isinstance(error, (discord.DiscordException, aiohttp.ClientError, OSError, TimeoutError)):
                    raise
                place = self._api_base_url or DEFAULT_API
                on_state(f"disconnected: Discord cannot be reached at {place} ({type(error).__name__})")
            await self._clock.sleep(next(waits, _WAITS[-1]))

    async def _log_in_once(self, connection: Connection) -> Connection:
        try:
            await connection.login(self._token.reveal())
            if not self._gateway_url:
                _, url, _ = await connection.http.get_bot_gateway()
                point_at(self._api_base_url, url)
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise ConfigError(
                "channels.discord.api_base_url", "does not answer as Discord does.", "Correct it, or leave it out."
            ) from error
        return connection


def _check(token: Secret) -> None:
    """Raise ConfigError for a text that cannot be a token."""
    if not _TOKEN.fullmatch(token.reveal().strip()):
        raise no_token()


async def _hang_up(connection: Connection) -> None:
    """End the gateway connection, politely if that is quick."""
    socket: DiscordWebSocket | None = connection.ws
    if socket is not None and socket.open:
        with contextlib.suppress(TimeoutError, aiohttp.ClientError, OSError):
            async with asyncio.timeout(_CLOSE_SECONDS):
                await socket.close(code=1000)


async def _close(connection: Connection) -> None:
    await _hang_up(connection)
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(_CLOSE_SECONDS):
            await connection.close()
    await connection.http.close()
