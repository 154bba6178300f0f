"""`python -m bench`: run the benchmarks, print the table; `--write` puts it into bench/README.md. See there for what it says."""

import argparse
import asyncio
import platform
import re
import sys
import tempfile
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from importlib import import_module
from pathlib import Path

from bench.rounds import Bench, Count, Row, run_rounds

README = Path(__file__).with_name("README.md")
_MARKS = re.compile(r"(<!-- figures -->\n).*(<!-- end of figures -->)", re.DOTALL)

GROUPS = {
    "commands": ("bench.commands", 11),
    "resolver": ("bench.resolver", 9),
    "turns": ("bench.turns", 13),
    "failover": ("bench.failover", 13),
    "writes": ("bench.writes", 13),
    "cold_start": ("bench.cold_start", 11),
}
"""Name -> module and rounds. Each module has a function of the group's name."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run the groups that were asked for, all without an argument."""
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("group", nargs="*", metavar="GROUP", help=f"only these: {', '.join(GROUPS)}")
    parser.add_argument("--write", action="store_true", help="put the table into bench/README.md")
    args = parser.parse_args(argv)
    unknown = set(args.group) - set(GROUPS)
    if unknown or (args.write and args.group):
        parser.error(f"no such group: {', '.join(sorted(unknown))}" if unknown else "--write needs all groups")
    began = time.monotonic()
    rows: list[Row | Count | str] = []
    for name in args.group or GROUPS:
        found = asyncio.run(_measure(name))
        print(_shown(name, found), flush=True)
        rows += found
    print(f"{time.monotonic() - began:.0f} s in all")
    if args.write:
        README.write_text(_MARKS.sub(lambda marks: marks[1] + _table(rows) + marks[2], README.read_text()))
    return 0


async def _measure(name: str) -> list[Row | Count | str]:
    module, rounds = GROUPS[name]
    bench: Bench = getattr(import_module(module), name)
    with tempfile.TemporaryDirectory(prefix="remoteclaw-bench-") as directory:
        async with bench(Path(directory)) as group:
            return [*[row async for row in run_rounds(group, rounds)], *group.counts, *group.notes]


def _shown(name: str, rows: Sequence[Row | Count | str]) -> str:
    lines = [f"{name}"]
    for row in rows:
        if isinstance(row, str):
            lines.append(f"  {row}")
            continue
        if isinstance(row, Count):
            lines.append(f"  {row.name:56}{row.value:8d}")
            continue
        spread = f"{row.low:.2f} - {row.high:.2f}"
        lines.append(f"  {row.name:56}{row.ratio:8.2f} x {row.base:32}{spread:>18}{_span(row.seconds):>12}")
    return "\n".join(lines)


def _span(seconds: float) -> str:
    return f"{seconds * 1e3:.2f} ms" if seconds >= 1e-3 else f"{seconds * 1e6:.1f} us"


def _table(rows: Sequence[Row | Count | str]) -> str:
    when = f"{datetime.now(UTC):%d %B %Y}"
    lines = [
        f"Measured on {when} with {platform.python_implementation()} {platform.python_version()} on {sys.platform}.",
        "",
        "| what | times | of | middle half of the rounds |",
        "|---|---:|---|---|",
    ]
    lines += [
        f"| {_cell(row.name)} | {row.ratio:.2f} | {_cell(row.base)} | {row.low:.2f} to {row.high:.2f} |"
        for row in rows
        if isinstance(row, Row)
    ]
    lines += ["", "| what | count |", "|---|---:|"]
    lines += [f"| {_cell(row.name)} | {row.value} |" for row in rows if isinstance(row, Count)]
    notes = [row for row in rows if isinstance(row, str)]
    return "\n".join([*lines, *(line for note in notes for line in ("", note))]) + "\n"


def _cell(text: str) -> str:
    """Text of a table's cell: Markdown would take `<alias>` for HTML."""
    return text.replace("<", "&lt;").replace("|", "\\|")


if __name__ == "__main__":
    sys.exit(main())
