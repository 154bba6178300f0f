"""The groups of checks, and a round of all of them."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from importlib import import_module

from bot.doctor.check import Check, Repair, Verdict, error, worst
from bot.doctor.places import foreign_owner
from bot.doctor.scene import Scene
from core.errors import BotError

GROUPS = (
    ("Installation", "bot.doctor.places"),
    ("Configuration", "bot.doctor.configuration"),
    ("Variables", "bot.doctor.variables"),
    ("Database", "bot.doctor.database"),
    ("Secrets", "bot.doctor.confidential"),
    ("Credential stores", "bot.doctor.stores"),
    ("Credentials", "bot.doctor.credentials"),
    ("Sessions", "bot.doctor.sessions"),
    ("Claude CLI", "bot.doctor.claude"),
    ("Chat platforms", "bot.doctor.platforms"),
    ("Service", "bot.doctor.service"),
    ("Machine", "bot.doctor.machine"),
)
"""Titles, and the modules that have their checks: `checks(scene)`."""


@dataclass(frozen=True, slots=True)
class Group:
    """The checks of one group, the worst first."""

    title: str
    checks: tuple[Check, ...]

    @property
    def verdict(self) -> Verdict:
        """The worst of its checks."""
        return worst([check.verdict for check in self.checks])


def examine(scene: Scene) -> tuple[Group, ...]:
    """Every check, in the order of the table. What fails unexpectedly in one group is a check of its own."""
    found = []
    for title, module in GROUPS if foreign_owner(scene) is None else GROUPS[:1]:
        checks: Callable[[Scene], Iterable[Check]] = import_module(module).checks
        made = sorted(_guarded(title, checks, scene), key=lambda check: -check.verdict.rank)
        if made:
            found.append(Group(title, tuple(made)))
    if any(check.id == "disk.full" for group in found for check in group.checks):
        found = [Group(group.title, tuple(map(_without_copy, group.checks))) for group in found]
    return tuple(found)


def _without_copy(check: Check) -> Check:
    """On a full disk no repair is offered that would copy a file first."""
    is_small = check.repair is None or check.repair.id == "files.close"
    return check if is_small else replace(check, repair=None)


def _guarded(title: str, checks: Callable[[Scene], Iterable[Check]], scene: Scene) -> list[Check]:
    made: list[Check] = []
    try:
        made.extend(checks(scene))
    except BotError as failure:
        made.append(error("doctor.failed", title, f"{title}: {failure.message}", failure.hint))
    except Exception as failure:
        from bot.log import report

        reference = report(failure, f"The check of {title}")
        made.append(
            error("doctor.failed", title, f"{title} could not be checked: {type(failure).__name__}, {reference}.")
        )
    return made


def repairs(groups: Iterable[Group]) -> list[tuple[Check, Repair]]:
    """The repairs that are offered, in order."""
    return [(check, check.repair) for group in groups for check in group.checks if check.repair is not None]
