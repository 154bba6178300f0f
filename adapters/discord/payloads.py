"""Discord's events as rows of the inbox: a small JSON of our own with all that reading and answering need."""

from typing import Any

import discord

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
    guild = message.guild
    bot_role = guild.self_role if guild is not None else None
    named = any(user.id == me.id for user in message.mentions)
    by_role = bot_role is not None and bot_role.id in message.raw_role_mentions
    payload = {
        "type": "message",
        "id": str(message.id),
        "channel": str(message.channel.id),
        "parent": _text(parent),
        "guild": _text(guild_of(message)),
        "direct": guild_of(message) is None,
        "user": {**_person(message.author), "roles": roles},
        "webhook": message.webhook_id is not None,
        "content": message.content,
        "attachments": stored_attachments(message.attachments),
        "mentioned": named or by_role or _replies_to(message, me),
        "bot": str(me.id),
        "bot_name": me.display_name,
        "bot_role": str(bot_role.id) if bot_role is not None else None,
    }
    return _update(reader, f"m{message.id}", payload)


def interaction_update(reader: Reader, interaction: discord.Interaction) -> Update | None:
    """The row of a slash command, an autocomplete request or a press; None for other kinds and for chats of an unknown kind."""
    channel = interaction.channel
    if channel is None or interaction.data is None:
        return None
    data: Any = interaction.data
    payload: dict[str, Any] = {
        "id": str(interaction.id),
        "token": interaction.token,
        "application": str(interaction.application_id),
        "channel": str(channel.id),
        "parent": _text(channel.parent_id if isinstance(channel, discord.Thread) else None),
        "guild": _text(interaction.guild_id),
        "direct": interaction.guild_id is None,
        "user": {**_person(interaction.user), "roles": role_ids(interaction.user)},
    }
    match interaction.type:
        case discord.InteractionType.application_command | discord.InteractionType.autocomplete:
            command = interaction.type is discord.InteractionType.application_command
            payload["type"] = "command" if command else "suggest"
            payload["name"] = str(data.get("name", ""))
            payload["option"] = next((str(o.get("value") or "") for o in data.get("options") or ()), "")
        case discord.InteractionType.component:
            message = interaction.message
            payload["type"] = "press"
            payload["custom_id"] = str(data.get("custom_id", ""))
            payload["values"] = [str(value) for value in data.get("values") or ()]
            payload["message"] = str(message.id) if message is not None else None
            payload["ephemeral"] = message is not None and message.flags.ephemeral
        case _:
            return None
    return _update(reader, f"i{interaction.id}", payload)


def guild_of(message: discord.Message) -> int | None:
    """The guild's id, also of a channel that is not in the cache; None only in a private chat."""
    if message.guild is not None:
        return message.guild.id
    return getattr(message.channel, "guild_id", None)


def role_ids(user: discord.abc.User) -> list[str]:
    """The ids of a member's roles, without the one that everybody has."""
    return [str(role.id) for role in user.roles if not role.is_default()] if isinstance(user, discord.Member) else []


def _update(reader: Reader, key: str, payload: dict[str, Any]) -> Update:
    lane = str(reader.session(payload))
    return Update(platform=PLATFORM, account=reader.account, key=key, lane=lane, payload=payload)


def _person(user: discord.abc.User) -> dict[str, Any]:
    return {"id": str(user.id), "name": user.display_name, "bot": user.bot}


def _replies_to(message: discord.Message, me: discord.ClientUser) -> bool:
    reference = message.reference
    answered = reference.resolved if reference is not None and message.type is discord.MessageType.reply else None
    return isinstance(answered, discord.Message) and answered.author.id == me.id


def _text(number: int | None) -> str | None:
    return None if number is None else str(number)
