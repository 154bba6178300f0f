"""Chats by name: what `Inbound.chat` holds on Discord, and what is to be known of a chat when its name comes back.

`person:<user>` is somebody's private chat, `<guild>/<channel>` a channel, `<guild>/<channel>/<thread>` a thread of it.
"""

import re
from collections.abc import Mapping
from typing import Any

_PERSON = "person:"
_PRIVATE = re.compile(rf"{_PERSON}([0-9]{{1,20}})")
_SHARED = re.compile(r"([0-9]{1,20})/(?:([0-9]{1,20})/)?([0-9]{1,20})")


def chat_address(payload: Mapping[str, Any]) -> str:
    """The name of the chat that a stored payload comes from."""
    if payload["direct"]:
        return f"{_PERSON}{payload['user']['id']}"
    parts = (payload["guild"], payload["parent"], payload["channel"])
    return "/".join(part for part in parts if part is not None)


def address_facts(chat: str) -> dict[str, Any]:
    """What a payload says of the chat of this name: channel, parent, guild, direct and user. The channel of a private chat is
    not in its name (None): it is opened when something is sent. Raises ValueError for a text that names no chat."""
    if private := _PRIVATE.fullmatch(chat):
        return _facts(None, None, None, private[1])
    if shared := _SHARED.fullmatch(chat):
        guild, parent, channel = shared.groups()
        return _facts(channel, parent, guild, "")
    raise ValueError(f"{chat!r} names no chat on Discord: it is person:<id> or <server>/<channel>[/<thread>]")


def _facts(channel: str | None, parent: str | None, guild: str | None, person: str) -> dict[str, Any]:
    return {
        "channel": channel,
        "parent": parent,
        "guild": guild,
        "direct": guild is None,
        "user": {"id": person, "name": "", "bot": False, "roles": []},
    }
