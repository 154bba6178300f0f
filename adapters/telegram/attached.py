"""What Telegram's messages carry besides text: photos, documents and static stickers are offered, every other kind has a sentence.

Pure: a stored update offers the same files after a restart, since Telegram's file ids do not expire for the bot that got them.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from adapters.telegram.albums import parts
from core.attachments import LARGEST_PICTURE, Offer

_UNREADABLE = {
    "animation": "An animation",
    "audio": "An audio file",
    "voice": "A voice message",
    "video_note": "A video message",
    "video": "A video",
    "venue": "A venue",
    "location": "A location",
    "contact": "A contact",
    "poll": "A poll",
    "checklist": "A checklist",
    "dice": "A die",
    "game": "A game",
    "story": "A story",
    "paid_media": "Paid media",
}
"""Kinds that no model gets. An animation is listed as a document too and a venue as a location: the more telling kind is first."""


def offers(payload: Mapping[str, Any]) -> tuple[Offer, ...]:
    """What came with a stored update's message, the further parts of its album included."""
    found: list[Offer] = []
    for message in parts(payload):
        found += _attached(message, len(found) + 1)
    return tuple(found)


def _attached(message: Mapping[str, Any], number: int) -> Iterator[Offer]:
    if isinstance(message.get("text"), str):
        return
    kind = next((kind for kind in _UNREADABLE if kind in message), None)
    if kind is not None:
        yield Offer(name=kind.replace("_", " "), problem=f"{_UNREADABLE[kind]} cannot be read here.")
    elif "photo" in message:
        yield from _photo(message["photo"], number)
    elif "document" in message:
        yield from _document(message["document"])
    elif "sticker" in message:
        yield from _sticker(message["sticker"])
    elif isinstance(message.get("caption"), str):
        yield Offer(name="file", problem="Something came along of a kind that cannot be read here.")


def _photo(sizes: object, number: int) -> Iterator[Offer]:
    """The largest size that is within the limit. Photos have no names; in an album they are numbered."""
    there = [size for size in sizes if _source(size)] if isinstance(sizes, list) else []
    if not there:
        return
    fitting = [size for size in there if (_number(size.get("file_size")) or 0) <= LARGEST_PICTURE]
    chosen = max(fitting, key=_area) if fitting else min(there, key=_area)
    name = "photo.jpg" if number == 1 else f"photo {number}.jpg"
    yield Offer(
        name=name, media_type="image/jpeg", size=_number(chosen.get("file_size")), source=str(chosen["file_id"])
    )


def _document(raw: Any) -> Iterator[Offer]:
    if _source(raw):
        yield Offer(
            name=_text(raw.get("file_name")) or "document",
            media_type=_text(raw.get("mime_type")),
            size=_number(raw.get("file_size")),
            source=raw["file_id"],
        )


def _sticker(raw: Any) -> Iterator[Offer]:
    if not _source(raw):
        return
    if raw.get("is_animated") is True or raw.get("is_video") is True:
        yield Offer(name="sticker", problem="An animated sticker cannot be read here.")
    else:
        size = _number(raw.get("file_size"))
        yield Offer(name="sticker.webp", media_type="image/webp", size=size, source=raw["file_id"])


def _source(raw: Any) -> bool:
    """Whether it is a file of Telegram's: something with a file id."""
    return isinstance(raw, Mapping) and bool(_text(raw.get("file_id")))


def _area(size: Mapping[str, Any]) -> int:
    return (_number(size.get("width")) or 0) * (_number(size.get("height")) or 0)


def _text(raw: object) -> str:
    return raw if isinstance(raw, str) else ""


def _number(raw: object) -> int | None:
    return raw if isinstance(raw, int) and not isinstance(raw, bool) else None
