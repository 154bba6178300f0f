"""Whom a text speaks to: `/command@bot`, mentions, and the text without them.

Entities give their places in UTF-16 code units, which are not Python's characters once an emoji stands before them.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

_COMMAND = re.compile(r"(/[^\s@]+)@([A-Za-z0-9_]{3,32})(?=\s|$)")
_AFTER_MENTION = " \t\r\n,:"


@dataclass(frozen=True, slots=True)
class Spelling:
    """The bot's own id and its user name, case-folded and without the @."""

    id: int
    name: str


@dataclass(frozen=True, slots=True)
class Said:
    """A text for us: without our name at its start or in its command. `named` says whether it was there at all."""

    text: str
    named: bool


def addressed_text(text: str, entities: Sequence[Any], names: Spelling) -> Said | None:
    """Take our own name off a text. None if its command is meant for another bot."""
    mentions = [place for entity in entities if (place := _our_mention(text, entity, names)) is not None]
    named = bool(mentions)
    start, end = min(mentions, default=(0, 0))
    if named and not text[:start].strip():
        text = text[end:].lstrip(_AFTER_MENTION)
    text = text.strip()
    command = _COMMAND.match(text)
    if command is None:
        return Said(text, named)
    if command[2].casefold() != names.name:
        return None
    return Said(command[1] + text[command.end() :], True)


def utf16_length(text: str) -> int:
    """Length in UTF-16 code units, as Telegram counts."""
    return len(text) if text.isascii() else len(text.encode("utf-16-le", "surrogatepass")) // 2


def _our_mention(text: str, entity: Any, names: Spelling) -> tuple[int, int] | None:
    """Where an entity mentions us, as Python indices; None if it does not or lies outside the text."""
    if not isinstance(entity, Mapping) or entity.get("type") not in ("mention", "text_mention"):
        return None
    offset, length = entity.get("offset"), entity.get("length")
    if not isinstance(offset, int) or not isinstance(length, int) or offset < 0 or length <= 0:
        return None
    units = text.encode("utf-16-le", "surrogatepass")
    if (offset + length) * 2 > len(units):
        return None
    start = len(units[: offset * 2].decode("utf-16-le", "surrogatepass"))
    part = units[offset * 2 : (offset + length) * 2].decode("utf-16-le", "replace")
    if entity["type"] == "mention":
        ours = bool(names.name) and part.casefold() == f"@{names.name}"
    else:
        user = entity.get("user")
        ours = isinstance(user, Mapping) and user.get("id") == names.id
    return (start, start + len(part)) if ours else None
