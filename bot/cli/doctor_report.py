"""The report of `doctor` for people: problems first, in groups, one line for each check."""

import os
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING

from bot.cli.colour import is_for_people
from bot.cli.output import harmless, on_one_line, say

if TYPE_CHECKING:
    from bot.doctor.check import Check
    from bot.doctor.registry import Group

_WIDTH = 8
_STYLES = {"error": "bold red", "warning": "yellow", "note": "cyan", "ok": "green"}


def say_report(groups: "Sequence[Group]", done: "Sequence[Check]") -> None:
    """Groups with the worst problems first; then one line that counts."""
    for group in sorted(groups, key=lambda one: -one.verdict.rank):
        _say(group.title, "bold")
        for check in group.checks:
            _say_check(check)
        say("")
    say(_summary([check for group in groups for check in group.checks], len(done)))


def _say_check(check: "Check") -> None:
    from bot.log import redact

    step = f" {check.next}" if check.next else ""
    text = redact(on_one_line(f"{check.text}{step} [{check.id}]"))
    verdict = check.verdict.value
    if not _is_coloured():
        say(f"  {verdict:<{_WIDTH}}{text}")
        return
    from rich.text import Text

    _print(Text.assemble("  ", (f"{verdict:<{_WIDTH}}", _STYLES[verdict]), harmless(text)))


def _say(text: str, style: str) -> None:
    if not _is_coloured():
        say(text)
        return
    from rich.text import Text

    _print(Text(harmless(text), style))


def _print(text: object) -> None:
    from rich.console import Console

    Console(highlight=False, markup=False, emoji=False).print(text, soft_wrap=True)


def _is_coloured() -> bool:
    return is_for_people() and not os.environ.get("NO_COLOR")


def _summary(checks: "Sequence[Check]", done: int) -> str:
    counts = Counter(check.verdict.value for check in checks)
    told = ", ".join(_counted(counts)) or "nothing is wrong"
    repaired = f" {done} repaired." if done else ""
    offered = sum(check.repair is not None for check in checks)
    more = f" {offered} can be repaired: remoteclaw doctor --yes" if offered else ""
    return f"Doctor: {told}.{repaired}{more}"


def _counted(counts: "Counter[str]") -> Iterator[str]:
    words: Iterable[tuple[str, str]] = (("error", "errors"), ("warning", "warnings"), ("note", "notes"))
    for one, several in words:
        if counts[one]:
            yield f"{counts[one]} {one if counts[one] == 1 else several}"
