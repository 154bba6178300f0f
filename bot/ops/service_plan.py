"""What a service manager has to know to run this gateway: command, directories, variables. Made from the real paths."""

import os
import re
import sys
import sysconfig
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from bot.paths import CONFIG_PATH, STATE_DIR
from core.errors import UserError

if TYPE_CHECKING:
    from bot.config.settings import Settings
    from bot.paths import Paths

_NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}")
_CREDENTIAL = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}")


@dataclass(frozen=True, slots=True, kw_only=True)
class ServicePlan:
    """One service. `writable` are the places beside the state directory that it writes to; a leading part may be missing.

    `runs_commands`: the config has secrets that a command gives. Such a command must belong to the user or to root, and in the
    user namespace that hides the file system from a user's own unit nothing belongs to root.
    """

    name: str
    command: tuple[str, ...]
    state: Path
    home: Path
    variables: Mapping[str, str]
    writable: tuple[Path, ...]
    credentials: tuple[tuple[str, Path], ...]
    runs_commands: bool


def make_plan(
    name: str,
    paths: "Paths",
    settings: "Settings",
    database: Path,
    environ: Mapping[str, str],
    home: Path,
    *,
    credentials: Iterable[str] = (),
    writable: Iterable[Path] = (),
) -> ServicePlan:
    """The service of this installation. `credentials` are NAME=PATH, `writable` further places. Raises UserError for a name or a
    path that no unit can hold."""
    if not _NAME.fullmatch(name):
        raise UserError("usage", "--name must be one word of lower-case letters, digits and . _ -")
    state = paths.state.absolute()
    variables = {STATE_DIR: str(state), "PATH": _search_path(environ.get("PATH", ""))}
    if paths.config.absolute() != state / "config.toml":
        variables[CONFIG_PATH] = str(paths.config.absolute())
    log = None if settings.log.file is None else state / Path(settings.log.file).expanduser()
    places = [home / ".claude", *(() if log is None else (log.parent,)), database.absolute().parent]
    plan = ServicePlan(
        name=name,
        command=(*_program(), "gateway"),
        state=state,
        home=home,
        variables=variables,
        writable=tuple(dict.fromkeys(p for p in (*places, *writable) if not p.is_relative_to(state))),
        credentials=tuple(_credential(text) for text in credentials),
        runs_commands=any(provider.source == "exec" for provider in settings.secrets.providers.values()),
    )
    _refuse_unprintable(plan)
    return plan


def _program() -> tuple[str, ...]:
    """The console script of this very interpreter, or the interpreter with the package where there is no script. A path is not
    resolved: the link to it is what an upgrade moves."""
    script = Path(sysconfig.get_path("scripts")) / "remoteclaw"
    if os.access(script, os.X_OK):
        return (str(script.absolute()),)
    return (str(Path(sys.executable).absolute()), "-m", "bot")


def _search_path(path: str) -> str:
    """The shell's own, so that programs are found which a service manager would not look for. Only directories that are there."""
    folders = [folder for folder in path.split(os.pathsep) if os.path.isabs(folder) and os.path.isdir(folder)]
    return os.pathsep.join(dict.fromkeys(folders)) or os.defpath


def _credential(text: str) -> tuple[str, Path]:
    name, equals, path = text.partition("=")
    if not equals or not _CREDENTIAL.fullmatch(name) or not os.path.isabs(path):
        # What stands there instead may be a secret, so it is not repeated.
        raise UserError("usage", "--credential must be NAME=/absolute/path of the file that holds the secret.")
    if not os.path.isfile(path):
        raise UserError("usage", f"--credential {name}: there is no such file.")
    return name, Path(path)


def _refuse_unprintable(plan: ServicePlan) -> None:
    texts = (*plan.command, str(plan.state), *plan.variables.values(), *map(str, plan.writable))
    for text in (*texts, *(str(path) for _, path in plan.credentials)):
        if not text.isprintable():
            raise UserError("usage", f"{text!a} holds characters that no unit can hold.", "Rename it.")
