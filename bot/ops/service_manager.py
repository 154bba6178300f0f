"""What systemd and launchd can do for the gateway, in one shape."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Protocol

from core.errors import BotError


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

    def content(self) -> bytes:
        """The file as it is to be."""
        ...

    def install(self, start: bool) -> Installed:
        """Write the file, enable the service and start it (anew where the file has changed). Safe to do again.

        Raises StoreError for a file that is not ours, BotError with the commands that are left to be run by hand.
        """
        ...

    def uninstall(self) -> tuple[bool, tuple[str, ...]]:
        """Stop, disable, and remove the file that we have made; whether there was one, and notes. Raises as `install`."""
        ...

    def status(self) -> ServiceStatus: ...


def by_hand(what: str, why: str, commands: Sequence[Sequence[str]], hint: str = "") -> BotError:
    """For what a person has to finish: what was done, why no more, and what to run."""
    line = " && ".join(" ".join(command) for command in commands)
    return BotError("service", f"{what}: {why}.", f"{hint}{' ' if hint else ''}Run by hand: {line}")
