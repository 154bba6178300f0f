"""Where the bot is and may write: Telegram tells when somebody blocks it, adds it to a group or takes it out again."""

from collections.abc import Mapping
from typing import Any

from adapters.telegram.shapes import mapping, number, words
from core.errors import shown

_GONE = ("left", "kicked")


def membership(payload: Mapping[str, Any]) -> str:
    """A sentence about the change that an update tells of; empty if it is about something else, or nothing changed."""
    change = mapping(payload.get("my_chat_member"))
    chat = mapping(change.get("chat"))
    before, after = _present(change.get("old_chat_member")), _present(change.get("new_chat_member"))
    where, who = number(chat.get("id")), number(mapping(change.get("from")).get("id"))
    if before is None or after is None or before is after or where is None:
        return ""
    if chat.get("type") == "private":
        return f"telegram:{where} has {'started' if after else 'blocked'} the bot."
    group = f"group {shown(words(chat.get('title')))} (telegram:{where})"
    if after:
        return f"The bot was added to {group} by telegram:{who}. Unless access.groups lists it, the bot stays silent there."
    return f"The bot was removed from {group} by telegram:{who}."


def _present(raw: object) -> bool | None:
    """Whether a member's state lets the bot read and write; None if there is no state."""
    member = mapping(raw)
    status = words(member.get("status"))
    if not status:
        return None
    return status not in _GONE and not (status == "restricted" and member.get("is_member") is not True)
