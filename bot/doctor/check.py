"""What a check says, and what a repair of it is.

`text` is a whole sentence that names the thing, `about` the thing alone (a path, a key of the config, a profile id, a session),
for scripts. No character of a secret is in either.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any, Protocol


class Verdict(StrEnum):
    """From the harmless to the worst. A note needs nobody to act."""

    OK = "ok"
    NOTE = "note"
    WARNING = "warning"
    ERROR = "error"

    @property
    def rank(self) -> int:
        """For comparing: the worse, the higher."""
        return list(Verdict).index(self)


class Keep(Protocol):
    """Keeps what a repair is about to change. A repair calls it inside its lock, just before the change."""

    def file(self, path: Path) -> None:
        """Keep a file, or that there is none. Raises StoreError; then nothing may be changed."""
        ...

    def mode(self, path: Path) -> None:
        """Keep the permissions of a file or folder. Raises StoreError."""
        ...

    def database(self, path: Path) -> None:
        """Keep a SQLite file with its log. Raises StoreError, also while somebody writes it."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Repair:
    """One change that mends what a check names. `text` continues "Doctor can ...".

    `run` makes the change, after it has kept what was there. Raises BotError, and then everything is as it was.
    """

    id: str
    text: str
    run: Callable[[Keep], None] = field(repr=False)


@dataclass(frozen=True, slots=True)
class Check:
    """One line of the doctor. `next` is the next step in words; empty where nothing is to be done. `done`: its repair was made."""

    id: str
    verdict: Verdict
    about: str
    text: str
    next: str = ""
    repair: Repair | None = None
    done: bool = False

    def view(self) -> dict[str, Any]:
        """As JSON."""
        repair = None
        if self.repair is not None:
            repair = {"id": self.repair.id, "text": self.repair.text, "done": self.done}
        return {
            "id": self.id,
            "verdict": self.verdict.value,
            "about": self.about,
            "text": self.text,
            "next": self.next,
            "repair": repair,
        }


def worst(verdicts: "list[Verdict]") -> Verdict:
    """The worst of them; `ok` where there is none."""
    return max(verdicts, key=lambda verdict: verdict.rank, default=Verdict.OK)


def ok(name: str, about: object, text: str) -> Check:
    """For what is as it should be."""
    return Check(name, Verdict.OK, str(about), text)


def note(name: str, about: object, text: str, step: str = "", repair: Repair | None = None) -> Check:
    """For what is worth knowing."""
    return Check(name, Verdict.NOTE, str(about), text, step, repair)


def warning(name: str, about: object, text: str, step: str = "", repair: Repair | None = None) -> Check:
    """For what works today and will not, or does less than it should."""
    return Check(name, Verdict.WARNING, str(about), text, step, repair)


def error(name: str, about: object, text: str, step: str = "", repair: Repair | None = None) -> Check:
    """For what does not work."""
    return Check(name, Verdict.ERROR, str(about), text, step, repair)
