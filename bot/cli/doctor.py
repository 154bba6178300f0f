"""`remoteclaw doctor`: looks at everything, says what is wrong and what to do, and repairs what it is told to repair."""

import argparse
from collections.abc import Sequence
from typing import TYPE_CHECKING

from bot.cli import exit_codes
from bot.cli.output import complain, on_one_line, say_json
from core.errors import BotError

if TYPE_CHECKING:
    from bot.doctor.check import Check, Repair
    from bot.doctor.registry import Group
    from bot.doctor.scene import Scene

_MOST_ROUNDS = 5
"""A repair may lay open what is below it, such as a store that could not be read before."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """--yes, --fix, --non-interactive, --online, --agent, --json."""
    parser.description = (
        "Look at the whole installation and say what is wrong with it, with the next step for each. Exit code 1 for an error or "
        "a warning, 0 for anything less. Nothing is changed but by a repair that is chosen, and each keeps a backup first."
    )
    parser.add_argument("--yes", "--fix", action="store_true", dest="yes", help="make every repair without asking")
    parser.add_argument("--non-interactive", action="store_true", help="do not ask: make no repair, or all with --yes")
    parser.add_argument("--online", action="store_true", help="also ask the chat platforms whose tokens these are")
    parser.add_argument("--agent", metavar="ID", help="of the stores only that of this agent (default: all)")
    parser.add_argument("--json", action="store_true", help="print JSON; asks nothing")


def run(args: argparse.Namespace) -> int:
    """0 nothing worse than a note, 1 an error or a warning. Raises BotError for an agent that there is not."""
    from bot.cli.doctor_report import say_report
    from bot.doctor.check import Verdict
    from bot.doctor.registry import examine
    from bot.doctor.scene import open_scene
    from bot.system_clock import SystemClock

    clock = SystemClock()
    scene = open_scene(args.agent, args.online, clock)
    groups = examine(scene)
    session = _Repairs(args, scene)
    for _ in range(_MOST_ROUNDS):
        if not session.make(groups):
            break
        scene = open_scene(args.agent, args.online, clock)
        groups = examine(scene)
    left = [check for group in groups for check in group.checks]
    verdict = max((check.verdict for check in left), key=lambda one: one.rank, default=Verdict.OK)
    if args.json:
        views = [check.view() for check in (*session.done, *left)]
        say_json(_redacted({"checks": views, "verdict": verdict.value}))
    else:
        say_report(groups, session.done)
    return exit_codes.FAILED if verdict.rank > Verdict.NOTE.rank else exit_codes.OK


class _Repairs:
    """Chooses and makes repairs, round by round. What was refused, or has failed, is not offered again."""

    def __init__(self, args: argparse.Namespace, scene: "Scene") -> None:
        from bot.cli.prompts import can_ask
        from bot.doctor.backups import Backups

        self._all = args.yes
        self._asks = not (args.yes or args.non_interactive or args.json) and can_ask()
        self._backups = Backups(scene.paths.state, scene.now)
        self._settled: set[tuple[str, str]] = set()
        self.done: list[Check] = []

    def make(self, groups: "Sequence[Group]") -> bool:
        """Whether anything was repaired."""
        from bot.doctor.registry import repairs

        made = False
        for check, repair in repairs(groups):
            key = (check.id, check.about)
            if key in self._settled or not self._chosen(check, repair):
                continue
            self._settled.add(key)
            made = self._carry_out(check, repair) or made
        return made

    def _chosen(self, check: "Check", repair: "Repair") -> bool:
        if self._all:
            return True
        if not self._asks:
            return False
        from bot.cli.prompts import confirm, tell
        from bot.log import redact

        tell(on_one_line(redact(check.text)))
        chosen = confirm(on_one_line(redact(f"Shall doctor {repair.text}?")), default=False)
        if not chosen:
            self._settled.add((check.id, check.about))
        return chosen

    def _carry_out(self, check: "Check", repair: "Repair") -> bool:
        from dataclasses import replace

        backup = self._backups.of(repair.id)
        try:
            repair.run(backup)
        except BotError as error:
            complain(on_one_line(f"{repair.id} ({check.about}): {error}"))
            return False
        self.done.append(replace(check, done=True))
        if backup.folder is not None:
            complain(on_one_line(f"Repaired {check.about}: {repair.text}. Backup: {backup.folder}"))
        return True


def _redacted(value: object) -> object:
    """Every text without anything confidential."""
    from bot.log import redact

    if isinstance(value, dict):
        return {key: _redacted(part) for key, part in value.items()}
    if isinstance(value, list):
        return [_redacted(part) for part in value]
    return redact(value) if isinstance(value, str) else value
