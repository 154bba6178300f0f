"""`remoteclaw doctor`: looks at everything, says what is wrong and what to do, and repairs what it is told to repair."""

import argparse

from bot.cli import exit_codes
from bot.cli.output import complain, on_one_line, say, say_json

_MOST_ROUNDS = 5
"""A repair may lay open what is below it, such as a store that could not be read before."""
_FURTHER = ("yes", "non_interactive", "online", "agent")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """--yes, --fix, --non-interactive, --online, --agent, --undo, --json."""
    parser.description = (
        "Look at the whole installation and say what is wrong with it, with the next step for each. Exit code 1 for an error or "
        "a warning, and for a repair that failed; 0 for anything less. Nothing is changed but by a repair that is chosen, and each "
        "keeps a backup first."
    )
    parser.add_argument("--yes", "--fix", action="store_true", dest="yes", help="make every repair without asking")
    parser.add_argument("--non-interactive", action="store_true", help="do not ask: make no repair, or all with --yes")
    parser.add_argument("--online", action="store_true", help="also ask the chat platforms whose tokens these are")
    parser.add_argument("--agent", metavar="ID", help="of the stores only that of this agent (default: all)")
    parser.add_argument(
        "--undo", metavar="FOLDER", help="look at nothing, and put back what is in this folder of a backup"
    )
    parser.add_argument("--json", action="store_true", help="print JSON; asks nothing")


def run(args: argparse.Namespace) -> int:
    """0 nothing worse than a note, 1 an error, a warning or a failed repair. Raises BotError for an agent that there is not, and
    where nothing can be undone."""
    if args.undo is not None:
        return _undo(args)
    from bot.cli.doctor_repairs import Repairs
    from bot.cli.doctor_report import say_report
    from bot.doctor.check import Verdict
    from bot.doctor.registry import examine
    from bot.doctor.scene import open_scene
    from bot.system_clock import SystemClock

    clock = SystemClock()
    scene = open_scene(args.agent, args.online, clock)
    groups = examine(scene)
    session = Repairs(args, scene)
    for _ in range(_MOST_ROUNDS):
        if not session.make(groups):
            break
        scene = open_scene(args.agent, args.online, clock)
        groups = examine(scene)
    left = [session.with_failure(check) for group in groups for check in group.checks]
    verdict = max((check.verdict for check in left), key=lambda one: one.rank, default=Verdict.OK)
    if args.json:
        views = [check.view() for check in (*session.done, *left)]
        say_json(_redacted({"checks": views, "verdict": verdict.value}))
    else:
        say_report(groups, session.done)
    return exit_codes.FAILED if verdict.rank > Verdict.NOTE.rank or session.failed else exit_codes.OK


def _undo(args: argparse.Namespace) -> int:
    from bot.doctor.undo import undo
    from bot.environment import process_environment
    from bot.paths import Paths
    from bot.system_clock import SystemClock

    if any(getattr(args, name) for name in _FURTHER):
        complain("--undo goes with --json only.")
        return exit_codes.USAGE
    undone = undo(args.undo, Paths.of(process_environment()), SystemClock())
    if args.json:
        paths = [str(kept.path) for kept in undone.entries]
        backup = str(undone.backup) if undone.backup is not None else None
        say_json({"undone": paths, "backup": backup, "notes": list(undone.notes)})
        return exit_codes.OK
    for kept in undone.entries:
        say(on_one_line(kept.told))
    complain(on_one_line(f"What was there until now: {undone.backup}"))
    for told in undone.notes:
        complain(told)
    return exit_codes.OK


def _redacted(value: object) -> object:
    """Every text without anything confidential."""
    from bot.log import redact

    if isinstance(value, dict):
        return {key: _redacted(part) for key, part in value.items()}
    if isinstance(value, list):
        return [_redacted(part) for part in value]
    return redact(value) if isinstance(value, str) else value
