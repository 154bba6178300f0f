"""How long a command takes to answer from nothing: a new process each time, against `python -c pass`.

The installation is a grown one: 200 profiles, 10,000 sessions with a pin each.
"""

import os
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path

from bench.installation import fill, install, opened
from bench.rounds import Case, Count, Group

_PASS = "python -c pass"
_COMMANDS = {
    "remoteclaw --help": ("-m", "bot", "--help"),
    "remoteclaw models status": ("-m", "bot", "models", "status"),
    "remoteclaw models status --json": ("-m", "bot", "models", "status", "--json"),
    "remoteclaw models status --check": ("-m", "bot", "models", "status", "--check"),
    "remoteclaw models explain": ("-m", "bot", "models", "explain"),
    "remoteclaw config validate": ("-m", "bot", "config", "validate"),
}
_RUNS = 3


@asynccontextmanager
async def cold_start(directory: Path) -> AsyncIterator[Group]:
    """Processes of the command line."""
    environ = {**install(directory, profiles=200), "PYTHONPATH": os.getcwd()}
    _, paths = opened(environ)
    await fill(paths, 10_000)
    cases = [Case(_PASS, partial(_run, ("-c", "pass"), environ), runs=_RUNS)]
    for name, arguments in _COMMANDS.items():
        cases.append(Case(name, partial(_run, arguments, environ), _PASS, runs=_RUNS))
    bare = _modules(("-c", "pass"), environ)
    counts = [Count(f"modules that {name} loads", _modules(c, environ) - bare) for name, c in _COMMANDS.items()]
    yield Group(cases, counts)


async def _run(arguments: tuple[str, ...], environ: Mapping[str, str]) -> float:
    return _seconds([sys.executable, *arguments], environ)


def _seconds(command: list[str], environ: Mapping[str, str]) -> float:
    begin = time.perf_counter()
    subprocess.run(command, env=dict(environ), check=True, capture_output=True)
    return time.perf_counter() - begin


def _modules(arguments: tuple[str, ...], environ: Mapping[str, str]) -> int:
    command = [sys.executable, "-X", "importtime", *arguments]
    ended = subprocess.run(command, env=dict(environ), check=True, capture_output=True, text=True)
    return sum(line.startswith("import time:") for line in ended.stderr.splitlines())
