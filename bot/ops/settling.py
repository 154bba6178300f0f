"""What is looked at around a start of the service: who serves already, and whether what was started serves."""

import time
from pathlib import Path

from bot.ops.running import readiness, running_gateway
from bot.ops.service_manager import ServiceManager, ServiceStatus
from core.errors import BotError

_PAUSE = 0.25
_PATIENCE = 10.0
"""Seconds. Platforms that can be reached are connected by then."""

Readiness = tuple[bool, tuple[str, ...]]
"""Whether the gateway is ready, and the reasons why not."""


def other_gateway(status: ServiceStatus, state: Path) -> int | None:
    """The process of a gateway that serves this directory and is not the service, 0 where it is not known; None: there is none.
    May only be asked where the manager has told the status."""
    if status.is_running:
        return None
    found = running_gateway(state)
    return None if found is not None and found == status.pid else found


def refuse_second(manager: ServiceManager, state: Path) -> ServiceStatus:
    """The status before a start. Raises BotError where a gateway that is not the service holds the directory: the service could
    not start beside it. Where the manager tells nothing, the start will say why."""
    status = manager.status()
    other = None if status.problem else other_gateway(status, state)
    if other is None:
        return status
    who = f"A gateway (pid {other})" if other else "A gateway"
    raise BotError(
        "gateway_running",
        f"{who} serves {state} already, but not as this service, which was not started.",
        "Stop it first, and run this again.",
    )


def settle(manager: ServiceManager, listen: str | None, patience: float = _PATIENCE) -> Readiness | None:
    """Wait until what was started is ready, at most so many seconds, and tell what it said last; None where readiness is not
    served. Raises BotError where the service has ended meanwhile."""
    until = time.monotonic() + patience
    while True:
        ready = readiness(listen)
        failure = manager.status().failure
        if failure:
            what = f"The service was started, and has ended: {failure.rstrip('.')}."
            raise BotError("service", what, f"It is tried again. Its log: {manager.log_hint}")
        if ready is None or ready[0] or time.monotonic() >= until:
            return ready
        time.sleep(_PAUSE)
