"""Boxes and wrapped lines of text as SVG. Widths are estimates: fonts are the viewer's own, so lines are given some air."""

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from html import escape

SANS = "-apple-system, BlinkMacSystemFont, 'Segoe UI', Roboto, 'Noto Sans', 'DejaVu Sans', Helvetica, Arial, sans-serif"
MONO = "ui-monospace, SFMono-Regular, Menlo, Consolas, 'DejaVu Sans Mono', monospace"
_DOTS = {"🟢": "#23a55a", "🟡": "#e0a10b", "🔴": "#d83c3e"}
"""Drawn as dots of that colour: not every viewer has a font for them."""
_NARROW, _WIDE = "ijltfr.,:;'|!()[] ·", "mwMWGOQ@%—"


@dataclass(frozen=True)
class Run:
    """A stretch of text in one look. `block`: it stands in a block of code."""

    text: str
    bold: bool = False
    italic: bool = False
    code: bool = False
    dim: bool = False
    block: bool = False
    scale: float = 1.0


Line = tuple[Run, ...]


def width_of(run: Run, size: float) -> float:
    """About how wide the run is, in the units of `size`; rather too wide than too narrow."""
    size *= run.scale
    if run.code or run.block:
        return sum(0.6 if unicodedata.east_asian_width(c) not in "WF" else 1.3 for c in run.text) * size
    wide = sum(_advance(c) for c in run.text) * size
    return wide * (1.08 if run.bold else 1.0)


def _advance(c: str) -> float:
    if unicodedata.east_asian_width(c) in "WF" or unicodedata.category(c) == "So":
        return 1.3
    if c in _NARROW:
        return 0.34
    return 0.9 if c in _WIDE else 0.66 if c.isupper() else 0.57


def wrap(lines: Sequence[Line], width: float, size: float) -> list[Line]:
    """Every line in as many as it needs; continued ones begin where the first began, as far as it was indented."""
    wrapped: list[Line] = []
    for line in lines:
        words = [replace(run, text=word) for run in line for word in _words(run.text)]
        indent = _indent(line)
        row: list[Run] = []
        filled = 0.0
        for part in words:
            word = part
            if row and filled + width_of(replace(word, text=word.text.rstrip()), size) > width:
                wrapped.append(_joined(row))
                row, filled = [Run(indent)] if indent else [], width_of(Run(indent), size)
                word = replace(word, text=word.text.lstrip(" "))
            row.append(word)
            filled += width_of(word, size)
        wrapped.append(_joined(row))
    return wrapped


def _words(text: str) -> list[str]:
    """Words with the blank after them, the first with those before it."""
    return re.findall(r" *[^ ]+ ?| +", text)


def _indent(line: Line) -> str:
    first = line[0].text if line else ""
    return first[: len(first) - len(first.lstrip(" "))]


def _joined(row: Sequence[Run]) -> Line:
    """Neighbours of one look become one run."""
    joined: list[Run] = []
    for run in row:
        if joined and replace(joined[-1], text="") == replace(run, text=""):
            joined[-1] = replace(run, text=joined[-1].text + run.text)
        else:
            joined.append(run)
    return tuple(joined)


@dataclass
class Canvas:
    """What is drawn, measured from its top left corner."""

    parts: list[str] = field(default_factory=list)

    def box(
        self, x: float, y: float, width: float, height: float, fill: str, *, line: str = "none", radius: float = 8
    ) -> None:
        """A rectangle with round corners."""
        place = f'x="{x:g}" y="{y:g}" width="{width:g}" height="{height:g}" rx="{radius:g}"'
        self.parts.append(f'<rect {place} fill="{fill}" stroke="{line}"/>')

    def disc(self, x: float, y: float, radius: float, fill: str) -> None:
        self.parts.append(f'<circle cx="{x:g}" cy="{y:g}" r="{radius:g}" fill="{fill}"/>')

    def line(self, x: float, y: float, runs: Line, size: float, fill: str, *, dim: str, anchor: str = "start") -> None:
        """A line of text whose baseline is at `y`."""
        spans = "".join(_span(run, size, dim) for run in runs)
        place = f'x="{x:g}" y="{y:g}" font-size="{size:g}" text-anchor="{anchor}"'
        self.parts.append(f'<text {place} fill="{fill}" xml:space="preserve">{spans}</text>')

    def put(self, other: "Canvas", x: float, y: float) -> None:
        """Another drawing, at a place in this one."""
        self.parts.append(f'<g transform="translate({x:g} {y:g})">{"".join(other.parts)}</g>')

    def svg(self, width: float, height: float, title: str, background: str) -> str:
        """The picture."""
        head = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:g} {height:g}" width="{width:g}" height="{height:g}"'
        body = "\n".join(self.parts)
        return (
            f'{head} font-family="{SANS}" role="img">\n<title>{escape(title)}</title>\n'
            f'<rect width="{width:g}" height="{height:g}" fill="{background}"/>\n{body}\n</svg>\n'
        )


def _span(run: Run, size: float, dim: str) -> str:
    looks = []
    if run.bold:
        looks.append('font-weight="600"')
    if run.italic:
        looks.append('font-style="italic"')
    if run.code or run.block:
        looks.append(f'font-family="{MONO}" font-size="{size * run.scale * 0.92:g}"')
    elif run.scale != 1.0:
        looks.append(f'font-size="{size * run.scale:g}"')
    if run.dim:
        looks.append(f'fill="{dim}"')
    text = "".join(f'<tspan fill="{_DOTS[c]}">●</tspan>' if c in _DOTS else escape(c, quote=False) for c in run.text)
    return f"<tspan {' '.join(looks)}>{text}</tspan>" if looks else text
