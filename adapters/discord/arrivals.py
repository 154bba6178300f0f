"""From the connection to the inbox: one queue, committed in the order of arrival, what was missed before what is new."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import aiohttp
import discord

from adapters.discord.catch_up import author_roles, missed_messages
from adapters.discord.heard import Heard
from adapters.discord.inbound import PLATFORM, Reader
from adapters.discord.marks import Marks
from adapters.discord.payloads import (
    deletion_update,
    edit_update,
    guild_of,
    is_talk,
    message_update,
    role_ids,
    whereabouts,
)
from core.clock import Clock
from core.errors import BotError
from core.ports import Inbox, Update

log = logging.getLogger(__name__)

Accept = Callable[[Sequence[Update]], Awaitable[None]]

_Chat = discord.abc.GuildChannel | discord.abc.PrivateChannel | discord.Thread
_BATCH = 100
_FIRST_WAIT, _LONGEST_WAIT = 0.5, 30.0
_LAST_SECONDS = 3.0


class _NewSession:
    """Discord began a session that is not a resumed one: there may be a gap before it."""


@dataclass(frozen=True, slots=True)
class _Edited:
    """What a message says now, and since when."""

    message: discord.Message
    when: str


@dataclass(frozen=True, slots=True)
class _Deleted:
    """A message is gone from a chat."""

    id: int
    channel: int
    guild: int | None


_Entry = discord.Message | Update | _Edited | _Deleted | _NewSession


class Arrivals:
    """Takes what the client hears and commits what is for us. `committed` is told each key that is stored, or not to be."""

    def __init__(
        self, client: discord.Client, reader: Reader, inbox: Inbox, clock: Clock, committed: Callable[[str], None]
    ) -> None:
        self._client = client
        self._reader = reader
        self._clock = clock
        self._committed = committed
        self._marks = Marks(inbox, PLATFORM, reader.account)
        self._heard = Heard()
        self._queue: asyncio.Queue[_Entry] = asyncio.Queue()
        self._batch: list[_Entry] = []
        self._channels: dict[int, _Chat] = {}

    def message(self, message: discord.Message) -> None:
        """A person wrote something."""
        self._queue.put_nowait(message)

    def edited(self, message: discord.Message, when: str) -> None:
        """A person changed a message, at Discord's time `when`; or Discord added to it, which changes no word."""
        self._queue.put_nowait(_Edited(message, when))

    def deleted(self, messages: Iterable[int], channel: int, guild: int | None) -> None:
        """Messages of a chat were taken back. Discord does not say whose: what this process has not heard, and may have been to the
        bot before, goes on without its author; the rest is left out."""
        for message in messages:
            self._queue.put_nowait(_Deleted(message, channel, guild))

    def update(self, update: Update) -> None:
        """An interaction."""
        self._queue.put_nowait(update)

    def new_session(self) -> None:
        """The gateway session is a fresh one."""
        self._queue.put_nowait(_NewSession())

    async def run(self, accept: Accept) -> None:
        """Commit until cancelled. What is queued then is committed and the marks are stored on the way out."""
        await self._marks.load()
        try:
            while True:
                self._batch = [await self._queue.get()]
                self._fill(_BATCH)
                await self._commit(self._batch, accept)
                self._batch = []
        finally:
            self._fill(len(self._batch) + self._queue.qsize())
            await self._commit_rest(accept)
            await self._marks.save()

    def _fill(self, size: int) -> None:
        while len(self._batch) < size and not self._queue.empty():
            self._batch.append(self._queue.get_nowait())

    async def _commit_rest(self, accept: Accept) -> None:
        """Once more, for what a cancellation has left: an interaction is in no history. Reading a gap is for the next start,
        and the marks stay before it."""
        gap = any(isinstance(entry, _NewSession) for entry in self._batch)
        updates: list[Update] = []
        try:
            async with asyncio.timeout(_LAST_SECONDS):
                for entry in self._batch:
                    updates += await self._updates(entry)
                await self._accept(updates, accept)
        except (BotError, TimeoutError) as error:
            log.error("The last messages from Discord could not be stored: %s.", type(error).__name__)
            return
        for entry in self._batch:
            if isinstance(entry, discord.Message) and not gap:
                await self._marks.seen(entry.channel.id, entry.id, self._clock.now())

    async def _commit(self, batch: list[_Entry], accept: Accept) -> None:
        updates: list[Update] = []
        seen: list[discord.Message] = []
        for entry in batch:
            if isinstance(entry, _NewSession):
                await self._catch_up(accept)
            elif isinstance(entry, discord.Message):
                seen.append(entry)
            updates += await self._updates(entry)
        await self._store(updates, accept)
        for message in seen:
            await self._marks.seen(message.channel.id, message.id, self._clock.now())

    async def _updates(self, entry: _Entry) -> list[Update]:
        """What is to be stored of an entry."""
        match entry:
            case discord.Message():
                self._heard.begin(entry.id)
                update = await self._read(entry, role_ids(entry.author))
                if self._reader.read(update) is not None:
                    self._heard.remember(update.payload)
                return [update]
            case _Edited(message, when):
                return await self._edit(message, when)
            case _Deleted():
                facts = self._heard.facts(entry.id) or await self._unheard(entry)
                return [] if facts is None else [deletion_update(self._reader, entry.id, facts)]
            case Update():
                self._heard.begin(int(entry.payload["id"]))
                return [entry]
        return []

    async def _edit(self, message: discord.Message, when: str) -> list[Update]:
        """Nothing if it says what it said: Discord also tells of link previews, pins and threads."""
        if self._heard.says(message.id, message.content):
            return []
        known = self._heard.facts(message.id) is not None
        parent = await self._parent(message)
        update = edit_update(self._reader, message, self._me(), parent, when=when, known=known)
        if self._reader.read(update) is not None:
            self._heard.remember(update.payload)
        return [update]

    async def _unheard(self, gone: _Deleted) -> dict[str, Any] | None:
        """Where a message was that this process has not heard; None if it was not to the bot, or that cannot be known."""
        if not self._heard.may_have_missed(gone.id):
            return None
        if gone.guild is not None:
            return whereabouts(gone.channel, await self._parent_of(gone.channel), gone.guild, None)
        chat = await self._channel(gone.channel)
        recipient = chat.recipient if isinstance(chat, discord.DMChannel) else None
        return None if recipient is None else whereabouts(gone.channel, None, None, recipient.id)

    async def _store(self, updates: list[Update], accept: Accept) -> None:
        """Commit, however long the store needs to take it: what is given up here would be lost."""
        wait = _FIRST_WAIT
        while True:
            try:
                await self._accept(updates, accept)
                return
            except BotError as error:
                log.error("Messages from Discord could not be stored (%s); again in %s s.", error.code, wait)
                await self._clock.sleep(wait)
                wait = min(wait * 2, _LONGEST_WAIT)

    async def _accept(self, updates: list[Update], accept: Accept) -> None:
        """Only what is for us: what people say to each other costs no write."""
        if ours := [update for update in updates if self._reader.read(update) is not None]:
            await accept(ours)
        for update in updates:
            self._committed(update.key)

    async def _catch_up(self, accept: Accept) -> None:
        """Commit what the marks say was missed. Marks move only after the commit."""
        marks = self._marks.newest_first()
        if not marks:
            return
        await self._client.wait_until_ready()
        known: dict[tuple[int, int], list[str]] = {}
        count = 0
        async for message in missed_messages(self._client, marks, self._clock.now()):
            if is_talk(message) and self._reader.read(await self._read(message, [])) is not None:
                roles = await author_roles(message, known)
                update = await self._read(message, roles)
                self._heard.remember(update.payload)
                await self._store([update], accept)
                count += 1
            await self._marks.seen(message.channel.id, message.id, self._clock.now())
        if count:
            log.info("%s messages to the bot were written on Discord in the meantime.", count)

    async def _read(self, message: discord.Message, roles: list[str]) -> Update:
        return message_update(self._reader, message, self._me(), await self._parent(message), roles)

    def _me(self) -> discord.ClientUser:
        me = self._client.user
        assert me is not None, "known since the login"
        return me

    async def _parent(self, message: discord.Message) -> int | None:
        """The channel of a thread."""
        channel = message.channel
        if isinstance(channel, discord.Thread):
            return channel.parent_id
        if not isinstance(channel, discord.PartialMessageable) or guild_of(message) is None:
            return None
        return await self._parent_of(channel.id)

    async def _parent_of(self, number: int) -> int | None:
        found = await self._channel(number)
        return found.parent_id if isinstance(found, discord.Thread) else None

    async def _channel(self, number: int) -> _Chat | None:
        """One that is not in the client's cache is asked for once. None if it cannot be had."""
        if (cached := self._client.get_channel(number)) is not None:
            return cached
        if number not in self._channels:
            try:
                self._channels[number] = await self._client.fetch_channel(number)
            except (discord.DiscordException, aiohttp.ClientError, OSError):
                return None
        return self._channels[number]
