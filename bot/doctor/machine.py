"""The machine: its clock, the program's libraries, and as whom all this runs."""

import os
import re
import sqlite3
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import bot
from bot.doctor.check import Check, error, note, ok, warning
from bot.doctor.places import known_files
from bot.doctor.scene import Scene

_OLDEST = (3, 11)
_SKEW = timedelta(minutes=5)
_REQUIREMENT = re.compile(r"(?P<name>[A-Za-z0-9._-]+)(?:\[[^\]]*\])?\s*(?:>=(?P<least>[0-9.]+))?")
_PACKAGE = "remoteclaw"


def checks(scene: Scene) -> Iterator[Check]:
    """In the order in which one would look."""
    if os.geteuid() == 0:
        told = "This runs as root. A gateway needs no rights of its own: a user for it alone is safer."
        yield note("machine.root", "root", told)
    yield from _clock(scene)
    yield from _libraries()


def _clock(scene: Scene) -> Iterator[Check]:
    """Against the times of files: the program's own cannot be newer than now, and neither can what it has written."""
    now = scene.now
    installed = _changed(Path(bot.__file__))
    if installed is not None and now < installed - _SKEW:
        told = f"The clock says {now:%Y-%m-%d %H:%M} UTC, which is before the program was installed."
        yield warning("clock.behind", "clock", told, "Set the clock, or let it be set by the network (NTP).")
        return
    times = [(at, place.path) for place in known_files(scene) if (at := _changed(place.path)) is not None]
    latest = max(times, default=None)
    if latest is not None and latest[0] > now + _SKEW:
        told = f"{latest[1]} was changed at {latest[0]:%Y-%m-%d %H:%M} UTC, which is still to come."
        yield warning("clock.files", latest[1], told, "Check the clock: times of cooldowns and logins go by it.")
    else:
        yield ok("clock", "clock", f"The clock says {now:%Y-%m-%d %H:%M} UTC, and no file is from later.")


def _changed(path: Path) -> datetime | None:
    try:
        return datetime.fromtimestamp(path.stat().st_mtime, UTC)
    except (OSError, ValueError, OverflowError):
        return None


def _libraries() -> Iterator[Check]:
    from importlib.metadata import PackageNotFoundError, requires

    python = ".".join(map(str, sys.version_info[:3]))
    if sys.version_info < _OLDEST:
        yield error("machine.python", "python", f"Python {python} is too old.", "Install Python 3.11 or newer.")
    try:
        wanted = [line for line in requires(_PACKAGE) or () if "extra ==" not in line]
    except PackageNotFoundError:
        yield note("machine.package", _PACKAGE, "The program runs without being installed.")
        return
    faults = [fault for line in wanted if (fault := library_fault(line)) is not None]
    for name, told in faults:
        yield error("machine.library", name, told, "Install RemoteClaw anew.")
    if not faults:
        told = f"Python {python}, SQLite {sqlite3.sqlite_version}, and {len(wanted)} libraries as they are required."
        yield ok("machine", "python", told)


def library_fault(requirement: str) -> tuple[str, str] | None:
    """What is wrong with the installed library of a requirement such as `httpx>=0.28`: its name and a sentence."""
    from importlib.metadata import PackageNotFoundError, version

    found = _REQUIREMENT.match(requirement)
    if found is None:
        return None
    name, least = found["name"], found["least"]
    try:
        there = version(name)
    except PackageNotFoundError:
        return name, f"The library {name} is not installed."
    if least is not None and _release(there) < _release(least):
        return name, f"The library {name} is {there}, and {least} or newer is required."
    return None


def _release(text: str) -> tuple[int, ...]:
    """The numbers at the beginning of a version; what follows them does not matter for a lower bound."""
    found = re.match(r"[0-9]+(?:\.[0-9]+)*", text)
    numbers = [int(part) for part in found[0].split(".")] if found else []
    while numbers and numbers[-1] == 0:
        numbers.pop()
    return tuple(numbers)
