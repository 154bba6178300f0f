"""The files that start this installation's gateway, as `remoteclaw service install` has written them."""

import os
import plistlib
import shlex
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from bot.doctor.scene import Scene
from bot.dotenv import parse_dotenv
from bot.ops import launch_agent, systemd_unit

_SYSTEM = Path("/etc/systemd/system")


@dataclass(frozen=True, slots=True)
class Unit:
    """What one of them says, with its drop-ins. `variables` are those that it sets for the gateway."""

    path: Path
    program: str
    folder: str
    variables: Mapping[str, str]


def installed_units(scene: Scene) -> list[Unit]:
    """Those of this state directory. What cannot be read, or is not ours, is not one."""
    home = Path(os.path.expanduser("~"))
    configured = scene.shell.process.get("XDG_CONFIG_HOME", "")
    config_home = Path(configured) if os.path.isabs(configured) else home / ".config"
    state = str(scene.paths.state.absolute())
    found = []
    for path in (*_named(config_home / "systemd" / "user", "*.service"), *_named(_SYSTEM, "*.service")):
        text = _read(path).decode(errors="replace")
        if systemd_unit.is_ours(text) and systemd_unit.state_of(text) == systemd_unit.written(state):
            found.append(_systemd(path, text))
    for path in _named(home / "Library" / "LaunchAgents", "*.plist"):
        content = _read(path)
        if launch_agent.is_ours(content) and launch_agent.state_of(content) == state:
            found.append(_launchd(path, content))
    return found


def _named(folder: Path, pattern: str) -> Iterator[Path]:
    yield from (path for path in sorted(folder.glob(pattern)) if path.is_file())


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError:
        return b""


def _systemd(path: Path, text: str) -> Unit:
    """Drop-ins come behind the unit, by their names. An empty value takes back what stood before it; a file of variables is
    stronger than those of the unit itself."""
    values: dict[str, list[str]] = {}
    drop_ins = [_read(one).decode(errors="replace") for one in _named(path.with_name(f"{path.name}.d"), "*.conf")]
    for line in "\n".join([text, *drop_ins]).splitlines():
        key, equals, value = (part.strip() for part in line.partition("="))
        if equals and not key.startswith(("#", ";")):
            values[key] = [*values.get(key, ()), value] if value else []
    command = _words(_last(values, "ExecStart"))
    pairs = (word.partition("=") for line in values.get("Environment", ()) for word in _words(line))
    variables = {name: value for name, equals, value in pairs if equals}
    for file in values.get("EnvironmentFile", ()):
        variables |= parse_dotenv(_read(Path(file.removeprefix("-").replace("%%", "%"))).decode(errors="replace"))
    return Unit(
        path=path,
        program=command[0].replace("$$", "$") if command else "",
        folder=_last(values, "WorkingDirectory").replace("%%", "%"),
        variables=variables,
    )


def _last(values: Mapping[str, list[str]], key: str) -> str:
    return values[key][-1] if values.get(key) else ""


def _words(line: str) -> list[str]:
    try:
        return [word.replace("%%", "%") for word in shlex.split(line)]
    except ValueError:
        return []


def _launchd(path: Path, content: bytes) -> Unit:
    """`is_ours` and `state_of` have seen that it is a property list with variables."""
    found = plistlib.loads(content)
    command = found.get("ProgramArguments")
    return Unit(
        path=path,
        program=str(command[0]) if isinstance(command, list) and command else "",
        folder=str(found.get("WorkingDirectory", "")),
        variables={str(name): str(value) for name, value in found["EnvironmentVariables"].items()},
    )
