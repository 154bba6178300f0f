"""The variables that the program sees: its own, those of three files, of the config, and of the login shell (credentials.md 8.1).

Nothing overrides a variable that is there. A file counts where a variable is unset, so that an empty one blocks it; config and
login shell count where it is unset or blank. What the working directory's `.env` gives is kept apart: it can bring a key, but
nothing that the config or a reference names is replaced by it, and no other program ever gets it.
"""

import logging
import os
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from types import MappingProxyType

from bot.dotenv import Untrusted, read_dotenv, read_untrusted
from bot.paths import HOME, Paths
from core.auth.variables import Origin
from core.errors import StoreError

log = logging.getLogger(__name__)

_WHERE_BLANK = (Origin.CONFIG, Origin.LOGIN_SHELL)
"""Layers that also count where a variable is set and blank."""
_OF_THE_PROCESS = (Origin.STATE_DIR, Origin.GATEWAY_ENV)
"""Layers that libraries in this process see too."""
_filled: dict[str, str] = {}
"""What `prepare_process` has put into the process environment, which is one for the process, as this is."""


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Environment(Mapping[str, str]):
    """The variables in force. A Mapping, so that it goes wherever an environment is asked for.

    `layers` are what was found where, `origins` says for each variable in force which of them gave it, `notes` are sentences
    about what was not used. `asks_shell` tells whether the login shell is wanted.
    """

    layers: Mapping[Origin, Mapping[str, str]]
    in_force: Mapping[str, str]
    origins: Mapping[str, Origin]
    notes: tuple[str, ...] = ()
    asks_shell: bool = False

    @classmethod
    def of(cls, environ: Mapping[str, str]) -> "Environment":
        """The environment itself, or what a plain mapping stands for: the process environment and nothing else."""
        return environ if isinstance(environ, Environment) else _joined({Origin.PROCESS: dict(environ)})

    def with_layer(self, origin: Origin, values: Mapping[str, str]) -> "Environment":
        """With one layer replaced."""
        joined = _joined({**self.layers, origin: values})
        return replace(joined, notes=self.notes, asks_shell=self.asks_shell)

    @property
    def process(self) -> Mapping[str, str]:
        """The environment that the process was started with."""
        return self.layers[Origin.PROCESS]

    @property
    def trusted(self) -> "Environment":
        """Without the working directory's `.env`: for references, and for programs that are started."""
        return self.with_layer(Origin.WORKING_DIR, {})

    @property
    def for_config(self) -> Mapping[str, str]:
        """What `${NAME}` in the config stands for. The working directory only fills what nothing else sets: a project must
        not choose where the operator's credentials are sent."""
        return {**self.in_force, **{name: value for name, value in self.trusted.items() if value.strip()}}

    def named(self, origin: Origin) -> tuple[str, ...]:
        """The variables in force that one layer gave, by name."""
        return tuple(sorted(name for name, found in self.origins.items() if found is origin))

    def __getitem__(self, name: str) -> str:
        return self.in_force[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self.in_force)

    def __len__(self) -> int:
        return len(self.in_force)

    def __repr__(self) -> str:
        return f"Environment({len(self.in_force)} variables)"


def _joined(layers: Mapping[Origin, Mapping[str, str]]) -> Environment:
    values: dict[str, str] = {}
    origins: dict[str, Origin] = {}
    for origin in Origin:
        for name, value in layers.get(origin, {}).items():
            if name not in values or (origin in _WHERE_BLANK and not values[name].strip()):
                values[name], origins[name] = value, origin
    return Environment(MappingProxyType(dict(layers)), values, origins)


def layered(process: Mapping[str, str], cwd: Path | None, paths: Paths, owner: int | None = None) -> Environment:
    """The layers before the config. For a reload: again, with the `process` environment of the start. `owner` is who
    beside this user may own the state directory's `.env`.

    Where the working directory is the state directory its file is the operator's own. Raises StoreError for the state
    directory's `.env` if it cannot be used; the other files then only lack.
    """
    state = read_dotenv(paths.dotenv, owner)
    gateway, disagreement = _gateway_env(process, paths, state)
    project = Untrusted()
    if cwd is not None and not _is_same(cwd, paths.state):
        project = read_untrusted(cwd / ".env", {**state, **process})
    found = {
        Origin.PROCESS: dict(process),
        Origin.WORKING_DIR: project.values,
        Origin.STATE_DIR: state,
        Origin.GATEWAY_ENV: gateway,
    }
    return replace(_joined(found), notes=tuple(note for note in (project.note, disagreement) if note))


def _is_same(one: Path, other: Path) -> bool:
    try:
        return one.samefile(other)
    except OSError:
        return False


def _gateway_env(process: Mapping[str, str], paths: Paths, state: Mapping[str, str]) -> tuple[Mapping[str, str], str]:
    """`~/.config/remoteclaw/gateway.env`, which belongs to the default state directory and to no other; and what to tell."""
    path = _gateway_env_path(process, paths)
    if path is None:
        return {}, ""
    try:
        values = read_dotenv(path)
    except StoreError as error:
        return {}, str(error)
    differing = sorted(n for n, value in values.items() if n in state and state[n] != value and n not in process)
    note = f"{path}: {', '.join(differing)} differs from {paths.dotenv}, whose value is used." if differing else ""
    return values, note


def _gateway_env_path(process: Mapping[str, str], paths: Paths) -> Path | None:
    try:
        usual = Paths.of({name: process[name] for name in ("HOME", HOME) if name in process})
    except StoreError:
        return None  # nobody has a home, so there is no usual directory
    return usual.state.parent / ".config" / "remoteclaw" / "gateway.env" if usual.state == paths.state else None


def variable_files(environment: Environment, paths: Paths) -> tuple[Path, ...]:
    """The files that the layers are read from, whether or not they are there."""
    cwd = _working_directory()
    found = (paths.dotenv, _gateway_env_path(environment.process, paths), cwd / ".env" if cwd is not None else None)
    return tuple(path for path in found if path is not None)


def process_environment() -> dict[str, str]:
    """The environment that the process was started with, without what `prepare_process` has added."""
    return {name: value for name, value in os.environ.items() if _filled.get(name) != value}


def read_environment(owner: int | None = None) -> Environment:
    """The layers before the config, as they are now. `owner` and StoreError as for `layered`."""
    process = process_environment()
    return layered(process, _working_directory(), Paths.of(process), owner)


def read_again(environment: Environment) -> Environment:
    """The same for a reload: the files as they are now, around the process environment of before. One that was made from a
    plain mapping has no files, and stays as it was."""
    if Origin.STATE_DIR not in environment.layers:
        return Environment.of(environment.process)
    return layered(environment.process, _working_directory(), Paths.of(environment.process))


def _working_directory() -> Path | None:
    with suppress(OSError):
        return Path.cwd()
    return None  # it may be gone


def prepare_process() -> None:
    """Add what the operator's files give to the environment of this process, for the libraries in it, and tell what was not
    used. Raises StoreError as `layered` does."""
    environment = read_environment()
    for note in environment.notes:
        log.warning("%s", note)
    trusted = environment.trusted
    for origin in _OF_THE_PROCESS:
        for name in trusted.named(origin):
            os.environ[name] = _filled[name] = trusted[name]
