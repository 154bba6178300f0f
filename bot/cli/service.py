"""`remoteclaw service`: the gateway as a service of systemd or launchd, so that it runs without anybody being logged in."""

import argparse
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bot.cli import exit_codes
from bot.cli.output import complain, say, say_json
from core.errors import UserError

if TYPE_CHECKING:
    from bot.config.settings import Settings
    from bot.ops.service_manager import ServiceManager, ServiceStatus
    from bot.paths import Paths

_ABOUT = {
    "install": "write the unit, enable and start it; safe to run again",
    "uninstall": "stop it, and remove the unit that install has written",
    "status": "whether it runs (exit code 0) or not (1)",
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """install, uninstall, status."""
    verbs = parser.add_subparsers(dest="verb", metavar="<verb>", required=True)
    for name, about in _ABOUT.items():
        verb = verbs.add_parser(name, help=about, description=f"{about[0].upper()}{about[1:]}.")
        verb.add_argument("--name", default="remoteclaw", help="of the service, where there are several (remoteclaw)")
        verb.add_argument(
            "--manager", choices=("systemd", "launchd"), help="instead of the one that this system has usually"
        )
        verb.add_argument("--system", action="store_true", help="a unit of the system (systemd, needs root)")
        verb.add_argument("--json", action="store_true", help="print JSON")
        if name == "install":
            verb.add_argument("--dry-run", action="store_true", help="print the unit, and write nothing")
            verb.add_argument("--no-start", action="store_true", help="do not start it now")
            verb.add_argument(
                "--credential",
                metavar="NAME=PATH",
                action="append",
                default=[],
                help="hand this file over as a credential (systemd's LoadCredential); may be repeated",
            )
            verb.add_argument(
                "--read-write",
                metavar="PATH",
                type=Path,
                action="append",
                default=[],
                help="a further place that it may write to; may be repeated",
            )


def run(args: argparse.Namespace) -> int:
    """0 done, of status: it runs; 1 it does not, or could not be done; 2 wrong usage. Raises BotError."""
    try:
        manager, settings, paths = _manager(args)
    except UserError as error:
        complain(str(error))
        return exit_codes.USAGE
    match args.verb:
        case "install":
            return _install(args, manager)
        case "uninstall":
            return _uninstall(args, manager)
    return _status(args, manager, settings, paths)


def _manager(args: argparse.Namespace) -> "tuple[ServiceManager, Settings, Paths]":
    """The manager for this installation. To install it, there must be a configuration that a gateway could start with."""
    from bot.app import database_path
    from bot.environment import process_environment, read_environment
    from bot.ops.service_plan import make_plan
    from bot.paths import Paths
    from bot.settings_wiring import open_settings

    paths = Paths.of(os.environ)
    process = process_environment()
    installs = args.verb == "install"
    settings, environ = open_settings(paths, read_environment(), required=installs)
    owner = _owner(paths) if args.system else None
    kind = args.manager or ("launchd" if sys.platform == "darwin" else "systemd")
    if kind == "launchd" and (args.system or (installs and args.credential)):
        raise UserError("usage", "launchd has neither --system nor --credential here.", "Put secrets into .env.")
    if args.system and os.geteuid() and not getattr(args, "dry_run", False):
        raise UserError("usage", "--system needs root.", "Run it with sudo, with REMOTECLAW_STATE_DIR set.")
    home = Path.home() if owner is None else owner[1]
    plan = make_plan(
        args.name,
        paths,
        settings,
        database_path(settings, paths, environ) if installs else paths.database,
        process,
        home,
        credentials=args.credential if installs else (),
        writable=[path.absolute() for path in args.read_write] if installs else (),
    )
    if kind == "launchd":
        from bot.ops.launchd import Launchd

        return Launchd(plan, home), settings, paths
    from bot.ops.systemd import Systemd

    configured = process.get("XDG_CONFIG_HOME", "")
    config_home = Path(configured) if os.path.isabs(configured) else home / ".config"
    return Systemd(plan, owner[0] if owner is not None else None, config_home), settings, paths


def _owner(paths: "Paths") -> tuple[str, Path]:
    """Whom a unit of the system runs as: who owns the state directory, and their home."""
    import pwd

    try:
        found = pwd.getpwuid(paths.state.stat().st_uid)
    except (OSError, KeyError):
        raise UserError(
            "usage", f"--system: {paths.state} is not there, or belongs to nobody.", "Set REMOTECLAW_STATE_DIR."
        ) from None
    return found.pw_name, Path(found.pw_dir)


def _install(args: argparse.Namespace, manager: "ServiceManager") -> int:
    if args.dry_run:
        text = manager.content().decode()
        if args.json:
            say_json({"manager": manager.title, "path": str(manager.path), "content": text})
        else:
            complain(f"{manager.path} would be:")
            say(text.rstrip("\n"))
        return exit_codes.OK
    done = manager.install(not args.no_start)
    if args.json:
        say_json(_told(args, manager, changed=done.changed, started=not args.no_start, notes=list(done.notes)))
    else:
        say(f"{'Wrote' if done.changed else 'Already there:'} {manager.path}")
        say(f"The service {args.name} is enabled{'' if args.no_start else ' and runs'}.")
        for note in done.notes:
            complain(f"Note: {note}")
    return exit_codes.OK


def _uninstall(args: argparse.Namespace, manager: "ServiceManager") -> int:
    was_there, notes = manager.uninstall()
    if args.json:
        say_json(_told(args, manager, removed=was_there, notes=list(notes)))
        return exit_codes.OK
    say(f"Stopped, and removed {manager.path}" if was_there else f"There is no {manager.path}: nothing to remove.")
    for note in notes:
        complain(f"Note: {note}")
    return exit_codes.OK


def _status(args: argparse.Namespace, manager: "ServiceManager", settings: "Settings", paths: "Paths") -> int:
    from bot.ops.running import readiness, running_gateway
    from core.durations import iso

    status = manager.status()
    other = None if status.is_running else running_gateway(paths.state)
    ready = readiness(settings.gateway.listen) if status.is_running or other is not None else None
    if args.json:
        found = {name: getattr(status, name) for name in ("installed", "enabled", "state", "pid", "restarts")}
        found |= {"running": status.is_running, "since": iso(status.since), "problem": status.problem or None}
        found |= {"ready": None if ready is None else ready[0], "reasons": [] if ready is None else list(ready[1])}
        say_json(_told(args, manager, **found, other_pid=other))
    else:
        for line in _lines(args.name, manager, status, other, ready):
            say(line)
    return exit_codes.OK if status.is_running else exit_codes.FAILED


def _lines(
    name: str,
    manager: "ServiceManager",
    status: "ServiceStatus",
    other: int | None,
    ready: tuple[bool, tuple[str, ...]] | None,
) -> list[str]:
    from core.durations import iso

    enabled = {True: ", enabled", False: ", not enabled", None: ""}[status.enabled]
    lines = [
        f"Service: {name} · {manager.title}",
        f"Unit: {manager.path}{enabled}" if status.installed else "Unit: not installed (remoteclaw service install)",
    ]
    since = f" since {iso(status.since)}" if status.since is not None else ""
    pid = f" · pid {status.pid}" if status.pid is not None else ""
    restarts = f" · restarted {status.restarts} times" if status.restarts else ""
    lines.append(f"State: {status.state}{since}{pid}{restarts}")
    if status.problem:
        lines.append(f"Note: {status.problem}")
    if other is not None:
        lines.append(f"Note: a gateway (pid {other}) serves this state directory, but not as this service.")
    if ready is not None:
        lines.append("Ready: yes" if ready[0] else f"Ready: no. {'; '.join(ready[1])}")
    return lines


def _told(args: argparse.Namespace, manager: "ServiceManager", **more: Any) -> dict[str, Any]:
    return {"service": args.name, "manager": manager.title, "path": str(manager.path), **more}
