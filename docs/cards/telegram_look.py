"""A message as Telegram's server received it, as lines of text in their looks."""

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

from docs.cards.canvas import Line, Run

_FLAGS = {"bold": "bold", "italic": "italic", "code": "code", "pre": "block"}


def lines_of(text: str, entities: Sequence[Any]) -> list[Line]:
    """The lines of a text with entities (offsets in UTF-16 units)."""
    raw = text.encode("utf-16-le")
    cuts = {0, len(raw) // 2}
    spans = [(entity["offset"], entity["offset"] + entity["length"], entity["type"]) for entity in map(dict, entities)]
    for first, end, _ in spans:
        cuts |= {first, end}
    places = sorted(cuts)
    runs = []
    for first, end in pairwise(places):
        looks = {_FLAGS[kind]: True for a, b, kind in spans if a <= first and end <= b and kind in _FLAGS}
        runs.append(Run(raw[first * 2 : end * 2].decode("utf-16-le"), **looks))
    return broken(runs)


def broken(runs: Sequence[Run]) -> list[Line]:
    """Runs as lines, at their line ends."""
    lines: list[list[Run]] = [[]]
    for run in runs:
        for n, part in enumerate(run.text.split("\n")):
            if n:
                lines.append([])
            if part:
                lines[-1].append(Run(part, run.bold, run.italic, run.code, run.dim, run.block, run.scale))
    return [tuple(line) for line in lines]
