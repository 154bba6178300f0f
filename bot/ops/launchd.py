"""The gateway as an agent of launchd."""

import os
import re
from pathlib import Path

from bot.ops.launch_agent import agent_bytes, is_ours, state_of
from bot.ops.service_file import ServiceFile
from bot.ops.service_manager import Installed, ServiceStatus, by_hand
from bot.ops.service_plan import ServicePlan
from bot.ops.tool import run_tool
from core.errors import BotError

_NOT_LOADED = ("could not find", "no such process", "not find service")


class Launchd:
    """`bot.ops.service_manager.ServiceManager`, of the user who is logged in."""

    title = "launchd"

    def __init__(self, plan: ServicePlan, home: Path) -> None:
        self.path = home / "Library" / "LaunchAgents" / f"{plan.name}.plist"
        self._plan = plan
        self._domain = f"gui/{os.getuid()}"
        self._target = f"{self._domain}/{plan.name}"
        self._file = ServiceFile(self.path, is_ours, state_of, str(plan.state))

    def content(self) -> bytes:
        """The property list."""
        return agent_bytes(self._plan)

    def install(self, start: bool) -> Installed:
        """Bootstrap it; what is loaded already and has changed is taken out first. Without `start` launchd starts it at the next
        login, for it starts what it loads."""
        changed = self._file.put(self.content())
        if not start:
            return Installed(changed, ("launchd starts it at the next login.",))
        load = ("launchctl", "bootstrap", self._domain, str(self.path))
        what = f"The agent is written ({self.path}), but launchd has not taken it"
        try:
            is_loaded = run_tool("launchctl", "print", self._target).code == 0
            if is_loaded and changed:
                self._unload(what)
            ran = run_tool(*load) if changed or not is_loaded else run_tool("launchctl", "kickstart", self._target)
        except BotError as error:
            raise by_hand(what, error.message.rstrip("."), [load]) from None
        if ran.code:
            raise by_hand(what, ran.why, [load])
        return Installed(changed, ())

    def uninstall(self) -> tuple[bool, tuple[str, ...]]:
        """Nothing that is not stopped is removed, unless there is no launchd that could run it."""
        if self._file.content is None:
            return False, ()
        notes: tuple[str, ...] = ()
        try:
            self._unload(f"{self.path} is still there, for the service could not be stopped")
        except BotError as error:
            if error.code != "no_tool":
                raise
            notes = ("There is no launchctl here, so nothing had to be stopped.",)
        self._file.remove()
        return True, notes

    def status(self) -> ServiceStatus:
        """As `launchctl print` tells it. It does not say since when."""
        try:
            is_installed = self._file.content is not None
            shown = run_tool("launchctl", "print", self._target)
        except BotError as error:
            return ServiceStatus(installed=self.path.is_file(), problem=str(error))
        if shown.code:
            return ServiceStatus(installed=is_installed, enabled=False, state="not loaded")
        state = re.search(r"^\s*state = (.+)$", shown.out, re.MULTILINE)
        pid = re.search(r"^\s*pid = (\d+)$", shown.out, re.MULTILINE)
        word = state[1].strip() if state else "unknown"
        return ServiceStatus(
            installed=is_installed,
            enabled=True,
            state=word,
            is_running=word == "running",
            pid=int(pid[1]) if pid else None,
        )

    def _unload(self, what: str) -> None:
        command = ("launchctl", "bootout", self._target)
        ran = run_tool(*command)
        if ran.code and not any(words in ran.err.lower() for words in _NOT_LOADED):
            raise by_hand(what, ran.why, [command])
