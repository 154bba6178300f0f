"""Whose variables count: those of this shell, of the gateway that runs, and of the service that would start one.

A gateway takes its variables from the process that it is, and then from the same files and the same config as every command.
"""

import os
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from bot.doctor.units import Unit
from bot.environment import Environment, layered
from bot.paths import Paths
from core.auth.variables import Origin
from core.errors import BotError, StoreError

if TYPE_CHECKING:
    from bot.doctor.scene import Scene

GIVEN = ("HOME", "USER", "LOGNAME", "SHELL", "PATH", "LANG")
"""What a service manager sets by itself for whatever it starts."""
RUNNING = "the running gateway"
_PROC = Path("/proc")


def gateway_environment(pid: int, paths: Paths) -> Environment | None:
    """The variables that a running gateway has, without those of its config; None where the system does not show them, and where
    the process is another one than it should be: a number means something else in another container."""
    place = _PROC / str(pid)
    try:
        words = (place / "cmdline").read_bytes().split(b"\0")
        pairs = (
            entry.partition("=") for entry in os.fsdecode((place / "environ").read_bytes()).split("\0") if "=" in entry
        )
        process = {name: value for name, _, value in pairs}
        if b"gateway" not in words or not Paths.of(process).state.samefile(paths.state):
            return None
        folder = Path(os.readlink(place / "cwd"))
    except (OSError, StoreError):
        return None
    return _layered(process, folder, paths)


def unit_environment(unit: Unit, scene: "Scene") -> Environment:
    """The variables that a gateway would have which this unit starts."""
    folder = Path(unit.folder) if unit.folder else None
    return with_config(_layered({**_given(scene), **unit.variables}, folder, scene.paths), scene)


def bare_environment(scene: "Scene") -> Environment:
    """Those that any service would have."""
    return with_config(_layered(_given(scene), None, scene.paths), scene)


def with_config(environment: Environment, scene: "Scene") -> Environment:
    """With what the config gives, and with the login shell's where it was asked."""
    if scene.settings is not None:
        environment = scene.settings.environment(environment)
    return environment.with_layer(Origin.LOGIN_SHELL, scene.environment.layers.get(Origin.LOGIN_SHELL, {}))


def every_environment(scene: "Scene", units: list[Unit]) -> Iterator[Environment]:
    """All in which this installation is looked at, runs, or is started."""
    yield scene.environment
    if scene.shell is not scene.environment:
        yield with_config(scene.shell, scene)
    yield from (unit_environment(unit, scene) for unit in units)


def _given(scene: "Scene") -> Mapping[str, str]:
    process = scene.shell.process
    return {name: process[name] for name in GIVEN if name in process}


def _layered(process: Mapping[str, str], folder: Path | None, paths: Paths) -> Environment:
    with suppress(BotError):
        return layered(process, folder, paths)
    return Environment.of(process)  # the files cannot be used, which is told of them
