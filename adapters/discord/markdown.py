"""A model's Markdown as Discord's. Pure text to text.

Discord reads most of it as it is. What differs: tables (shown as aligned code), headings below the third, quotes in quotes, blocks
of code that are indented, quoted, made of tildes or hold backticks, and mentions (broken up wherever they are not code).
"""

import re
import unicodedata
from dataclasses import dataclass

from adapters.discord.plain import CODE_SPAN, without_pings

_DELIMITER = re.compile(r"\s*\|?\s*:?-+:?\s*(\|\s*:?-+:?\s*)+\|?\s*")
_DEEP_HEADING = re.compile(r"#{4,6}(?=\s)")
_NESTED_QUOTE = re.compile(r"\s{0,3}>(?:\s?>)+\s?")
_EDGE = re.compile(r"`{3,}")
_FENCE = re.compile(r"(?P<before>[ \t]*(?:>[ \t]?)*[ \t]*)(?P<mark>`{3,}|~{3,})(?P<info>[^`]*)")
_LANGUAGE = re.compile(r"\s*([A-Za-z0-9_+.#-]{1,20})(?=\s|$)")
_QUOTE = re.compile(r"[ \t]*(?:>[ \t]?)+")
_CELL_MARK = re.compile(r"(?<![`*])(\*\*|`)(?=[^\s`*])([^`*]+?)(?<=\S)\1(?![`*])")
_NOTHING = "\u200b"
"""Put between backticks inside code, which would end it: it cannot be seen."""


@dataclass(slots=True)
class _Block:
    """A block of code that is open. `mark` empties it: a line of at least as many of the same. `loose`: it began in the middle
    of a line, so that Discord alone decides where it ends."""

    mark: str
    before: str
    loose: bool = False


def model_markdown(text: str) -> str:
    """A model's answer as Discord shows it best."""
    lines = text.split("\n")
    done: list[str] = []
    block: _Block | None = None
    at = 0
    while at < len(lines):
        line = lines[at]
        at += 1
        if block is not None:
            shown, block = _inside(line, block)
        elif "|" in line and at < len(lines) and _DELIMITER.fullmatch(lines[at]):
            end = at + 1
            while end < len(lines) and "|" in lines[end]:
                end += 1
            shown = "\n".join(["```", *_aligned([line, *lines[at + 1 : end]]), "```"])
            at = end
        elif opening := _FENCE.fullmatch(line):
            language = _LANGUAGE.match(opening["info"])
            shown, block = "```" + (language[1] if language else ""), _Block(opening["mark"], opening["before"])
        else:
            shown = _outside(line)
            block = _Block("", "", loose=True) if len(_EDGE.findall(line)) % 2 else None
        done.append(shown)
    return "\n".join(done)


def _inside(line: str, block: _Block) -> tuple[str, _Block | None]:
    """A line of code, or the end of it."""
    if block.loose:
        return line, None if len(_EDGE.findall(line)) % 2 else block
    if ">" in block.before:
        line = _QUOTE.sub("", line, count=1)
    else:
        indent = len(line) - len(line.lstrip(" \t"))
        line = line[min(indent, len(block.before)) :]
    bare = line.strip()
    if len(bare) >= len(block.mark) and set(bare) == {block.mark[0]}:
        return "```", None
    return _EDGE.sub(lambda run: _NOTHING.join(run[0]), line), block


def _outside(line: str) -> str:
    """A line that is not code, the code within it left alone."""
    if line.startswith("####"):
        line = _DEEP_HEADING.sub("###", line, count=1)
    line = _NESTED_QUOTE.sub("> ", line, count=1) if _NESTED_QUOTE.match(line) else line
    done, at = "", 0
    for code in CODE_SPAN.finditer(line):
        done += without_pings(line[at : code.start()]) + code[0]
        at = code.end()
    return done + without_pings(line[at:])


def _aligned(rows: list[str]) -> list[str]:
    """Table rows as columns of equal width, with a line under the head."""
    cells = [[_cell(cell) for cell in re.split(r"(?<!\\)\|", row.strip().strip("|"))] for row in rows]
    width = max(len(row) for row in cells)
    filled = [row + [""] * (width - len(row)) for row in cells]
    widths = [max(_width(row[column]) for row in filled) for column in range(width)]
    lines = [
        "  ".join(cell + " " * (size - _width(cell)) for cell, size in zip(row, widths, strict=True)).rstrip()
        for row in filled
    ]
    return [lines[0], "  ".join("-" * size for size in widths), *lines[1:]]


def _cell(cell: str) -> str:
    """What a cell says, without the marks that code would show."""
    bare = _CELL_MARK.sub(r"\2", cell.strip().replace(r"\|", "|"))
    return _EDGE.sub(lambda run: "'" * len(run[0]), bare)


def _width(text: str) -> int:
    """Columns that the text takes in a font of one width."""
    return sum(
        0 if unicodedata.combining(sign) or unicodedata.category(sign) in ("Cf", "Mn", "Me")
        else 2 if unicodedata.east_asian_width(sign) in "WF"
        else 1
        for sign in text
    )  # fmt: skip
