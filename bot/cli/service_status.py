"""`remoteclaw service status`: it works beside a configuration that is broken, and without a service manager."""

import argparse
from dataclasses import dataclass
from typing import TYPE_CHECKING

from bot.cli import exit_codes
from bot.cli.output import on_one_line, say, say_json
from bot.cli.service_opened import readiness_line, service_manager, settings_or_why, state_directory, told

if TYPE_CHECKING:
    from bot.ops.service_manager import ServiceManager, ServiceStatus
    from bot.ops.settling import Readiness


@dataclass(frozen=True, slots=True)
class _Found:
    """`other` is the process of a gateway that is not the service, `unread` why there are no settings."""

    status: "ServiceStatus"
    other: int | None
    ready: "Readiness | None"
    unread: str


def run(args: argparse.Namespace) -> int:
    """0 it runs, 1 it does not or nobody can tell."""
    manager = service_manager(args, state_directory())
    found = _look(args, manager)
    if args.json:
        _print_json(args, manager, found)
    else:
        for line in _lines(args.name, manager, found):
            say(on_one_line(line))
    return exit_codes.OK if found.status.is_running else exit_codes.FAILED


def _look(args: argparse.Namespace, manager: "ServiceManager") -> _Found:
    from bot.ops.running import readiness
    from bot.ops.settling import other_gateway

    status = manager.status()
    other = other_gateway(status, state_directory())
    settings, unread = settings_or_why(args)
    listen = settings.gateway.listen if settings is not None else None
    return _Found(status, other, readiness(listen) if status.is_running or other is not None else None, unread)


def _print_json(args: argparse.Namespace, manager: "ServiceManager", found: _Found) -> None:
    from bot.log import redact
    from core.durations import iso

    status, ready = found.status, found.ready
    reasons = list(ready[1]) if ready is not None else [found.unread] if found.unread else []
    shown = {name: getattr(status, name) for name in ("installed", "enabled", "state", "pid", "restarts")}
    shown |= {"running": status.is_running, "since": iso(status.since), "failure": redact(status.failure) or None}
    shown |= {"problem": status.problem or None, "ready": None if ready is None else ready[0], "reasons": reasons}
    say_json(told(args, manager, **shown, other_pid=found.other))


def _lines(name: str, manager: "ServiceManager", found: _Found) -> list[str]:
    from bot.log import redact
    from core.durations import iso

    status = found.status
    enabled = {True: ", enabled", False: ", not enabled", None: ""}[status.enabled]
    lines = [
        f"Service: {name} · {manager.title}",
        f"Unit: {manager.path}{enabled}" if status.installed else "Unit: not installed (remoteclaw service install)",
    ]
    since = f" since {iso(status.since)}" if status.since is not None else ""
    pid = f" · pid {status.pid}" if status.pid is not None else ""
    times = "once" if status.restarts == 1 else f"{status.restarts} times"
    restarts = f" · restarted {times}" if status.restarts else ""
    lines.append(f"State: {status.state}{since}{pid}{restarts}")
    if status.failure:
        lines += [f"Failed: {redact(status.failure)}", f"Log: {manager.log_hint}"]
    if status.problem:
        lines.append(f"Note: {status.problem}")
    if found.other is not None:
        who = f"a gateway (pid {found.other})" if found.other else "a gateway"
        whether = "" if status.problem else ", but not as this service"
        lines.append(f"Note: {who} serves this state directory{whether}.")
    if found.unread:
        lines.append(f"Note: the settings cannot be read. {found.unread}")
    if found.ready is not None:
        lines.append(readiness_line(found.ready))
    return lines
