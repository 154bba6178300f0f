"""Formatted text in pieces that Telegram takes: 4,096 UTF-16 code units and 100 formats each, never cut inside a character.

Formatting that spans a cut goes on in the next piece, so a code block is closed at the end of one and opened in the next, in the
same language.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import accumulate

from adapters.telegram.graphemes import before_cluster

LIMIT = 4096
MOST_ENTITIES = 100
"""Telegram leaves out the formats beyond these without a word."""
_BLOCKS = ("pre", "blockquote", "expandable_blockquote")
"""Formats of whole lines, which may be closed and reopened between two lines."""


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


def split(
    text: str, entities: Sequence[Entity] = (), limit: int = LIMIT, most: int = MOST_ENTITIES
) -> tuple[Piece, ...]:
    """Cut where a reader would: between blocks, between lines, at a blank; inside a word only if there is no other place.

    Pieces have at most `limit` code units and `most` formats and are never blank; together they hold everything but blanks at the
    cuts. No text, no pieces.
    """
    body = _Body(text, entities, most)
    return tuple(piece for start, end in _spans(body, limit) if (piece := body.piece(start, end)) is not None)


def newest(text: str, entities: Sequence[Entity] = (), limit: int = LIMIT) -> Piece | None:
    """The end of a text that is still growing, as much as fits into one piece. Its beginning moves on by whole blocks."""
    body = _Body(text, entities)
    if body.units(0, len(text)) <= limit:
        return body.piece(0, len(text))
    starts = [start for start, _ in _spans(body, limit // 4)]
    fitting = [start for start in starts if body.units(start, len(text)) <= limit - len(_BEFORE)]
    piece = body.piece(fitting[0], len(text)) if fitting else None
    if piece is None:
        return None
    moved = tuple(replace(entity, offset=entity.offset + len(_BEFORE)) for entity in piece.entities)
    return Piece(_BEFORE + piece.text, moved[:MOST_ENTITIES])


_BEFORE = "…\n"


class _Body:
    """A text whose places are counted in characters, and its formats with them. Telegram's code units are told by `units`."""

    def __init__(self, text: str, entities: Sequence[Entity], most: int = MOST_ENTITIES) -> None:
        self.text = text
        self._most = most
        widths = (2 if ord(character) > 0xFFFF else 1 for character in text)
        self._before = range(len(text) + 1) if text.isascii() else list(accumulate(widths, initial=0))
        self._entities = sorted(entities, key=lambda entity: entity.offset)
        self.ranges = [
            (self._index(e.offset), self._index(e.offset + e.length), e.type in _BLOCKS) for e in self._entities
        ]

    def units(self, start: int, end: int) -> int:
        """How much of Telegram's limit a stretch takes."""
        return self._before[end] - self._before[start]

    def reach(self, start: int, limit: int) -> int:
        """The furthest end of a piece that begins at `start`: as many units and formats as one message takes."""
        end = bisect_right(self._before, self._before[start] + limit) - 1
        inside = [first for first, last, _ in self.ranges if last > start and first < end]
        if len(inside) > self._most:
            end = max(inside[self._most], start + 1)
        return min(max(end, start + 1), len(self.text))

    def piece(self, start: int, end: int) -> Piece | None:
        """A stretch as a message, without blanks at its end; None if there is nothing else."""
        text = self.text[start:end].rstrip()
        if not text:
            return None
        first, last = self._before[start], self._before[start + len(text)]
        return Piece(text, tuple(part for entity in self._entities if (part := _clip(entity, first, last)) is not None))

    def _index(self, unit: int) -> int:
        return min(bisect_left(self._before, unit), len(self.text))


def _spans(body: _Body, limit: int) -> Iterator[tuple[int, int]]:
    start, total = 0, len(body.text)
    while start < total:
        end = body.reach(start, limit)
        if end < total:
            end = _cut(body, start, end)
        yield start, end
        start = end
        while 0 < end < total and start < total and body.text[start] == "\n":
            start += 1


def _cut(body: _Body, start: int, end: int) -> int:
    """The best end for a piece that begins at `start` and may go to `end`."""
    half = start + (end - start) // 2
    near = [(first, last, block) for first, last, block in body.ranges if first < end and last > start]

    def between_blocks(at: int) -> bool:
        return all(not first < at < last for first, last, _ in near)

    def between_lines(at: int) -> bool:
        return all(not first < at < last for first, last, block in near if not block)

    for first, last, block in near:
        if block and start < first < end < last and body.units(first, last) <= body.units(start, end):
            return first  # it fits into a message of its own, so it is better begun there
    for mark, low, allowed in (
        ("\n\n", half, between_blocks),
        ("\n", half, between_blocks),
        ("\n\n", half, between_lines),
        ("\n", half, between_lines),
        ("\n", start, partial(_before_fitting_line, body, start, end)),
        (" ", half, between_lines),
        ("\n", half, None),
        (" ", half, None),
    ):
        at = _last(body.text, mark, low, end, allowed)
        if at is not None:
            return at
    return max(before_cluster(body.text, end, start), start + 1)


def _before_fitting_line(body: _Body, start: int, end: int, at: int) -> bool:
    """Whether the line that begins at a place would be torn at `end` but fits into a message of its own."""
    line = body.text.find("\n", at)
    return body.units(at, len(body.text) if line == -1 else line) <= body.units(start, end)


def _last(text: str, mark: str, low: int, high: int, allowed: Callable[[int], bool] | None) -> int | None:
    """The last place after a mark, of those between `low` and `high` where a cut is allowed."""
    at = text.rfind(mark, low, high)
    while at != -1:
        place = at + len(mark)
        if place > low and (allowed is None or allowed(place)):
            return place
        at = text.rfind(mark, low, at + len(mark) - 1)
    return None


def _clip(entity: Entity, start: int, end: int) -> Entity | None:
    """The part of an entity that lies in a piece, counted from the piece's beginning."""
    first, last = max(entity.offset, start), min(entity.offset + entity.length, end)
    return replace(entity, offset=first - start, length=last - first) if first < last else None
