"""Discord's menus of slash commands, brought to what this version has. Discord allows few writes: only what differs is written."""

import logging
from collections.abc import Mapping, Sequence
from typing import Any

import discord

log = logging.getLogger(__name__)

_TEXT = 3


async def sync_menus(client: discord.Client, wanted: Sequence[dict[str, Any]]) -> None:
    """Compare and, where they differ, replace the whole list. Without its menus the bot still answers typed commands, so a
    refusal is only told."""
    application = client.application_id
    assert application is not None, "known after login"
    try:
        there: Any = await client.http.get_global_commands(application)
        if _meaning(there) != _meaning(wanted):
            body: Any = list(wanted)
            await client.http.bulk_upsert_global_commands(application, body)
            log.info("Discord has the slash commands of this version now.")
    except discord.HTTPException as error:
        log.error("Discord did not take the slash commands: %s, code %s: %s", error.status, error.code, error.text)


def _meaning(commands: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """What people see of commands, by name, without what Discord adds and with what it leaves out."""
    return {
        str(entry.get("name")): (
            entry.get("type", 1),
            entry.get("description"),
            [_option(option) for option in entry.get("options") or ()],
            sorted(entry.get("contexts") or ()),
            sorted(entry.get("integration_types") or ()),
        )
        for entry in commands
    }


def _option(option: Mapping[str, Any]) -> tuple[Any, ...]:
    choices = [(choice.get("name"), choice.get("value")) for choice in option.get("choices") or ()]
    flags = (bool(option.get("required")), bool(option.get("autocomplete")))
    return (option.get("type", _TEXT), option.get("name"), option.get("description"), flags, choices)
