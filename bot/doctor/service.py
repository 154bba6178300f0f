"""What runs without anybody being there: the gateway, the file that starts it, the variables that it sees, and its port.

The gateway is asked by its socket, and never by trying its lock: that could keep one from starting at this very moment.
"""

import errno
import os
import socket
from collections.abc import Iterator, Mapping
from pathlib import Path

from bot.doctor.check import Check, error, note, ok, warning
from bot.doctor.modes import closing
from bot.doctor.scene import Scene
from bot.doctor.units import Unit, installed_units
from bot.doctor.wanted import wanted_variables
from core.auth.variables import Origin
from core.errors import ConfigError


def checks(scene: Scene) -> Iterator[Check]:
    """The gateway first: what it sees is better known than what its unit says."""
    state = scene.paths.state
    if scene.gateway is not None:
        named = f" (process {scene.gateway})" if scene.gateway else ""
        yield ok("service.gateway", state, f"A gateway{named} serves {state}.")
    elif scene.is_configured:
        yield ok("service.gateway", state, f"No gateway serves {state} now.")
    units = installed_units(scene)
    for unit in units:
        yield from _unit(unit)
    yield from _variables(scene, units)
    yield from _port(scene)


def _unit(unit: Unit) -> Iterator[Check]:
    path = unit.path
    mode = path.stat().st_mode
    found = []
    if mode & 0o022:
        told = f"{path} can be written by other users, who decide by it what runs as you."
        found.append(error("service.mode", path, told, f"Run: chmod 0644 {path}", closing(path, 0o644)))
    program = Path(unit.program)
    step = "Run: remoteclaw service install"
    if not program.is_file() or not os.access(program, os.X_OK):
        told = f"{path} starts {program or 'nothing'}, which is not there or cannot be run."
        found.append(error("service.program", path, told, step))
    folder = unit.folder
    if folder and not Path(folder).is_dir():
        found.append(error("service.folder", path, f"{path} runs in {folder}, which is not there.", step))
    yield from found
    if not found:
        yield ok("service.unit", path, f"{path} starts {program}.")


def _variables(scene: Scene, units: list[Unit]) -> Iterator[Check]:
    """Of those that the installation uses: which only this shell has."""
    origins = scene.environment.origins
    mine = sorted(name for name in wanted_variables(scene) if origins.get(name) is Origin.PROCESS)
    service = _environment_of(scene.gateway) if scene.gateway else None
    where = "the running gateway"
    if service is None and units:
        service, where = units[0].variables, str(units[0].path)
    step = f"Put it into {scene.paths.dotenv} (mode 0600), where a service sees it, and start the service anew."
    for name in mine:
        if service is None:
            told = f"{name} is set in this shell alone: a service would not have it."
            yield note("service.variable", name, told, step)
        elif name not in service:
            told = f"{name} is set in this shell and not for {where}: what works here does not work there."
            yield warning("service.variable", name, told, step)
        elif where == "the running gateway" and service[name] != scene.environment[name]:
            told = f"{name} has another value in this shell than in the running gateway."
            yield note("service.other_value", name, told, "What is shown here is what this shell sees.")


def _environment_of(pid: int) -> Mapping[str, str] | None:
    """The environment that a process was started with; None where the system does not tell."""
    try:
        content = Path(f"/proc/{pid}/environ").read_bytes()
    except OSError:
        return None
    pairs = (entry.partition("=") for entry in content.decode(errors="surrogateescape").split("\0"))
    return {name: value for name, equals, value in pairs if equals}


def _port(scene: Scene) -> Iterator[Check]:
    from bot.health_http import loopback_address

    listen = scene.settings.gateway.listen if scene.settings is not None else None
    if listen is None:
        return
    try:
        host, port = loopback_address(listen)
    except ConfigError as failure:
        yield error("service.listen", "gateway.listen", failure.message, failure.hint)
        return
    if scene.gateway is not None or port == 0:
        return
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(
            socket.SOL_SOCKET, socket.SO_REUSEADDR, 1
        )  # as the gateway does, for what has just been closed
        try:
            probe.bind((host, port))
        except OSError as failure:
            taken = failure.errno == errno.EADDRINUSE
            why = "another program listens there" if taken else failure.strerror or "unknown reason"
            told = f"gateway.listen is {listen}, and {why}: the gateway does not start."
            yield error("service.port", "gateway.listen", told, "Choose another port, or end that program.")
            return
    yield ok("service.port", "gateway.listen", f"{listen} is free for the gateway.")
