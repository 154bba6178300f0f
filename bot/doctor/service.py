"""What runs without anybody being there: the gateway, the file that starts it, the variables that it sees, and its port.

The gateway is asked by its socket, and never by trying its lock: that could keep one from starting at this very moment.
"""

import errno
import os
import socket
from collections.abc import Iterator
from pathlib import Path

from bot.doctor.check import Check, error, note, ok, warning
from bot.doctor.modes import closing
from bot.doctor.scene import Scene
from bot.doctor.steps import chmod
from bot.doctor.surroundings import GIVEN, RUNNING, bare_environment, unit_environment, with_config
from bot.doctor.units import Unit, installed_units
from bot.doctor.wanted import wanted_variables
from bot.environment import Environment
from bot.paths import CONFIG_PATH, Paths
from core.auth.variables import Origin
from core.errors import ConfigError


def checks(scene: Scene) -> Iterator[Check]:
    """The gateway first: what it sees is better known than what its unit says."""
    yield from _gateway(scene)
    units = installed_units(scene)
    for unit in units:
        yield from _unit(unit)
    yield from _variables(scene, units)
    yield from _port(scene)


def _gateway(scene: Scene) -> Iterator[Check]:
    state, gateway = scene.paths.state, scene.gateway
    if gateway is None:
        if scene.is_configured:
            yield ok("service.gateway", state, f"No gateway serves {state} now.")
        return
    named = f" (process {gateway.pid})" if gateway.pid else ""
    if not gateway.answers:
        told = f"The gateway{named} of {state} is there and does not answer: it hangs, or is stopped."
        yield error("service.silent", state, told, "Look at its log, and start it anew.")
        return
    yield ok("service.gateway", state, f"A gateway{named} serves {state}.")
    if scene.sees_gateway:
        theirs, mine = Paths.of(scene.environment.process).config, scene.paths.config
        if os.path.realpath(theirs) != os.path.realpath(mine):
            told = f"The running gateway takes its config from {theirs}, and what is said here is of {mine}."
            yield warning("service.config", mine, told, f"Set {CONFIG_PATH} in this shell to the same.")
    else:
        told = "The variables of the running gateway cannot be seen from here: keys and tokens are those of this shell."
        yield note("service.unseen", state, told)
    yield from _readiness(scene)


def _readiness(scene: Scene) -> Iterator[Check]:
    """What the gateway itself says, where it is configured to say it."""
    from bot.ops.running import readiness

    ready = readiness(scene.settings.gateway.listen) if scene.settings is not None else None
    if ready is not None and not ready[0]:
        reasons = "; ".join(reason.rstrip(".") for reason in ready[1]) or "it gives no reason"
        yield warning("service.unready", "gateway", f"The gateway is not ready: {reasons}.", "Its log says more.")


def _unit(unit: Unit) -> Iterator[Check]:
    path = unit.path
    mode = path.stat().st_mode
    found = []
    if mode & 0o022:
        told = f"{path} can be written by other users, who decide by it what runs as you."
        found.append(error("service.mode", path, told, chmod("0644", path), closing(path, 0o644)))
    program = Path(unit.program)
    step = "Run: remoteclaw service install"
    if not unit.program:
        found.append(error("service.program", path, f"{path} starts no program.", step))
    elif not program.is_file() or not os.access(program, os.X_OK):
        told = f"{path} starts {program}, which is not there or cannot be run."
        found.append(error("service.program", path, told, step))
    folder = unit.folder
    if folder and not Path(folder).is_dir():
        found.append(error("service.folder", path, f"{path} runs in {folder}, which is not there.", step))
    yield from found
    if not found:
        yield ok("service.unit", path, f"{path} starts {program}.")


def _variables(scene: Scene, units: list[Unit]) -> Iterator[Check]:
    """Of those that the installation uses: where this shell and the service differ."""
    theirs, where = _of_service(scene, units)
    if theirs is None:
        return
    mine = with_config(scene.shell, scene)
    step = f"Put it into {scene.paths.dotenv} (mode 0600), where a service sees it"
    for name in sorted(wanted_variables(scene, (mine, theirs))):
        here, there = mine.get(name, "").strip(), theirs.get(name, "").strip()
        if here and not there and mine.origins[name] in (Origin.PROCESS, Origin.WORKING_DIR):
            if where:
                told = f"{name} is set in this shell and not for {where}: what works here does not work there."
                yield warning("service.variable", name, told, f"{step}, and start the service anew.")
            elif name not in GIVEN:
                yield note(
                    "service.variable",
                    name,
                    f"{name} is set in this shell alone: a service would not have it.",
                    f"{step}.",
                )
        elif where and there and not here:
            told = f"{name} is set for {where} and not in this shell: other commands see less here than it does."
            yield note(
                "service.elsewhere", name, told, f"{step.removesuffix(', where a service sees it')}, where both see it."
            )
        elif where and here != there:
            told = f"{name} has another value in this shell than for {where}."
            yield note("service.other_value", name, told, "What other commands show here is what this shell sees.")


def _of_service(scene: Scene, units: list[Unit]) -> tuple[Environment | None, str]:
    """What the service sees, and how it is called; no name where there is none yet. None where nobody knows."""
    if scene.sees_gateway:
        return scene.environment, RUNNING
    if scene.gateway is not None:
        return None, RUNNING
    return (unit_environment(units[0], scene), str(units[0].path)) if units else (bare_environment(scene), "")


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
