"""What a service manager has to know to run this gateway: command, directories, variables. Made from the real paths."""

import os
import re
import sys
import sysconfig
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from bot.paths import CONFIG_PATH, STATE_DIR
from core.errors import StoreError, UserError

if TYPE_CHECKING:
    from bot.config.settings import Settings
    from bot.paths import Paths

_NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}")
_SYSTEM_PATH = ("/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin", "/sbin", "/bin")
_CREDENTIAL = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}")


@dataclass(frozen=True, slots=True, kw_only=True)
class ServicePlan:
    """One service. `writable` are the places beside the state directory that it writes to, `granted` those that somebody has named
    beside them; a leading part may be missing. `owner` is whom a unit of the system runs as; None: it is a user's own.

    `runs_commands`: the config has secrets that a command gives. Such a command must belong to the user or to root, and in the
    user namespace that hides the file system from a user's own unit nothing belongs to root.
    """

    name: str
    command: tuple[str, ...]
    state: Path
    variables: Mapping[str, str]
    writable: tuple[Path, ...]
    credentials: tuple[tuple[str, Path], ...]
    runs_commands: bool
    granted: tuple[Path, ...] = ()
    owner: str | None = None

    def keeping(self, credentials: Iterable[tuple[str, Path]], granted: Iterable[Path]) -> "ServicePlan":
        """With what an earlier installation was told, where this one says nothing else. Raises StoreError where a file that was
        handed over has gone, for the manager would not start the service."""
        handed = {**dict(credentials), **dict(self.credentials)}
        for name, path in handed.items():
            if not path.is_file():
                what = f"The service is handed {path} as {name}, and there is no such file."
                raise StoreError(
                    "service_credential", what, f"Put it back, or name another one: --credential {name}=PATH"
                )
        granted = tuple(dict.fromkeys((*granted, *self.granted)))
        return replace(self, credentials=tuple(handed.items()), granted=granted)


def check_name(name: str) -> str:
    """The name of a service. Raises UserError for what no manager takes."""
    if not _NAME.fullmatch(name):
        raise UserError("usage", "--name must be one word of lower-case letters, digits and . _ -")
    return name


def make_plan(
    name: str,
    paths: "Paths",
    settings: "Settings",
    places: Iterable[Path],
    search_path: str,
    *,
    owner: str | None = None,
    credentials: Iterable[str] = (),
    granted: Iterable[Path] = (),
) -> ServicePlan:
    """The service of this installation. `places` are those that it writes to, `search_path` is the shell's PATH, `credentials` are
    NAME=PATH. Raises UserError for a name or a path that no unit can hold."""
    state, command = paths.state.absolute(), (*_program(), "gateway")
    variables = {STATE_DIR: str(state), "PATH": _search_path(command[0], search_path, owner)}
    if paths.config.absolute() != state / "config.toml":
        variables[CONFIG_PATH] = str(paths.config.absolute())
    plan = ServicePlan(
        name=check_name(name),
        command=command,
        state=state,
        variables=variables,
        writable=tuple(dict.fromkeys(place for place in places if not place.is_relative_to(state))),
        credentials=tuple(_credential(text) for text in credentials),
        runs_commands=any(provider.source == "exec" for provider in settings.secrets.providers.values()),
        granted=tuple(dict.fromkeys(granted)),
        owner=owner,
    )
    _refuse_unfit(plan)
    return plan


def _program() -> tuple[str, ...]:
    """The console script of this very interpreter, or the interpreter with the package where there is no script. A path is not
    resolved: the link to it is what an upgrade moves."""
    script = Path(sysconfig.get_path("scripts")) / "remoteclaw"
    if os.access(script, os.X_OK):
        return (str(script.absolute()),)
    return (str(Path(sys.executable).absolute()), "-m", "bot")


def _search_path(program: str, path: str, owner: str | None) -> str:
    """The shell's own, so that programs are found which a service manager would not look for; only directories that are there. A
    unit of the system is installed from root's shell, which is not whom it runs as: it gets the usual path."""
    if owner is not None:
        return os.pathsep.join(dict.fromkeys((str(Path(program).parent), *_SYSTEM_PATH)))
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


def _refuse_unfit(plan: ServicePlan) -> None:
    paths = (*plan.writable, *plan.granted, *(path for _, path in plan.credentials))
    for text in (*plan.command, str(plan.state), *plan.variables.values(), *map(str, paths)):
        if not text.isprintable():
            raise UserError("usage", f"{text!a} holds characters that no unit can hold.", "Rename it.")
    for _, path in plan.credentials:
        if str(path).endswith(("\\", " ")):
            raise UserError("usage", f"{path} ends with a character that no unit can hold there.", "Rename it.")
