"""How near a typed text is to a model that exists (model-command.md 1.7).

Points for equal, beginning and containing parts, for small typing errors, for variant words; the default model has a small
advantage. One clear winner is a text's model; several close together are a question.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import IntEnum

from core.models.ref import ModelRef

ACCEPT = 120
ACCEPT_WITH_PROVIDER = 90
CLEAR = 30
"""Points by which a winner must lead."""
_VARIANTS = frozenset({"lightning", "preview", "mini", "fast", "turbo", "lite", "beta", "small", "nano"})
_SPLIT = re.compile(r"[^a-z0-9]+")
_LONG_WORD = 6
"""Characters from which on a word may have two typing errors."""


class Nearness(IntEnum):
    """How a name fits what was typed, nearest first."""

    EXACT = 0
    BEGINS = 1
    WORD = 2
    """A word of the name begins so."""
    CONTAINS = 3
    FUZZY = 4
    """It has a word like it: typing errors."""


class Typed:
    """What somebody is looking for, ready to be compared with many names. Several words may stand in any order."""

    def __init__(self, text: str) -> None:
        self._parts = text.strip().lower().split()
        self._words = [word for part in self._parts for word in words_of(part)]
        self._near: dict[tuple[str, str], bool] = {}

    def nearness(self, *names: str) -> Nearness | None:
        """How these lower-case names of one thing fit, typing errors aside; None if they do not. No text fits everything."""
        worst = Nearness.EXACT if self._parts else Nearness.BEGINS
        for part in self._parts:
            found = min((fit for name in names if (fit := _fits(part, name)) is not None), default=None)
            if found is None:
                return None
            worst = max(worst, found)
        return worst

    def is_like(self, name: str) -> bool:
        """Whether each typed word is in the lower-case name, or like one of its words."""
        words = words_of(name)
        return bool(self._words) and all(
            word in name or any(self._is_near(word, other) for other in words) for word in self._words
        )

    def _is_near(self, word: str, other: str) -> bool:
        known = self._near.get((word, other))
        if known is None:
            known = self._near[word, other] = is_misspelt(word, other)
        return known


def words_of(name: str) -> list[str]:
    """The words of a lower-case name."""
    return [word for word in _SPLIT.split(name) if word]


def is_misspelt(typed: str, word: str) -> bool:
    """Whether a word, or its beginning, was meant: one wrong, missing, superfluous or swapped letter, two in a long word."""
    if len(typed) < 3 or typed[0] not in word[:2]:
        return False
    limit = 1 if len(typed) < _LONG_WORD else 2
    if edit_distance(typed, word, limit) <= limit or _is_swapped(typed, word):
        return True
    return len(word) > len(typed) + limit and edit_distance(typed, word[: len(typed) + 1], 1) <= 1


def _is_swapped(a: str, b: str) -> bool:
    differ = [n for n, (left, right) in enumerate(zip(a, b, strict=False)) if left != right]
    return len(a) == len(b) and len(differ) == 2 and differ[1] == differ[0] + 1 and sorted(a) == sorted(b)


def _fits(part: str, name: str) -> Nearness | None:
    at = name.find(part)
    if at < 0:
        return None
    if at == 0:
        return Nearness.EXACT if len(part) == len(name) else Nearness.BEGINS
    while at > 0:
        if not name[at - 1].isalnum():
            return Nearness.WORD
        at = name.find(part, at + 1)
    return Nearness.CONTAINS


@dataclass(frozen=True, slots=True)
class Match:
    """A model with its points."""

    ref: ModelRef
    points: int


def rank(
    text: str, refs: Iterable[ModelRef], aliases: Mapping[ModelRef, Sequence[str]], default: ModelRef
) -> tuple[Match, ...]:
    """All models, nearest first. `text` is what was typed of the model, without a provider that was recognised."""
    fragment = text.strip().lower()
    wanted = _variants(fragment)

    def key(match: Match) -> tuple[object, ...]:
        has = _variants(match.ref.name)
        return (
            -match.points,
            match.ref != default,
            -len(wanted & has),
            len(has),
            len(match.ref.name),
            str(match.ref),
        )

    matches = (Match(ref, _points(fragment, wanted, ref, aliases.get(ref, ()), default)) for ref in set(refs))
    return tuple(sorted(matches, key=key))


def _points(fragment: str, wanted: frozenset[str], ref: ModelRef, aliases: Sequence[str], default: ModelRef) -> int:
    name = ref.name.lower()
    points = _part(fragment, f"{ref.provider}/{name}", 220, 140, 110)
    points += _part(fragment, ref.provider, 180, 120, 90)
    points += _part(fragment, name, 160, 110, 80)
    points += sum(_part(fragment, alias.lower(), 140, 90, 60) for alias in aliases)
    distance = edit_distance(fragment, name, 3)
    if distance <= 3:
        points += (3 - distance) * 70
    if not points:
        return 0
    if name.startswith(ref.provider):
        points += 30
    has = _variants(name)
    if not wanted:
        points -= 30 * len(has)
    elif wanted & has:
        points += 40 * len(wanted & has)
    elif has:
        points -= 20
    return points + (20 if ref == default else 0)


def _part(fragment: str, part: str, exact: int, starts: int, contains: int) -> int:
    if not fragment or not part:
        return 0
    if part == fragment:
        return exact
    if part.startswith(fragment):
        return starts
    return contains if fragment in part else 0


def _variants(text: str) -> frozenset[str]:
    # Whole words: "minimax" is no mini.
    return _VARIANTS.intersection(re.split(r"[^a-z0-9]+", text.lower()))


def edit_distance(a: str, b: str, limit: int) -> int:
    """Insertions, deletions and replacements from a to b; `limit + 1` as soon as it must be more than `limit`."""
    if abs(len(a) - len(b)) > limit:
        return limit + 1
    row = list(range(len(b) + 1))
    for i, left in enumerate(a, start=1):
        before, row = row, [i]
        for j, right in enumerate(b, start=1):
            row.append(min(before[j] + 1, row[j - 1] + 1, before[j - 1] + (left != right)))
        if min(row) > limit:
            return limit + 1
    return row[-1] if row[-1] <= limit else limit + 1
