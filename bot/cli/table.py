"""Tables: drawn by rich on a terminal, aligned plain text in a pipe."""

import os
import sys
import unicodedata
from collections.abc import Iterable, Sequence

from bot.cli.output import on_one_line, say

_GAP = "  "


def say_table(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """A table of the result: one line of headings, then the rows. A cell is plain text, whatever it holds: control characters
    are written out and markup is not obeyed. A row has as many cells as there are columns."""
    safe = [[on_one_line(cell) for cell in row] for row in rows]
    if _is_for_people():
        _draw(columns, safe)
    else:
        _align(columns, safe)


def _is_for_people() -> bool:
    stream = sys.stdout
    return stream is not None and stream.isatty() and os.environ.get("TERM", "dumb") not in ("dumb", "unknown")


def _draw(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False, padding=(0, len(_GAP), 0, 0))
    for name in columns:
        table.add_column(Text(name), overflow="fold")
    for row in rows:
        table.add_row(*(Text(cell) for cell in row))
    Console(highlight=False, markup=False, emoji=False).print(table)


def _align(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    lines = [columns, *rows]
    widths = [max(_width(line[n]) for line in lines) for n in range(len(columns))]
    for line in lines:
        padded = (cell + " " * (width - _width(cell)) for cell, width in zip(line, widths, strict=True))
        say(_GAP.join(padded).rstrip())


def _width(text: str) -> int:
    """The columns that a text takes on a terminal."""
    return sum(0 if unicodedata.combining(c) else 2 if unicodedata.east_asian_width(c) in "WF" else 1 for c in text)
