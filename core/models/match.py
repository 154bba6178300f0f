"""How near a typed text is to a model that exists (model-command.md 1.7).

Points for equal, beginning and containing parts, for small typing errors, for variant words; the default model has a small
advantage. One clear winner is a text's model; several close together are a question.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from core.models.ref import ModelRef

ACCEPT = 120
ACCEPT_WITH_PROVIDER = 90
CLEAR = 30
"""Points by which a winner must lead."""
_VARIANTS = frozenset({"lightning", "preview", "mini", "fast", "turbo", "lite", "beta", "small", "nano"})


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
