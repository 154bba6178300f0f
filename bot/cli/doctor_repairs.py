"""Which repairs are made: all, or those that a person chooses, one after the other; and what is told of each."""

import argparse
from collections.abc import Sequence
from dataclasses import replace

from bot.cli.output import complain, on_one_line
from bot.cli.prompts import can_ask, confirm, tell
from bot.doctor.backups import Backups
from bot.doctor.check import CHANGED, Check, Repair
from bot.doctor.registry import Group, repairs
from bot.doctor.scene import Scene
from bot.log import redact, report
from core.errors import BotError


class Repairs:
    """Chooses and makes repairs, round by round. What was refused, or has failed, is not offered again; what has changed meanwhile
    is looked at anew."""

    def __init__(self, args: argparse.Namespace, scene: Scene) -> None:
        self._all = args.yes
        self._asks = not (args.yes or args.non_interactive or args.json) and can_ask()
        self._backups = Backups(scene.paths.state, scene.now)
        self._settled: set[tuple[str, str]] = set()
        self.done: list[Check] = []
        self.failed: dict[tuple[str, str], Check] = {}

    def make(self, groups: Sequence[Group]) -> bool:
        """Whether everything is to be looked at anew."""
        made = False
        for check, repair in repairs(groups):
            if _key(check) in self._settled or not self._chosen(check, repair):
                continue
            self._settled.add(_key(check))
            made = self._carry_out(check, repair) or made
        return made

    def with_failure(self, check: Check) -> Check:
        """A check that is left, with what became of its repair if one was chosen and has failed."""
        before = self.failed.get(_key(check))
        if before is None:
            return check
        return replace(check, repair=check.repair or before.repair, failure=before.failure, backup=before.backup)

    def _chosen(self, check: Check, repair: Repair) -> bool:
        if self._all:
            return True
        if not self._asks:
            return False
        for told in (check.text, *repair.changes):
            tell(on_one_line(redact(told)))
        chosen = confirm(on_one_line(redact(f"Shall doctor {repair.text}?")), default=False)
        if not chosen:
            self._settled.add(_key(check))
        return chosen

    def _carry_out(self, check: Check, repair: Repair) -> bool:
        backup = self._backups.of(repair.id)
        try:
            repair.run(backup)
        except BotError as error:
            if error.code == CHANGED:
                complain(on_one_line(f"{repair.id} ({check.about}): {error.message}"))
                self._settled.discard(_key(check))
                return True
            why = str(error)
        except Exception as error:
            why = f"It failed: {type(error).__name__}, {report(error, f'The repair {repair.id}')}."
        else:
            why = ""
        kept = str(backup.folder) if backup.folder is not None else ""
        told = replace(check, done=not why, failure=why, backup=kept)
        if why:
            self.failed[_key(check)] = told
            where = f" What was there before is in {kept}" if kept else ""
            complain(on_one_line(f"{repair.id} ({check.about}): {why}{where}"))
            return bool(kept)
        self.done.append(told)
        if kept:
            complain(on_one_line(f"Repaired {check.about}: {repair.text}. Backup: {kept}"))
        for line in (*repair.changes, repair.then):
            if line:
                complain(on_one_line(f"  {line}"))
        return True


def _key(check: Check) -> tuple[str, str]:
    return check.id, check.about
