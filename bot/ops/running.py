"""Whether a gateway runs here, and whether it is ready: asked from outside, changing nothing."""

import http.client
import json
from dataclasses import dataclass
from pathlib import Path

from bot.control import ask
from bot.health_http import loopback_address
from bot.instance import LOCK_FILE
from core.errors import BotError, ConfigError

_SECONDS = 5.0
_LARGEST = 256 * 1024


@dataclass(frozen=True, slots=True)
class Running:
    """A gateway that is there. `pid` is 0 where it is not known. One that does not answer hangs, or is stopped."""

    pid: int
    answers: bool


def running_gateway(state: Path) -> int | None:
    """The process of the gateway that serves this directory, 0 where it is not known; None: none is there. One that does not
    answer counts: it has the directory's files open."""
    found = find_gateway(state)
    return None if found is None else found.pid


def find_gateway(state: Path) -> Running | None:
    """The same with whether it answers. Blocks for five seconds where it does not."""
    answers = True
    try:
        ask(state, "status", _SECONDS)
    except BotError as error:
        if error.code == "no_gateway":
            return None
        answers = error.code != "timeout"
    return Running(_pid(state), answers)


def _pid(state: Path) -> int:
    try:
        text = (state / LOCK_FILE).read_text("ascii").strip()
    except (OSError, ValueError):
        return 0
    return int(text) if text.isdecimal() else 0


def readiness(listen: str | None) -> tuple[bool, tuple[str, ...]] | None:
    """What `/readyz` answers: whether it is ready, and the reasons why not. None: it is not served anywhere."""
    if listen is None:
        return None
    try:
        host, port = loopback_address(listen)
        connection = http.client.HTTPConnection(host, port, timeout=_SECONDS)
        try:
            connection.request("GET", "/readyz")
            answer = connection.getresponse()
            found = json.loads(answer.read(_LARGEST))
        finally:
            connection.close()
    except ConfigError as error:
        return False, (error.message,)
    except (OSError, ValueError, RecursionError, http.client.HTTPException) as error:
        return False, (f"http://{listen}/readyz does not answer ({type(error).__name__})",)
    reasons = found.get("reasons", []) if isinstance(found, dict) else []
    return answer.status == http.HTTPStatus.OK, tuple(str(reason) for reason in reasons)
