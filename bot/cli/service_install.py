"""`remoteclaw service install`."""

import argparse
import logging
import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from bot.cli import exit_codes
from bot.cli.output import complain, say, say_json
from bot.cli.service_opened import (
    open_installation,
    readiness_keys,
    readiness_line,
    service_manager,
    state_directory,
    told,
)
from core.errors import UserError

if TYPE_CHECKING:
    from bot.config.settings import Settings
    from bot.ops.service_manager import ServiceManager
    from bot.ops.service_plan import ServicePlan
    from bot.paths import Paths

log = logging.getLogger(__name__)
_CLAUDE = "CLAUDE_CONFIG_DIR"


def run(args: argparse.Namespace) -> int:
    """0 it is installed, and runs unless that was not wanted. Raises BotError, UserError for wrong usage."""
    manager = service_manager(args, state_directory())
    plan, settings, paths = _plan(args)
    if args.dry_run:
        _show(args, manager, plan)
        return exit_codes.OK
    from bot.ops.settling import refuse_second, settle

    start = not args.no_start
    ran = start and refuse_second(manager, paths.state).is_running
    done = manager.install(plan, start)
    ready = settle(manager, settings.gateway.listen) if start else None
    if args.json:
        found = {"changed": done.changed, "started": start, "restarted": ran, **readiness_keys(ready)}
        say_json(told(args, manager, **found, notes=list(done.notes)))
        return exit_codes.OK
    say(f"{'Wrote' if done.changed else 'Already there:'} {manager.path}")
    say(f"The service {args.name} is enabled{' and runs' if start else ''}.{' It was started anew.' if ran else ''}")
    if ready is not None:
        say(readiness_line(ready))
    for note in done.notes:
        complain(f"Note: {note}")
    return exit_codes.OK


def _show(args: argparse.Namespace, manager: "ServiceManager", plan: "ServicePlan") -> None:
    text = manager.content(plan).decode()
    if args.json:
        say_json({"manager": manager.title, "path": str(manager.path), "content": text})
    else:
        complain(f"{manager.path} would be:")
        say(text.rstrip("\n"))


def _plan(args: argparse.Namespace) -> "tuple[ServicePlan, Settings, Paths]":
    """There must be a configuration that a gateway could start with."""
    from bot.app import database_path
    from bot.environment import process_environment
    from bot.ops.service_plan import make_plan
    from bot.paths import user_home

    owner, home = _owner(state_directory()) if args.system else (None, user_home(os.environ))
    paths, settings, environ = open_installation(args)
    for note in environ.notes:
        log.warning("%s", note)
    variables = settings.environment(environ).trusted
    plan = make_plan(
        args.name,
        paths,
        settings,
        (*_places(settings, paths, variables, home), database_path(settings, paths, environ).absolute().parent),
        process_environment().get("PATH", ""),
        owner=owner,
        credentials=args.credential,
        granted=[path.absolute() for path in args.read_write],
    )
    return plan, settings, paths


def _places(settings: "Settings", paths: "Paths", variables: Mapping[str, str], home: Path) -> list[Path]:
    """What the Claude CLI and the log write to. What is relative is so to the state directory, in which a service works."""
    places = [home / ".claude"]
    if named := variables.get(_CLAUDE, "").strip():
        places.append(paths.state.absolute() / named)
    if (file := settings.log.file) is not None:
        of_home = file == "~" or file.startswith("~/")
        places.append((home / file[2:] if of_home else paths.state.absolute() / Path(file).expanduser()).parent)
    return places


def _owner(state: Path) -> tuple[str, Path]:
    """Whom a unit of the system runs as: who owns the state directory, and their home."""
    import pwd

    try:
        found = pwd.getpwuid(state.stat().st_uid)
    except (OSError, KeyError):
        raise UserError(
            "usage", f"--system: {state} is not there, or belongs to nobody.", "Set REMOTECLAW_STATE_DIR."
        ) from None
    return found.pw_name, Path(found.pw_dir)
