"""Discord's messages as rows of the inbox: a small JSON of our own with all that reading and answering need."""

import hashlib
from collections.abc import Mapping
from typing import Any

import discord

from adapters.discord.addresses import address_facts
from adapters.discord.attached import stored_attachments
from adapters.discord.inbound import PLATFORM, Reader
from core.ports import Update

_TALK = (discord.MessageType.default, discord.MessageType.reply)


def is_talk(message: discord.Message) -> bool:
    """Whether a person wrote it: no bot, no webhook, no notice of Discord's own (pins, joins, thread starts)."""
    return not message.author.bot and message.webhook_id is None and message.type in _TALK


def message_update(
    reader: Reader, message: discord.Message, me: discord.ClientUser, parent: int | None, roles: list[str]
) -> Update:
    """The row of a message. `parent` is the channel that a thread belongs to."""
    return row(reader, f"m{message.id}", _said(message, me, parent, roles))


def edit_update(
    reader: Reader, message: discord.Message, me: discord.ClientUser, parent: int | None, *, when: str, known: bool
) -> Update:
    """The row of a message that reads differently now. `when` is Discord's time of the change, which makes each one a row of its
    own; `known`: it was for us before."""
    key = f"e{message.id}.{when}"
    payload = _said(message, me, parent, role_ids(message.author)) | {
        "type": "edit",
        "known": known,
        "nonce": _nonce(key),
    }
    return row(reader, key, payload)


def deletion_update(reader: Reader, message: int, facts: Mapping[str, Any]) -> Update:
    """The row of a message that was taken back; `facts` is what was known of it."""
    return row(reader, f"d{message}", {"type": "deletion", "id": str(message), **facts})


def whereabouts(channel: int, parent: int | None, guild: int | None, person: int | None) -> dict[str, Any]:
    """The facts of a message of which only the place is known; `person` is whose private chat it was in."""
    return {
        "channel": str(channel),
        "parent": id_text(parent),
        "guild": id_text(guild),
        "direct": guild is None,
        "user": {"id": id_text(person) or "", "name": "", "bot": False, "roles": []},
    }


def announcement_update(reader: Reader, chat: str, key: str) -> Update:
    """A row of our own: whatever answers it goes to the chat of this name. Raises ValueError if it names none."""
    return row(reader, key, {"type": "announcement", "nonce": _nonce(key), **address_facts(chat)})


def row(reader: Reader, key: str, payload: dict[str, Any]) -> Update:
    """An update in the lane of its session."""
    lane = str(reader.session(payload))
    return Update(platform=PLATFORM, account=reader.account, key=key, lane=lane, payload=payload)


def guild_of(message: discord.Message) -> int | None:
    """The guild's id, also of a channel that is not in the cache; None only in a private chat."""
    if message.guild is not None:
        return message.guild.id
    return getattr(message.channel, "guild_id", None)


def role_ids(user: discord.abc.User) -> list[str]:
    """The ids of a member's roles, without the one that everybody has. None in a guild that is not known (any more)."""
    if not isinstance(user, discord.Member) or user.guild is None:
        return []
    return [str(role.id) for role in user.roles if not role.is_default()]


def person(user: discord.abc.User) -> dict[str, Any]:
    """Somebody, as a row names them."""
    return {"id": str(user.id), "name": user.display_name, "bot": user.bot}


def id_text(number: int | None) -> str | None:
    """An id as a row keeps it."""
    return None if number is None else str(number)


def _said(message: discord.Message, me: discord.ClientUser, parent: int | None, roles: list[str]) -> dict[str, Any]:
    guild = message.guild
    bot_role = guild.self_role if guild is not None else None
    named = any(user.id == me.id for user in message.mentions)
    by_role = bot_role is not None and bot_role.id in message.raw_role_mentions
    quoted = _quoted(message, me)
    return {
        "type": "message",
        "id": str(message.id),
        "channel": str(message.channel.id),
        "parent": id_text(parent),
        "guild": id_text(guild_of(message)),
        "direct": guild_of(message) is None,
        "user": {**person(message.author), "roles": roles},
        "webhook": message.webhook_id is not None,
        "content": message.content,
        "attachments": stored_attachments(message.attachments),
        "mentioned": named or by_role or (quoted is not None and quoted["own"]),
        "quoted": quoted,
        "bot": str(me.id),
        "bot_name": me.display_name,
        "bot_role": str(bot_role.id) if bot_role is not None else None,
    }


def _quoted(message: discord.Message, me: discord.ClientUser) -> dict[str, Any] | None:
    """The message that this one replies to, if it is still there."""
    reference = message.reference
    answered = reference.resolved if reference is not None and message.type is discord.MessageType.reply else None
    if not isinstance(answered, discord.Message):
        return None
    author = answered.author
    return {"author": author.display_name, "text": answered.content, "own": author.id == me.id}


def _nonce(key: str) -> str:
    """What tells Discord that a message is the same one again: short, and the same after a restart."""
    return hashlib.blake2b(key.encode(), digest_size=8).hexdigest()
