"""A model's Markdown made ready for the converter, so that every word of it stays.

The converter takes `<name>` for HTML and drops it, moves formulas out of a table, and forgets the address of a link that it cannot
make. What the parser reads as such is escaped here, and addresses are put into words.
"""

import re
from collections.abc import Iterator, Sequence
from typing import Any

import pyromark
from telegramify_markdown.converter import STANDARD_OPTIONS

_SCHEMES = ("http://", "https://", "mailto:")
_ROUNDS = 32
_TAG = re.compile(rb"<(?=[A-Za-z/!?])")
_BREAK = re.compile(rb"<br\s*/?>\s*", re.IGNORECASE)
_FORMULA_MARK = re.compile(rb"\\([\\()\[\]])(?!\|)")

Edit = tuple[int, int, bytes]
"""Where in the source something else is to stand, and what."""


def may_link(url: str) -> bool:
    """Whether an address becomes a link. `tg://user` would notify people, and a path leads nowhere in a chat."""
    return url.lower().startswith(_SCHEMES)


def literal(text: str) -> str:
    """Markdown that shows all its words once it is converted. Raises ValueError if it takes too long to find out how."""
    source = text.encode()
    # An escape can bring to light what was hidden behind it: a tag in a comment, a formula between two prices.
    for _ in range(_ROUNDS):
        events = _events(source)
        edits = [*_escapes(source, events), *_unused_definitions(source, events)]
        if not edits:
            return _applied(source, list(_addresses(source, events))).decode()
        source = _applied(source, edits)
    raise ValueError("HTML within HTML without an end")


def _events(source: bytes) -> list[tuple[Any, Any]]:
    return list(pyromark.events_with_range(source.decode(), options=STANDARD_OPTIONS))


def _applied(source: bytes, edits: Sequence[Edit]) -> bytes:
    parts, at = [], 0
    for start, end, instead in sorted(edits):
        parts += [source[at:start], instead]
        at = end
    return b"".join((*parts, source[at:]))


def _escapes(source: bytes, events: Sequence[tuple[Any, Any]]) -> Iterator[Edit]:
    """Escapes for what the parser reads as something that would not be shown, or not in its place."""
    cell: tuple[int, int] | None = None
    code: list[tuple[int, int]] = []
    for event, place in events:
        start, end = place["start"], place["end"]
        match event:
            case {"Start": "TableCell"}:
                cell, code = (start, end), []
            case {"End": "TableCell"}:
                yield from _formula_marks(source, start, end, code)
                cell = None
            case {"Code": _}:
                code.append((start, end))
            case {"Start": "HtmlBlock"}:
                yield from _tags(source, start, end, b"\n")
            case {"InlineHtml": _}:
                # A line break that is written out as well is one line break.
                again = source[end : end + 1] == b"\n"
                yield from _tags(source, start, end, b" " if cell else b"" if again else b"&#10;")
            case {"InlineMath": _} | {"DisplayMath": _} if cell or _between_prices(source, end, event):
                width = 2 if "DisplayMath" in event else 1
                yield from ((at, at, b"\\") for at in (*range(start, start + width), *range(end - width, end)))
            case {"Start": {"Link": {"link_type": "Autolink", "dest_url": url}}} if not may_link(url):
                yield start, start, b"\\"


def _tags(source: bytes, start: int, end: int, line_break: bytes) -> Iterator[Edit]:
    """Escapes for HTML. Where it may hold code only its beginning is sure to be HTML: the rest is looked at again."""
    html = source[start:end]
    if _BREAK.fullmatch(html):
        yield start, end, line_break
        return
    found = [start + tag.start() for tag in _TAG.finditer(html)]
    yield from ((at, at, b"\\") for at in (found[:1] if b"`" in html else found))


def _between_prices(source: bytes, end: int, event: dict[str, Any]) -> bool:
    """Whether the converter reads it as words between two prices (`$5 and $6`), and thus as Markdown."""
    return "InlineMath" in event and source[end : end + 1].isdigit()


def _formula_marks(source: bytes, start: int, end: int, code: Sequence[tuple[int, int]]) -> Iterator[Edit]:
    r"""In a table `\(` and `\[` must not become a formula: the same characters, spelled otherwise."""
    for mark in _FORMULA_MARK.finditer(source, start, end):
        if not any(first <= mark.start() < last for first, last in code):
            yield mark.start(), mark.end(), b"&#%d;" % mark[1][0]


def _unused_definitions(source: bytes, events: Sequence[tuple[Any, Any]]) -> Iterator[Edit]:
    """Escapes for `[name]: address` where nothing uses the name: it would not be shown at all."""
    used = {_label(link["id"]) for event, _ in events for link in _links(event)}
    for label, definition in pyromark.reference_definitions(source.decode(), options=STANDARD_OPTIONS).items():
        if _label(label) not in used:
            start = definition["span"]["start"]
            yield start, start, b"\\"


def _label(name: str) -> str:
    return " ".join(name.split()).casefold()


def _links(event: Any) -> Iterator[dict[str, Any]]:
    """What a link or picture that begins here leads to."""
    match event:
        case {"Start": {"Link": link}} | {"Start": {"Image": link}}:
            yield link


def _addresses(source: bytes, events: Sequence[tuple[Any, Any]]) -> Iterator[Edit]:
    """Addresses in words, as code, after links that will be none: to elsewhere, or in a table."""
    in_cell = False
    for event, place in events:
        in_cell = event == {"Start": "TableCell"} or (in_cell and event != {"End": "TableCell"})
        for link in _links(event):
            url, end = link["dest_url"], place["end"]
            told = link["link_type"] in ("Autolink", "Email")
            if url.strip() and not told and (in_cell or not may_link(url)):
                yield end, end, b" (%s)" % _as_code(url, in_cell).encode()


def _as_code(words: str, in_cell: bool) -> str:
    """Words as a code span."""
    fence = "`" * (1 + max(map(len, re.findall("`+", words)), default=0))
    room = " " if "`" in words else ""
    return f"{fence}{room}{words.replace('|', chr(92) + '|') if in_cell else words}{room}{fence}"
