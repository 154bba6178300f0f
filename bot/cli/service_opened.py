"""What the verbs of `service` work on: the manager that is meant, and the installation whose gateway it runs."""

import argparse
import os
import sys
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bot.cli.output import on_one_line
from core.errors import BotError, UserError

if TYPE_CHECKING:
    from bot.config.settings import Settings
    from bot.environment import Environment
    from bot.ops.service_manager import ServiceManager
    from bot.ops.settling import Readiness
    from bot.paths import Paths

_CHANGING = ("install", "uninstall", "restart")
_LONGEST = 2000


def service_manager(args: argparse.Namespace, state: Path) -> "ServiceManager":
    """The one that is meant. Raises UserError for what it has not."""
    from bot.environment import process_environment
    from bot.ops.service_plan import check_name
    from bot.paths import user_home

    name, state = check_name(args.name), state.absolute()
    kind = args.manager or ("launchd" if sys.platform == "darwin" else "systemd")
    if kind == "launchd":
        if args.system or getattr(args, "credential", None):
            raise UserError("usage", "launchd has neither --system nor --credential here.", "Put secrets into .env.")
        from bot.ops.launchd import Launchd

        return Launchd(name, state, user_home(os.environ))
    from bot.ops.systemd import Systemd

    if args.system:
        if os.geteuid() and args.verb in _CHANGING and not getattr(args, "dry_run", False):
            raise UserError("usage", "--system needs root.", "Run it with sudo, with REMOTECLAW_STATE_DIR set.")
        return Systemd(name, state, None)
    configured = process_environment().get("XDG_CONFIG_HOME", "")
    return Systemd(name, state, Path(configured) if os.path.isabs(configured) else user_home(os.environ) / ".config")


def open_installation(args: argparse.Namespace, *, required: bool = True) -> "tuple[Paths, Settings, Environment]":
    """Its paths, settings and variables. Root, who installs a unit of the system, reads the files of whom it is going to run as.
    Raises BotError for what no gateway could start with; not `required`: not for a config that is not there."""
    from bot.environment import read_environment
    from bot.paths import Paths
    from bot.settings_wiring import open_settings

    owner = None
    if args.system:
        with suppress(OSError):
            owner = state_directory().stat().st_uid
    environ = read_environment(owner)
    paths = Paths.of(environ.trusted)
    settings, environ = open_settings(paths, environ, required=required)
    return paths, settings, environ


def state_directory() -> Path:
    """That of the environment, which no file says. Raises StoreError where there is no home to look in."""
    from bot.environment import process_environment
    from bot.paths import Paths

    return Paths.of(process_environment()).state


def settings_or_why(args: argparse.Namespace) -> "tuple[Settings | None, str]":
    """The settings, or why there are none: for what must work beside a config that is broken."""
    try:
        return open_installation(args, required=False)[1], ""
    except BotError as error:
        return None, str(error)


def readiness_line(ready: "Readiness") -> str:
    """What `/readyz` said, on one line. Another program may be what answers there."""
    reasons = on_one_line("; ".join(ready[1]))
    short = reasons if len(reasons) <= _LONGEST else f"{reasons[:_LONGEST]}…"
    return "Ready: yes" if ready[0] else f"Ready: no. {short}"


def readiness_keys(ready: "Readiness | None") -> dict[str, Any]:
    """The same for --json."""
    return {"ready": None if ready is None else ready[0], "reasons": [] if ready is None else list(ready[1])}


def told(args: argparse.Namespace, manager: "ServiceManager", **more: Any) -> dict[str, Any]:
    """What each verb prints with --json."""
    return {"service": args.name, "manager": manager.title, "path": str(manager.path), **more}
