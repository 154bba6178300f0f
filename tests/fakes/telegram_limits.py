"""What the Bot API takes and what it refuses: bounds of texts, formats and keyboards, in its own words."""

from dataclasses import dataclass
from typing import Any

MOST_BUTTONS = 100
MOST_ENTITIES = 100
"""The formats that are kept; Telegram drops the others without a word."""
LONGEST_PLACEHOLDER = 64
_ENTITY_TYPES = {"mention", "hashtag", "cashtag", "bot_command", "url", "email", "phone_number", "custom_emoji"}
_ENTITY_TYPES |= {"bold", "italic", "underline", "strikethrough", "spoiler", "code", "pre", "text_link", "text_mention"}
_ENTITY_TYPES |= {"blockquote", "expandable_blockquote"}


class ApiError(Exception):
    """A refusal, as the Bot API words it."""

    def __init__(self, code: int, description: str, **parameters: Any) -> None:
        super().__init__(description)
        self.code = code
        self.description = description
        self.parameters = parameters


def units(text: str) -> int:
    """UTF-16 code units."""
    return len(text.encode("utf-16-le", "surrogatepass")) // 2


@dataclass(frozen=True)
class Version:
    """What a message showed at one time."""

    text: str
    entities: tuple[tuple[tuple[str, Any], ...], ...] = ()
    keyboard: tuple[tuple[tuple[str, str], ...], ...] = ()
    prompt: tuple[tuple[str, Any], ...] | None = None
    """The fields of a ForceReply."""

    @property
    def formats(self) -> list[tuple[str, str]]:
        """(type, the text it covers) of every entity."""
        raw = self.text.encode("utf-16-le")
        rows = [dict(entity) for entity in self.entities]
        return [
            (row["type"], raw[row["offset"] * 2 : (row["offset"] + row["length"]) * 2].decode("utf-16-le"))
            for row in rows
        ]


def checked_version(text: object, entities: object, markup: object) -> Version:
    """What Telegram would show of a message, or its refusal: bounds, limits, and its trimming of blanks."""
    if not isinstance(text, str) or not text.strip():
        raise ApiError(400, "Bad Request: message text is empty")
    shown, kept = _checked_text(text, entities)
    return Version(shown, kept, checked_keyboard(markup), checked_prompt(markup))


def checked_draft(text: object, entities: object) -> Version:
    """The same of a message that is being written; without words it is shown as a bot that thinks."""
    shown, kept = _checked_text(text if isinstance(text, str) else "", entities)
    return Version(shown, kept)


def _checked_text(text: str, entities: object) -> tuple[str, tuple[tuple[tuple[str, Any], ...], ...]]:
    rows = [_checked_entity(text, row) for row in entities] if isinstance(entities, list) else []
    first = min((row["offset"] for row in rows), default=units(text))
    left = min(len(text) - len(text.lstrip(" \n")), first)
    shown = text[left:].rstrip()
    if units(shown) > 4096:
        raise ApiError(400, "Bad Request: message is too long")
    kept = []
    for row in rows:
        start, end = row["offset"] - left, min(row["offset"] - left + row["length"], units(shown))
        if start < end:
            kept.append(tuple({**row, "offset": start, "length": end - start}.items()))
    return shown, tuple(kept[:MOST_ENTITIES])


def _checked_entity(text: str, row: Any) -> dict[str, Any]:
    raw = text.encode("utf-16-le")
    start, length = row.get("offset"), row.get("length")
    if row.get("type") not in _ENTITY_TYPES or not isinstance(start, int) or not isinstance(length, int):
        raise ApiError(400, "Bad Request: can't parse entities: unsupported entity")
    if start < 0 or length <= 0 or (start + length) * 2 > len(raw):
        raise ApiError(400, "Bad Request: can't parse entities: entity lies outside the text")
    for cut in (start, start + length):
        if 0xDC00 <= int.from_bytes(raw[cut * 2 : cut * 2 + 2], "little") <= 0xDFFF:
            raise ApiError(400, "Bad Request: can't parse entities: entity begins or ends inside a character")
    return dict(row)


def checked_keyboard(markup: object) -> tuple[tuple[tuple[str, str], ...], ...]:
    """The buttons by rows, each with its data: up to 100 of them, with 1 to 64 bytes of data."""
    if not isinstance(markup, dict):
        return ()
    rows = []
    for row in markup.get("inline_keyboard", []):
        for button in row:
            if not button.get("text"):
                raise ApiError(400, "Bad Request: inline keyboard button text is empty")
            if not 1 <= len(str(button.get("callback_data", "")).encode()) <= 64:
                raise ApiError(400, "Bad Request: BUTTON_DATA_INVALID")
        rows.append(tuple((button["text"], button["callback_data"]) for button in row))
    if sum(len(row) for row in rows) > MOST_BUTTONS:
        raise ApiError(400, "Bad Request: reply markup is too long")
    return tuple(rows)


def checked_prompt(markup: object) -> tuple[tuple[str, Any], ...] | None:
    """The fields of a ForceReply; None for every other markup."""
    if not isinstance(markup, dict) or not markup.get("force_reply"):
        return None
    if not len(markup.get("input_field_placeholder") or "x") <= LONGEST_PLACEHOLDER:
        raise ApiError(400, "Bad Request: INPUT_FIELD_PLACEHOLDER_INVALID")
    return tuple(markup.items())
