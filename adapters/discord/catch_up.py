"""What was written while the process was away: read from the history of the chats that have a mark."""

import logging
from collections.abc import AsyncIterator, Mapping
from datetime import datetime, timedelta

import aiohttp
import discord

from adapters.discord.payloads import role_ids

log = logging.getLogger(__name__)

REACH = timedelta(hours=24)
"""Older messages are left unanswered: their writers have gone on. (Telegram keeps updates as long.)"""
_PER_CHAT = 1000


async def missed_messages(
    client: discord.Client, marks: Mapping[int, int], now: datetime
) -> AsyncIterator[discord.Message]:
    """Messages after the marks, oldest first in each chat; of one with more than a thousand, the newest thousand. A chat that
    cannot be read is left out."""
    floor = discord.utils.time_snowflake(now - REACH)
    for chat, last in marks.items():
        try:
            channel = client.get_channel(chat) or await client.fetch_channel(chat)
            newest = getattr(channel, "last_message_id", None)
            if not isinstance(channel, discord.abc.Messageable) or (newest is not None and newest <= last):
                continue
            after = discord.Object(max(last, floor))
            found = [message async for message in channel.history(limit=_PER_CHAT, after=after, oldest_first=False)]
        except (discord.DiscordException, aiohttp.ClientError, OSError) as error:
            log.info("The history of chat %s could not be read: %s.", chat, type(error).__name__)
            continue
        if len(found) == _PER_CHAT:
            log.warning("In chat %s only the newest %s messages of the meantime were read.", chat, _PER_CHAT)
        for message in reversed(found):
            yield message


async def author_roles(message: discord.Message, known: dict[tuple[int, int], list[str]]) -> list[str]:
    """The role ids of a history message's author, which history does not tell: asked for once. None can be had: none."""
    if message.guild is None:
        return []
    person = (message.guild.id, message.author.id)
    if person not in known:
        try:
            known[person] = role_ids(await message.guild.fetch_member(message.author.id))
        except (discord.DiscordException, aiohttp.ClientError, OSError):
            known[person] = []
    return known[person]
