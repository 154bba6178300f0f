"""The gateway as a service of systemd: of the user's own manager, or of the system's."""

import os
import pwd
import re
from contextlib import suppress
from pathlib import Path

from bot.ops.service_file import ServiceFile
from bot.ops.service_manager import Installed, ServiceStatus, by_hand, not_installed
from bot.ops.service_plan import ServicePlan
from bot.ops.systemd_status import PROPERTIES, status_of
from bot.ops.systemd_unit import is_ours, kept_of, state_of, unit_text, written
from bot.ops.tool import Ran, run_tool, show_tool
from core.errors import BotError

_SYSTEM = Path("/etc/systemd/system")
_NO_BUS = re.compile(r"connect to .*\bbus\b|system has not been booted", re.IGNORECASE)
_LOG_IN = (
    "A user's manager runs while that user is logged in (by ssh or at the console, not by su), or always after "
    "`loginctl enable-linger`."
)


class Systemd:
    """`bot.ops.service_manager.ServiceManager`. `config_home` None: a unit of the system; else of the user whose it is."""

    def __init__(self, name: str, state: Path, config_home: Path | None) -> None:
        self.title = "systemd (system)" if config_home is None else "systemd (user)"
        self.path = (_SYSTEM if config_home is None else config_home / "systemd" / "user") / f"{name}.service"
        self._is_system = config_home is None
        self._scope = () if self._is_system else ("--user",)
        self._unit = f"{name}.service"
        # `--user -u` would only look into files of one's own, which there are not where the journal is kept in memory.
        self._journal = ("journalctl", "-u" if self._is_system else "--user-unit", name)
        self.log_hint = " ".join((*self._journal, "-n", "30"))
        self._last_line = (*self._journal, "-t", name, "-r", "-n", "1", "-o", "cat", "--no-pager")
        self._file = ServiceFile(
            self.path,
            lambda content: is_ours(content.decode(errors="replace")),
            lambda content: state_of(content.decode(errors="replace")),
            written(str(state)),
        )

    def content(self, plan: ServicePlan) -> bytes:
        """The unit."""
        return unit_text(self._whole(plan)).encode()

    def install(self, plan: ServicePlan, start: bool) -> Installed:
        """Daemon-reload, enable, and a restart."""
        whole = self._whole(plan)
        changed = self._file.put(unit_text(whole).encode())
        steps = [("daemon-reload",), ("enable", self._unit), *([("restart", self._unit)] if start else [])]
        for n, step in enumerate(steps):
            self._take(step, steps[n:], f"The unit is written ({self.path}), but {' '.join(step)} did not succeed")
        return Installed(changed, (*_kept(plan, whole), *self._lingering(), *self._credentials(whole)))

    def uninstall(self) -> tuple[bool, tuple[str, ...]]:
        """Nothing that is not stopped is removed, unless there is no systemd that could run it."""
        if self._file.content is None:
            return False, ()
        notes: tuple[str, ...] = ()
        step = ("disable", "--now", self._unit)
        try:
            self._take(step, [step], f"{self.path} is still there, for the service could not be stopped")
        except BotError as error:
            if error.code != "no_tool":
                raise
            notes = ("There is no systemctl here, so nothing had to be stopped.",)
        self._file.remove()
        with suppress(BotError):
            run_tool(*self._systemctl("daemon-reload"))
        return True, notes

    def restart(self) -> None:
        """By systemctl."""
        if self._file.content is None:
            raise not_installed(self.path)
        step = ("restart", self._unit)
        self._take(step, [step], "The service was not started anew")

    def status(self) -> ServiceStatus:
        """As `systemctl show` tells it."""
        try:
            is_installed = self._file.content is not None
            shown = run_tool(*self._systemctl("show", self._unit, f"--property={','.join(PROPERTIES)}"))
        except BotError as error:
            return ServiceStatus(installed=self.path.is_file(), problem=str(error))
        if shown.code:
            return ServiceStatus(installed=is_installed, problem=f"systemctl cannot tell: {shown.why}.")
        return status_of(shown.out, is_installed, self._last_line)

    def show_log(self, follow: bool) -> int:
        """From the journal."""
        return show_tool(*self._journal, "-n", "100", "--no-pager", *(["-f"] if follow else []))

    def _whole(self, plan: ServicePlan) -> ServicePlan:
        """With what the unit that is there was told."""
        there = self._file.content
        return plan if there is None else plan.keeping(*kept_of(there.decode(errors="replace")))

    def _systemctl(self, *arguments: str) -> tuple[str, ...]:
        return ("systemctl", *self._scope, *arguments)

    def _take(self, step: tuple[str, ...], left: list[tuple[str, ...]], what: str) -> None:
        """Take one step. Raises BotError that names those that are left."""
        commands = [self._systemctl(*arguments) for arguments in left]
        try:
            ran: Ran = run_tool(*self._systemctl(*step))
        except BotError as error:
            told = by_hand(what, error.message.rstrip("."), commands)
            raise BotError("no_tool", told.message, told.hint) from None
        if not ran.code:
            return
        if _NO_BUS.search(ran.err):
            raise by_hand(what, ran.why, commands, "" if self._is_system else _LOG_IN)
        if step[0] in ("start", "restart"):
            why = self.status().failure or ran.why
            raise BotError("service", f"{what}: {why.rstrip('.')}.", f"It is tried again. Its log: {self.log_hint}")
        raise by_hand(what, ran.why, commands)

    def _credentials(self, plan: ServicePlan) -> tuple[str, ...]:
        """Where the gateway finds what it is handed over. A unit of the system gets files that root owns."""
        folder = "/run/credentials" if self._is_system else f"/run/user/{os.getuid()}/credentials"
        more = " and allow_insecure_path = true" if self._is_system else ""
        return tuple(
            f'{name} is read by a provider of secrets with source = "file", mode = "single_value"{more} and '
            f'path = "{folder}/{self._unit}/{name}"'
            for name, _ in plan.credentials
        )

    def _lingering(self) -> tuple[str, ...]:
        if self._is_system:
            return ()
        user = pwd.getpwuid(os.getuid()).pw_name
        try:
            asked = run_tool("loginctl", "show-user", user, "--property=Linger", "--value")
        except BotError:
            return ()
        if asked.code == 0 and asked.out.strip() == "no":
            return (f"It ends when you log out. So that it does not, run: loginctl enable-linger {user}",)
        return ()


def _kept(plan: ServicePlan, whole: ServicePlan) -> tuple[str, ...]:
    kept = [f"--credential {name}={path}" for name, path in whole.credentials if (name, path) not in plan.credentials]
    kept += [f"--read-write {place}" for place in whole.granted if place not in plan.granted]
    return (f"Kept from before: {' '.join(kept)}. To be rid of it, uninstall first.",) if kept else ()
