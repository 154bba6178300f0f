"""What the user's login shell sets: for keys that are exported in a shell's profile and nowhere else (credentials.md 8.2).

The shell runs the user's own start-up files, so it is one that the system lists, without the variables that make a shell run
something besides them, in a process group that is ended with it. What it prints is never shown.
"""

import os
import re
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path

from adapters.secret_sources.command import Command
from adapters.secret_sources.process import Bounds, Stopped, run
from core.auth.variables import changes_what_runs
from core.errors import BotError

_FALLBACK = "/bin/sh"
_SHELLS = Path("/etc/shells")
_LARGEST = 2 * 1024 * 1024
_PRINT = "printf '\\0'; env -0"
"""A start-up file may print something; the first zero ends that."""
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


def login_shell_variables(environ: Mapping[str, str], timeout: timedelta, shells: Path = _SHELLS) -> Mapping[str, str]:
    """Every variable that a login shell of the user has. `environ` is the process environment, `shells` lists allowed shells.

    Raises BotError (code login_shell) if it gives none within `timeout`; the text holds nothing that the shell has printed.
    """
    shell = _shell(environ.get("SHELL", ""), shells)
    given = {name: value for name, value in environ.items() if not changes_what_runs(name)}
    given["HOME"] = environ.get("HOME", "").strip() or str(Path.home())
    given["SHELL"] = shell
    try:
        output = run(Command(shell, shell), ("-l", "-c", _PRINT), given, b"", Bounds(timeout, timeout, _LARGEST))
    except Stopped as stopped:
        raise BotError(
            "login_shell", f"The login shell {shell} {stopped}; no variables were taken from it."
        ) from stopped
    return _variables(output)


def _shell(wanted: str, shells: Path) -> str:
    """The user's shell if the system lists it under exactly that path, else the one that is always there."""
    is_plain = os.path.isabs(wanted) and os.path.normpath(wanted) == wanted
    return wanted if is_plain and wanted in _listed(shells) else _FALLBACK


def _listed(shells: Path) -> set[str]:
    try:
        text = shells.read_text("utf-8", "surrogateescape")
    except OSError:
        return set()
    return {line.strip() for line in text.splitlines() if line.startswith("/")}


def _variables(output: bytes) -> dict[str, str]:
    found: dict[str, str] = {}
    for entry in output.split(b"\0")[1:]:
        name, equals, value = entry.partition(b"=")
        try:
            text, variable = value.decode(), name.decode("ascii")
        except UnicodeDecodeError:
            continue  # no credential is of such bytes
        if equals and _NAME.fullmatch(variable):
            found[variable] = text
    return found
