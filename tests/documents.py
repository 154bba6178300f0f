"""The documents as data, for the tests of what they say: blocks of a language, tables, and the program that they are about."""

import os
import re
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import MappingProxyType

ROOT = Path(__file__).parents[1]
DOCS = [
    *(ROOT / name for name in ("README.md", "CHANGELOG.md", "bench/README.md")),
    *sorted((ROOT / "docs").rglob("*.md")),
]
FENCE = re.compile(r"^( *)```(\w*)\n(.*?)^\1```$", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"!?\[[^\]]*\]\(([^)\s]+)\)")
PATIENCE = 60


def blocks(language: str, *documents: Path) -> Iterator[tuple[str, str]]:
    """(document and line, text) of every fenced block of a language."""
    for document in documents or DOCS:
        text = document.read_text("utf-8")
        for found in FENCE.finditer(text):
            if found[2] == language:
                place = f"{document.relative_to(ROOT)}:{text.count(chr(10), 0, found.start()) + 1}"
                lines = [line.removeprefix(found[1]) for line in found[3].splitlines()]
                yield place, "\n".join(lines)


def rows(document: str, heading: str) -> list[list[str]]:
    """The cells of the tables below a heading, to the next one of its level."""
    text = (ROOT / document).read_text("utf-8")
    level = heading.split(" ")[0]
    section = re.split(rf"^#{{1,{len(level)}}} ", text.split(f"\n{heading}\n", 1)[1], flags=re.MULTILINE)[0]
    tables = re.findall(r"^\|(?!-)(.*)\|$", section, re.MULTILINE)
    cells = [[cell.strip() for cell in re.split(r"(?<!\\)\|", line)] for line in tables]
    return [row for row in cells if not set("".join(row)) <= set("-: ")]


def in_code(cell: str) -> list[str]:
    return re.findall(r"`([^`]+)`", cell)


def shape(value: object) -> object:
    """The keys of JSON, all the way down; of a list those of its first entry."""
    if isinstance(value, dict):
        return {key: shape(part) for key, part in value.items()}
    if isinstance(value, list):
        return [shape(part) for part in value[:1]]
    return None


def remoteclaw(
    *arguments: str, given: str = "", cwd: Path | None = None, environ: Mapping[str, str] = MappingProxyType({})
) -> subprocess.CompletedProcess[str]:
    """The program, with an environment of its own."""
    return subprocess.run(
        [sys.executable, "-m", "bot", *arguments],
        env={"PATH": os.environ["PATH"], "HOME": os.environ["HOME"], "PYTHONPATH": str(ROOT), **environ},
        cwd=cwd,
        input=given,
        capture_output=True,
        text=True,
        timeout=PATIENCE,
    )
