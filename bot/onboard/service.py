"""The gateway that serves what was answered: the service is installed, and one that runs already is told of."""

import argparse
import json
from collections.abc import Sequence
from contextlib import redirect_stdout
from dataclasses import dataclass
from io import StringIO
from pathlib import Path

from bot.cli import exit_codes
from core.errors import BotError


@dataclass(frozen=True, slots=True)
class Running:
    """A gateway that runs: its process, 0 where that is not known. `is_service`: `remoteclaw service` can restart it; another one
    has to be by whoever has started it."""

    pid: int
    is_service: bool


def install() -> tuple[str, ...]:
    """As `remoteclaw service install` does: its own words. Raises BotError."""
    code, said = _service(["install"])
    if code != exit_codes.OK:
        raise BotError("service", "The service was not installed.", "Run: remoteclaw service install")
    return tuple(said.splitlines())


def running(state: Path) -> Running | None:
    """The gateway that serves this directory. None: none does."""
    from bot.ops.running import running_gateway

    pid = running_gateway(state)
    if pid is None:
        return None
    try:
        found = json.loads(_service(["status", "--json"])[1])
    except (BotError, ValueError):
        return Running(pid, is_service=False)
    return Running(pid, is_service=found["running"] and found["pid"] == pid)


def _service(words: Sequence[str]) -> tuple[int, str]:
    from bot.cli import service

    parser = argparse.ArgumentParser()
    service.add_arguments(parser)
    said = StringIO()
    with redirect_stdout(said):
        code = service.run(parser.parse_args(words))
    return code, said.getvalue()
