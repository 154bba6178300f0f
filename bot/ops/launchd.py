"""The gateway as an agent of launchd."""

import os
import re
import time
from pathlib import Path

from bot.ops.launch_agent import LOG, agent_bytes, is_ours, state_of
from bot.ops.service_file import ServiceFile
from bot.ops.service_manager import Installed, ServiceStatus, by_hand, failure, not_installed
from bot.ops.service_plan import ServicePlan
from bot.ops.tool import run_tool, show_tool
from core.errors import BotError

_NOT_LOADED = ("could not find", "no such process", "not find service")
_UNDER_WAY = 36
"""EINPROGRESS: what launchctl ends with when the agent takes its time to stop."""
_TOO_EARLY = (5, 37)
"""EIO and EALREADY: what it ends with while launchd has not yet let go of the agent of before."""
_STOP_SECONDS = 85
"""A little longer than launchd gives the gateway (`ExitTimeOut`)."""
_LOAD_SECONDS = 15
_PAUSE = 0.25


class Launchd:
    """`bot.ops.service_manager.ServiceManager`, of the user who is logged in."""

    title = "launchd"

    def __init__(self, name: str, state: Path, home: Path) -> None:
        self.path = home / "Library" / "LaunchAgents" / f"{name}.plist"
        self._log = state / LOG
        self.log_hint = f"tail -n 30 {self._log}"
        self._domain = f"gui/{os.getuid()}"
        self._target = f"{self._domain}/{name}"
        self._load = ("launchctl", "bootstrap", self._domain, str(self.path))
        self._file = ServiceFile(self.path, is_ours, state_of, str(state))

    def content(self, plan: ServicePlan) -> bytes:
        """The property list."""
        return agent_bytes(plan)

    def install(self, plan: ServicePlan, start: bool) -> Installed:
        """Bootstrap it; what is loaded already is taken out first. Without `start` launchd starts it at the next login, for it
        starts what it loads."""
        changed = self._file.put(agent_bytes(plan))
        if not start:
            return Installed(changed, ("launchd starts it at the next login.",))
        self._start_anew(f"The agent is written ({self.path}), but launchd has not taken it")
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

    def restart(self) -> None:
        """Take it out and bootstrap it, which gives it the time to end in order that `kickstart -k` does not."""
        if self._file.content is None:
            raise not_installed(self.path)
        self._start_anew("The service was not started anew")

    def status(self) -> ServiceStatus:
        """As `launchctl print` tells it. It does not say since when."""
        try:
            is_installed = self._file.content is not None
            shown = run_tool("launchctl", "print", self._target)
        except BotError as error:
            return ServiceStatus(installed=self.path.is_file(), problem=str(error))
        if shown.code:
            return ServiceStatus(installed=is_installed, enabled=False, state="not loaded")
        state = _value("state", shown.out) or "unknown"
        pid, code = _value("pid", shown.out), _value("last exit code", shown.out)
        has_failed = state != "running" and re.match(r"-?[1-9]", code) is not None
        return ServiceStatus(
            installed=is_installed,
            enabled=True,
            state=state,
            is_running=state == "running",
            pid=int(pid) if pid.isascii() and pid.isdecimal() else None,
            failure=failure(f"exit code {code}", self._end_of_log()) if has_failed else "",
        )

    def show_log(self, follow: bool) -> int:
        """The end of its file; launchd keeps no journal."""
        return show_tool("tail", "-n", "100", *(["-F"] if follow else []), str(self._log))

    def _start_anew(self, what: str) -> None:
        try:
            self._unload(what)
            until = time.monotonic() + _LOAD_SECONDS
            ran = run_tool(*self._load)
            while ran.code in _TOO_EARLY and time.monotonic() < until:
                time.sleep(_PAUSE)
                ran = run_tool(*self._load)
        except BotError as error:
            if error.code != "no_tool":
                raise
            raise by_hand(what, error.message.rstrip("."), [self._load]) from None
        if ran.code:
            raise by_hand(what, ran.why, [self._load])

    def _unload(self, what: str) -> None:
        """Take it out, and wait until launchd knows it no more."""
        command = ("launchctl", "bootout", self._target)
        ran = run_tool(*command)
        if ran.code not in (0, _UNDER_WAY) and not any(words in ran.err.lower() for words in _NOT_LOADED):
            raise by_hand(what, ran.why, [command])
        until = time.monotonic() + _STOP_SECONDS
        while run_tool("launchctl", "print", self._target).code == 0:
            if time.monotonic() > until:
                raise by_hand(what, f"it has not stopped within {_STOP_SECONDS} s", [command])
            time.sleep(_PAUSE)

    def _end_of_log(self) -> str:
        try:
            with self._log.open("rb") as file:
                file.seek(max(0, self._log.stat().st_size - 4096))
                return file.read().decode(errors="replace")
        except OSError:
            return ""


def _value(name: str, shown: str) -> str:
    found = re.search(rf"^\s*{name} = (.+)$", shown, re.MULTILINE)
    return found[1].strip() if found else ""
