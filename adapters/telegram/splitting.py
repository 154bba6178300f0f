"""Formatted text in pieces that Telegram takes: at most 4,096 UTF-16 code units each, never cut inside a character.

Formatting that spans a cut goes on in the next piece, so a code block is closed at the end of one and opened in the next.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

LIMIT = 4096
_CUTS = ("\n\n", "\n", " ")


@dataclass(frozen=True, slots=True)
class Entity:
    """A format over a stretch of text; offset and length in UTF-16 code units. `type` as in the Bot API."""

    type: str
    offset: int
    length: int
    url: str | None = None
    language: str | None = None


@dataclass(frozen=True, slots=True)
class Piece:
    """The text and formatting of one message."""

    text: str
    entities: tuple[Entity, ...] = ()

    @property
    def plain(self) -> "Piece":
        """The same words without formatting."""
        return Piece(self.text)


def split(text: str, entities: Sequence[Entity] = (), limit: int = LIMIT) -> tuple[Piece, ...]:
    """Cut where a reader would: at a blank line, a line end, a blank; inside a word only if there is no other place.

    Pieces are never blank; together they hold everything but blanks at the cuts. No text, no pieces.
    """
    units = text.encode("utf-16-le", "surrogatepass")
    total = len(units) // 2
    pieces = []
    start = 0
    while start < total:
        end = total if total - start <= limit else _cut(units, start, limit)
        piece = _piece(units, start, end, entities)
        if piece is not None:
            pieces.append(piece)
        start = end
        while start < total and end < total and _unit(units, start) == 0x0A:
            start += 1
    return tuple(pieces)


def _cut(units: bytes, start: int, limit: int) -> int:
    """The best end for a piece that begins at `start`: in its second half if possible."""
    end = start + limit
    if 0xDC00 <= _unit(units, end) <= 0xDFFF:
        end -= 1  # between the halves of a character beyond the basic plane
    half = start + limit // 2
    for mark in _CUTS:
        sought = mark.encode("utf-16-le")
        at = _rfind(units, sought, half, end)
        if at is not None:
            return at + len(mark)
    return max(end, start + 1)


def _rfind(units: bytes, sought: bytes, low: int, high: int) -> int | None:
    at = units.rfind(sought, low * 2, high * 2)
    while at != -1 and at % 2:
        at = units.rfind(sought, low * 2, at + len(sought) - 1)
    return None if at == -1 else at // 2


def _unit(units: bytes, index: int) -> int:
    return int.from_bytes(units[index * 2 : index * 2 + 2], "little")


def _piece(units: bytes, start: int, end: int, entities: Sequence[Entity]) -> Piece | None:
    text = units[start * 2 : end * 2].decode("utf-16-le", "surrogatepass").rstrip()
    if not text:
        return None
    end = start + len(text.encode("utf-16-le", "surrogatepass")) // 2
    return Piece(text, tuple(part for entity in entities if (part := _clip(entity, start, end)) is not None))


def _clip(entity: Entity, start: int, end: int) -> Entity | None:
    """The part of an entity that lies in a piece, counted from the piece's beginning."""
    first, last = max(entity.offset, start), min(entity.offset + entity.length, end)
    return replace(entity, offset=first - start, length=last - first) if first < last else None
