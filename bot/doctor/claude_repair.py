"""Carrying out the conversion: with every lock held and everything kept, the config first, then the stores, each whole.

Stopped in between, the config names the new ids and the stores have the old ones; the next run finds these and goes on.
"""

import os
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

from bot import doctor_wiring as wiring
from bot.doctor.check import Keep, changed
from bot.doctor.claude_look import find_claude
from bot.doctor.claude_plan import Plan, make_plan
from bot.doctor.claude_store import converted
from bot.doctor.edits import changed_with, edit_config, edit_store
from bot.doctor.scene import Scene
from core.errors import BotError, StoreError

if TYPE_CHECKING:
    from bot.config.settings import Settings


class Conversion:
    """`bot.doctor.check.Repair.run`. Every agent is converted, whichever are looked at: they read through to `main`."""

    def __init__(self, settings: "Settings", scene: Scene, offered: Plan) -> None:
        self._settings = settings
        self._scene = scene
        self._offered = offered

    def __call__(self, keep: Keep) -> None:
        with ExitStack() as held:
            for path in self._locked():
                held.enter_context(wiring.lock_of(path, self._scene.clock)[1]())
            plan = self._still()
            for path in self._kept(plan):
                keep.file(path)
            self._write(plan, keep)

    def _still(self) -> Plan:
        """What is to be done, if it is what was offered. Raises BotError."""
        if not find_claude(self._settings, self._scene).is_gone:
            raise changed("The Claude CLI, or a login of it, is here by now.")
        plan = make_plan(self._scene)
        if plan.changes != self._offered.changes:
            raise changed("What names the Claude CLI is something else by now.")
        return plan

    def _locked(self) -> list[Path]:
        stores = [self._scene.paths.auth_store(agent) for agent in self._offered.agents]
        config = [Path(os.path.realpath(self._scene.paths.config))] if self._offered.config is not None else []
        return [*config, *stores]

    def _kept(self, plan: Plan) -> list[Path]:
        config = [self._scene.paths.config] if plan.config is not None else []
        return [*config, *(path for agent in plan.agents for path in changed_with(self._scene, agent))]

    def _write(self, plan: Plan, keep: Keep) -> None:
        done: list[str] = []
        try:
            if plan.config is not None:
                edit_config(self._scene, plan.config, keep)
                done.append(str(self._scene.paths.config))
            for agent in plan.agents:
                edit_store(self._scene, agent, lambda stored: converted(stored, plan.renamed), keep)
                done.append(f"the store of {agent}")
        except BotError as error:
            if not done:
                raise
            why = error.message.removesuffix(" Nothing was changed.")
            raise StoreError(
                "half_done", f"{' and '.join(done)} changed, and then it stopped: {why}", "Run it again to go on."
            ) from error
