"""Discord's interactions as rows of the inbox: slash commands, requests for suggestions, presses, and forms that were sent."""

from collections.abc import Mapping, Sequence
from typing import Any

import discord

from adapters.discord.inbound import Reader
from adapters.discord.payloads import id_text, person, role_ids, row
from core.ports import Update

_COMMANDS = (discord.InteractionType.application_command, discord.InteractionType.autocomplete)
_PRESSES = (discord.InteractionType.component, discord.InteractionType.modal_submit)


def interaction_update(reader: Reader, interaction: discord.Interaction) -> Update | None:
    """The row of an interaction; None for other kinds and for chats of an unknown kind. A form that was sent is the press that
    opened it, with what was typed."""
    channel = interaction.channel
    if channel is None or interaction.data is None:
        return None
    data: Any = interaction.data
    payload: dict[str, Any] = {
        "id": str(interaction.id),
        "token": interaction.token,
        "application": str(interaction.application_id),
        "channel": str(channel.id),
        "parent": id_text(channel.parent_id if isinstance(channel, discord.Thread) else None),
        "guild": id_text(interaction.guild_id),
        "direct": interaction.guild_id is None,
        "user": {**person(interaction.user), "roles": role_ids(interaction.user)},
    }
    if interaction.type in _COMMANDS:
        payload["type"] = "command" if interaction.type is discord.InteractionType.application_command else "suggest"
        payload["name"] = str(data.get("name", ""))
        payload["option"] = next((str(o.get("value") or "") for o in data.get("options") or ()), "")
    elif interaction.type in _PRESSES:
        message = interaction.message
        payload["type"] = "press"
        payload["custom_id"] = str(data.get("custom_id", ""))
        payload["values"] = [str(value) for value in data.get("values") or ()]
        payload["typed"] = _typed(data.get("components") or ())
        payload["message"] = str(message.id) if message is not None else None
        payload["ephemeral"] = message is not None and message.flags.ephemeral
    else:
        return None
    return row(reader, f"i{interaction.id}", payload)


def _typed(rows: Sequence[Mapping[str, Any]]) -> str:
    """What was written into the one line of a form, in the present shape of forms or the one before it."""
    for one in rows:
        for part in (one.get("component"), *(one.get("components") or ())):
            if part is not None and part.get("value") is not None:
                return str(part["value"])
    return ""
