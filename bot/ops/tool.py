"""Running a program of the service manager: by a list of arguments and without a shell."""

import os
import subprocess
from dataclasses import dataclass
from shutil import which

from core.errors import BotError

_SAME_EVERYWHERE = {"LC_ALL": "C", "TZ": "UTC", "SYSTEMD_COLORS": "0", "SYSTEMD_PAGER": ""}
_SECONDS = 180.0
"""Longer than a stop and a start may take together before the manager gives up by itself."""


@dataclass(frozen=True, slots=True)
class Ran:
    """What came of it."""

    code: int
    out: str
    err: str

    @property
    def why(self) -> str:
        """The first line of what it complained about."""
        lines = (self.err.strip() or self.out.strip()).splitlines()
        return lines[0].strip().rstrip(".") if lines else f"exit code {self.code}"


def run_tool(*command: str) -> Ran:
    """Run it, within a time limit. Raises BotError, code `no_tool`, where there is no such program or it does not end."""
    program = _found(command[0])
    try:
        done = subprocess.run(  # noqa: S603 - a list, and no shell
            (program, *command[1:]),
            env={**os.environ, **_SAME_EVERYWHERE},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=_SECONDS,
        )
    except subprocess.TimeoutExpired:
        raise BotError("no_tool", f"{command[0]} did not end within {_SECONDS:g} s.") from None
    except OSError as error:
        raise BotError("no_tool", f"{command[0]} cannot be run: {error.strerror or 'unknown reason'}.") from error
    return Ran(done.returncode, done.stdout, done.stderr)


def show_tool(*command: str) -> int:
    """Run it for a person, who sees what it prints and ends it when they like; its exit code. Raises BotError where there is no
    such program."""
    program = _found(command[0])
    try:
        return subprocess.run((program, *command[1:]), stdin=subprocess.DEVNULL).returncode  # noqa: S603 - a list, and no shell
    except OSError as error:
        raise BotError("no_tool", f"{command[0]} cannot be run: {error.strerror or 'unknown reason'}.") from error


def _found(name: str) -> str:
    program = which(name)
    if program is None:
        raise BotError("no_tool", f"There is no {name} here.")
    return program
