"""What a check says, and what a repair of it is.

`text` is a whole sentence that names the thing, `about` the thing alone (a path, a key of the config, a profile id, a session),
for scripts. No character of a secret is in either.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any, Protocol

from core.errors import StoreError


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


CHANGED = "changed"
"""The code of a repair's refusal to change what is not any more as it was when the repair was offered."""


class Keep(Protocol):
    """Keeps what a repair is about to change. A repair calls it inside its lock, for all that it will change before it changes the
    first thing: after a refusal nothing is left of what was kept."""

    def file(self, path: Path) -> None:
        """Keep a file, or that there is none; only the first time. Raises StoreError; then nothing may be changed."""
        ...

    def mode(self, path: Path) -> None:
        """Keep the permissions of a file or folder. Raises StoreError."""
        ...

    def database(self, path: Path) -> None:
        """Keep a SQLite file with its log. Raises StoreError, also while somebody writes it."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Repair:
    """One change that mends what a check names. `text` continues "Doctor can ...", `changes` says what it does, place by place,
    where that is more than `text` tells, and `then` what is left to do afterwards.

    `run` judges once more inside its lock and makes the change, after it has kept what was there. Raises BotError: `changed` where
    something else is right by now; and then everything is as it was, except where the error says otherwise.
    """

    id: str
    text: str
    run: Callable[[Keep], None] = field(repr=False)
    changes: tuple[str, ...] = ()
    then: str = ""


@dataclass(frozen=True, slots=True)
class Check:
    """One line of the doctor. `next` is the next step in words; empty where nothing is to be done. `done`: its repair was made;
    `failure`: it was chosen, and why it was not made. `backup` is the folder with what was there before, if anything was kept."""

    id: str
    verdict: Verdict
    about: str
    text: str
    next: str = ""
    repair: Repair | None = None
    done: bool = False
    failure: str = ""
    backup: str = ""

    def view(self) -> dict[str, Any]:
        """As JSON."""
        repair = None
        if self.repair is not None:
            repair = {
                "id": self.repair.id,
                "text": self.repair.text,
                "changes": list(self.repair.changes),
                "done": self.done,
                "then": self.repair.then,
                "failure": self.failure or None,
                "backup": self.backup or None,
            }
        return {
            "id": self.id,
            "verdict": self.verdict.value,
            "about": self.about,
            "text": self.text,
            "next": self.next,
            "repair": repair,
        }


def changed(sentence: str) -> StoreError:
    """The refusal to repair what is not any more as it was looked at."""
    return StoreError(CHANGED, f"{sentence} Nothing was changed.", "Look again: remoteclaw doctor")


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
