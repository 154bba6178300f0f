"""`secrets apply`: carry out a plan that `secrets configure` or a script has written."""

import argparse
import os
from pathlib import Path
from typing import TYPE_CHECKING

from bot.cli import exit_codes
from bot.cli.output import complain, say, say_json
from core.errors import BotError

if TYPE_CHECKING:
    from bot.secrets_plan import Plan
    from bot.secrets_preflight import Prepared
    from bot.secrets_state import Workplace


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """--from, --dry-run, --allow-exec, --json."""
    parser.add_argument("--from", dest="plan", metavar="PLAN", type=Path, required=True, help="the plan's file")
    parser.add_argument("--dry-run", action="store_true", help="check everything and write nothing")
    parser.add_argument("--allow-exec", action="store_true", help="run the commands that references name")
    parser.add_argument("--json", action="store_true", help="print JSON")


def run(args: argparse.Namespace) -> int:
    """Raises BotError for a plan that is wrong or does not fit; then nothing was changed."""
    from bot.secrets_plan import read_plan
    from bot.secrets_preflight import prepare

    plan = read_plan(_content(args.plan))
    place = open_workplace(allow_exec=args.allow_exec, dry_run=args.dry_run)
    prepared = prepare(plan, place)
    if not args.dry_run:
        write(prepared, place)
    if args.json:
        say_json(view(prepared, plan, dry_run=args.dry_run))
    else:
        say("\n".join(lines(prepared, dry_run=args.dry_run)))
    for note in prepared.notes:
        complain(f"Note: {note}")
    return exit_codes.OK


def _content(path: Path) -> bytes:
    from bot.secrets_files import Unreadable, read_regular

    try:
        content = read_regular(path)
    except Unreadable as error:
        raise BotError("secrets_plan", f"The plan {path} {error}.") from None
    if content is None:
        raise BotError(
            "secrets_plan", f"There is no plan at {path}.", "`remoteclaw secrets configure --plan-out` writes one."
        )
    return content


def open_workplace(*, allow_exec: bool, dry_run: bool = False) -> "Workplace":
    """The installation, for moving its secrets. Without a config file it is one that says nothing. Raises BotError."""
    from bot.app import open_secrets
    from bot.environment import read_environment
    from bot.log import learn_secrets
    from bot.paths import Paths
    from bot.secrets_state import Workplace
    from bot.settings_wiring import open_settings

    paths = Paths.of(os.environ)
    _, environ = open_settings(paths, read_environment(), required=False)
    return Workplace(
        paths=paths,
        environ=environ,
        tools=open_secrets(paths),
        learn=learn_secrets,
        allow_exec=allow_exec,
        dry_run=dry_run,
    )


def write(prepared: "Prepared", place: "Workplace") -> None:
    """Carry it out. Raises BotError; then nothing was changed, or the sentence says what was."""
    from bot.secrets_apply import carry_out

    carry_out(prepared.swaps, place.tools.edit_file)


def lines(prepared: "Prepared", *, dry_run: bool) -> list[str]:
    """The result for people."""
    found = [f"{'Would update' if dry_run else 'Updated'} {path}" for path in prepared.changed]
    if not found:
        found = ["Secrets apply: no changes."]
    if prepared.skipped:
        found.append(
            f"{prepared.skipped} reference(s) were not checked; --allow-exec runs the commands that give them."
        )
    return found


def view(prepared: "Prepared", plan: "Plan", *, dry_run: bool) -> dict[str, object]:
    """The result for scripts."""
    return {
        "version": 1,
        "mode": "dry_run" if dry_run else "write",
        "changed": bool(prepared.changed),
        "changed_files": [str(path) for path in prepared.changed],
        "targets": len(plan.targets),
        "resolution": {
            "refs_checked": prepared.checked,
            "skipped_exec_refs": prepared.skipped,
            "resolvability_complete": not prepared.skipped,
        },
        "notes": list(prepared.notes),
    }
