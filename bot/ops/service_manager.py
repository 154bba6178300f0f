"""What systemd and launchd can do for the gateway, in one shape."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Protocol

from bot.ops.service_plan import ServicePlan
from core.errors import BotError

_LONGEST = 500
"""Characters that are shown of a line of a log."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceStatus:
    """How the service stands. `state` is the manager's word for it; None where something is not known."""

    installed: bool
    enabled: bool | None = None
    state: str = "unknown"
    is_running: bool = False
    since: datetime | None = None
    pid: int | None = None
    restarts: int | None = None
    failure: str = ""
    """How it ended, and the last that it wrote, where it has failed. Somebody else may have chosen the words."""
    problem: str = ""
    """Why nothing is known, as a sentence."""


@dataclass(frozen=True, slots=True)
class Installed:
    """What an installation has done: whether the file differs from before, and sentences about what is left to a person."""

    changed: bool
    notes: tuple[str, ...]


class ServiceManager(Protocol):
    """A service manager, for one service."""

    title: str
    path: Path
    log_hint: str
    """The command that shows its log."""

    def content(self, plan: ServicePlan) -> bytes:
        """The file as it is to be, with what an earlier installation was told. Raises StoreError for a file that is not ours."""
        ...

    def install(self, plan: ServicePlan, start: bool) -> Installed:
        """Write the file, enable the service and start it anew: what runs may be older than the program and its settings. Safe to
        do again.

        Raises StoreError for a file that is not ours, BotError with the commands that are left to be run by hand.
        """
        ...

    def uninstall(self) -> tuple[bool, tuple[str, ...]]:
        """Stop, disable, and remove the file that we have made; whether there was one, and notes. Raises as `install`."""
        ...

    def restart(self) -> None:
        """Stop it where it runs, and start it. Raises as `install`, and where it is not installed."""
        ...

    def status(self) -> ServiceStatus: ...

    def show_log(self, follow: bool) -> int:
        """Print the end of its log, and with `follow` what comes, until it is interrupted; the exit code. Raises BotError."""
        ...


def by_hand(what: str, why: str, commands: Sequence[Sequence[str]], hint: str = "") -> BotError:
    """For what a person has to finish: what was done, why no more, and what to run."""
    line = " && ".join(" ".join(command) for command in commands)
    return BotError("service", f"{what}: {why}.", f"{hint}{' ' if hint else ''}Run by hand: {line}")


def failure(how: str, log: str) -> str:
    """For a service that has failed: how it ended, and the last line of its log that says anything, not too long."""
    lines = [line.strip() for line in re.split(r"[\r\n]+", log) if line.strip()]
    if not lines:
        return how
    return f"{how}; its last line: {lines[-1] if len(lines[-1]) <= _LONGEST else f'{lines[-1][:_LONGEST]}…'}"


def not_installed(path: Path) -> BotError:
    """For what only an installed service can do."""
    return BotError("service", f"There is no {path}.", "Run: remoteclaw service install")
