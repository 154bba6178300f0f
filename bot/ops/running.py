"""Whether a gateway runs here, and whether it is ready: asked from outside, changing nothing."""

import http.client
import json
from pathlib import Path

from bot.control import ask
from bot.health_http import loopback_address
from bot.instance import LOCK_FILE
from core.errors import BotError, ConfigError

_SECONDS = 5.0
_LARGEST = 256 * 1024


def running_gateway(state: Path) -> int | None:
    """The process of the gateway that serves this directory, 0 where it is not known; None: none answers."""
    try:
        ask(state, "status", _SECONDS)
    except BotError as error:
        if error.code == "no_gateway":
            return None
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
    except (OSError, ValueError, http.client.HTTPException) as error:
        return False, (f"http://{listen}/readyz does not answer ({type(error).__name__})",)
    reasons = found.get("reasons", []) if isinstance(found, dict) else []
    return answer.status == http.HTTPStatus.OK, tuple(str(reason) for reason in reasons)
