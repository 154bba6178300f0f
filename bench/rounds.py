"""Measuring by ratios: every round runs all cases of a group in random order, and a case is compared with its base within the
same round. A machine that is slow for a second is slow for both, so the ratio stays.
"""

import random
import statistics
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from pathlib import Path

Measure = Callable[[], Awaitable[float | Sequence[float]]]
"""Runs one round of a case and returns the seconds that one operation took in it; or those of each operation, and then the
table has two rows: the median and the slowest hundredth."""


@dataclass(frozen=True, slots=True)
class Case:
    """Something that is measured. `base` names the case, or cases, that it is divided by; None: it is only a base.

    `runs` are measurements in one round, of which the smallest counts: for cases that a neighbour's noise can only lengthen.
    """

    name: str
    measure: Measure
    base: str | tuple[str, ...] | None = None
    runs: int = 1

    @property
    def bases(self) -> tuple[str, ...]:
        """The names of its bases."""
        return (self.base,) if isinstance(self.base, str) else self.base or ()


@dataclass(frozen=True, slots=True)
class Row:
    """A figure of the table: the median of a case's ratios, the quartiles around it, and the seconds behind it."""

    name: str
    base: str
    ratio: float
    low: float
    high: float
    seconds: float


@dataclass(frozen=True, slots=True)
class Count:
    """A figure without noise."""

    name: str
    value: int


@dataclass(frozen=True, slots=True)
class Group:
    """Cases that are measured together, what is counted beside them, and what is to be said of them."""

    cases: Sequence[Case]
    counts: Sequence[Count] = ()
    notes: Sequence[str] = ()


Bench = Callable[[Path], AbstractAsyncContextManager[Group]]
"""Prepares a group in an empty directory and cleans up after it."""


async def run_rounds(group: Group, rounds: int) -> AsyncIterator[Row]:
    """Measure a group: one round to warm up, then `rounds` that count."""
    taken: dict[str, list[Mapping[str, float]]] = {case.name: [] for case in group.cases}
    for number in range(rounds + 1):
        for case in random.sample(group.cases, len(group.cases)):
            figures = [_figures(await case.measure()) for _ in range(case.runs)]
            if number:
                taken[case.name].append({part: min(f[part] for f in figures) for part in figures[0]})
    for case in group.cases:
        for base in case.bases:
            for part in taken[case.name][0]:
                pairs = zip(taken[case.name], taken[base], strict=True)
                ratios = [figures[part] / beside[part] for figures, beside in pairs]
                low, median, high = statistics.quantiles(ratios, n=4)
                seconds = statistics.median(figures[part] for figures in taken[case.name])
                yield Row(case.name + part, base + part, median, low, high, seconds)


def _figures(taken: float | Sequence[float]) -> Mapping[str, float]:
    """What is compared of one measurement, by what is added to the name of its case."""
    if isinstance(taken, float):
        return {"": taken}
    ordered = sorted(taken)
    return {", p50": statistics.median(ordered), ", p99": ordered[int(len(ordered) * 0.99)]}
