"""Measuring by ratios: every round runs all cases of a group in random order, and a case is compared with its base within the
same round. A machine that is slow for a second is slow for both, so the ratio stays.
"""

import random
import statistics
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from pathlib import Path

Measure = Callable[[], Awaitable[float]]
"""Runs one round of a case and returns the seconds that one operation took in it."""


@dataclass(frozen=True, slots=True)
class Case:
    """Something that is measured. `base` names the case that it is divided by; None: it is only a base.

    `runs` are measurements in one round, of which the smallest counts: for cases that a neighbour's noise can only lengthen.
    """

    name: str
    measure: Measure
    base: str | None = None
    runs: int = 1


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
    """Cases that are measured together, and what is counted beside them."""

    cases: Sequence[Case]
    counts: Sequence[Count] = ()


Bench = Callable[[Path], AbstractAsyncContextManager[Group]]
"""Prepares a group in an empty directory and cleans up after it."""


async def run_rounds(group: Group, rounds: int) -> AsyncIterator[Row]:
    """Measure a group: one round to warm up, then `rounds` that count."""
    taken: dict[str, list[float]] = {case.name: [] for case in group.cases}
    for number in range(rounds + 1):
        for case in random.sample(group.cases, len(group.cases)):
            seconds = min([await case.measure() for _ in range(case.runs)])
            if number:
                taken[case.name].append(seconds)
    for case in group.cases:
        if case.base is not None:
            pairs = zip(taken[case.name], taken[case.base], strict=True)
            ratios = [seconds / base for seconds, base in pairs]
            low, _, high = statistics.quantiles(ratios, n=4)
            median = statistics.median(ratios)
            yield Row(case.name, case.base, median, low, high, statistics.median(taken[case.name]))
