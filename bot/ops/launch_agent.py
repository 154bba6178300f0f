"""The property list of a launchd agent (launchd.plist(5))."""

import plistlib
from typing import Any

from bot.ops.service_plan import ServicePlan
from bot.paths import STATE_DIR

_MARK = b"<!-- Made by `remoteclaw service install`, which replaces it. -->\n"
LOG = "launchd.log"
"""What the gateway writes, in the state directory. launchd keeps no journal."""


def agent_bytes(plan: ServicePlan) -> bytes:
    """The agent. It is started anew when it fails, not when it ends in order, and at most every ten seconds."""
    log = str(plan.state / LOG)
    agent: dict[str, Any] = {
        "Label": plan.name,
        "ProgramArguments": list(plan.command),
        "WorkingDirectory": str(plan.state),
        "EnvironmentVariables": dict(plan.variables),
        "RunAtLoad": True,
        "KeepAlive": {"SuccessfulExit": False},
        "ThrottleInterval": 10,
        "ExitTimeOut": 75,
        "SoftResourceLimits": {"Core": 0},
        "HardResourceLimits": {"Core": 0},
        "ProcessType": "Background",
        "Umask": 0o077,
        "StandardOutPath": log,
        "StandardErrorPath": log,
    }
    head, start, rest = plistlib.dumps(agent).partition(b"<plist ")
    return head + _MARK + start + rest


def is_ours(content: bytes) -> bool:
    """Whether `agent_bytes` has made it."""
    return _MARK in content


def state_of(content: bytes) -> str | None:
    """The state directory that an agent of ours serves; None for what cannot be read."""
    try:
        found = plistlib.loads(content)["EnvironmentVariables"][STATE_DIR]
    except (ValueError, LookupError, TypeError, plistlib.InvalidFileException):
        return None
    return str(found)
