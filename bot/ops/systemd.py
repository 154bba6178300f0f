"""The gateway as a service of systemd: of the user's own manager, or of the system's."""

import os
import pwd
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

from bot.ops.service_file import ServiceFile
from bot.ops.service_manager import Installed, ServiceStatus, by_hand
from bot.ops.service_plan import ServicePlan
from bot.ops.systemd_unit import is_ours, state_of, unit_text, written
from bot.ops.tool import Ran, run_tool
from core.errors import BotError

_SYSTEM = Path("/etc/systemd/system")
_NO_BUS = ("connect to bus", "system has not been booted")
_LOG_IN = (
    "A user's manager runs while that user is logged in (by ssh or at the console, not by su), or always after "
    "`loginctl enable-linger`."
)
_PROPERTIES = ("LoadState", "ActiveState", "UnitFileState", "MainPID", "NRestarts", "ActiveEnterTimestamp")


class Systemd:
    """`bot.ops.service_manager.ServiceManager`. `owner` None: a unit of the user; else of the system, running as this user."""

    def __init__(self, plan: ServicePlan, owner: str | None, config_home: Path) -> None:
        self.title = "systemd (user)" if owner is None else "systemd (system)"
        self.path = (config_home / "systemd" / "user" if owner is None else _SYSTEM) / f"{plan.name}.service"
        self._plan = plan
        self._owner = owner
        self._unit = f"{plan.name}.service"
        self._file = ServiceFile(
            self.path,
            lambda content: is_ours(content.decode(errors="replace")),
            lambda content: state_of(content.decode(errors="replace")),
            written(str(plan.state)),
        )

    def content(self) -> bytes:
        """The unit."""
        return unit_text(self._plan, self._owner).encode()

    def install(self, start: bool) -> Installed:
        """Daemon-reload, enable, and a start; a restart only where the unit has changed."""
        changed = self._file.put(self.content())
        verb = "restart" if changed or self._runs_older() else "start"
        steps = [("daemon-reload",), ("enable", self._unit), *([(verb, self._unit)] if start else [])]
        for n, step in enumerate(steps):
            self._take(step, steps[n:], f"The unit is written ({self.path}), but {' '.join(step)} did not succeed")
        return Installed(changed, (*self._lingering(), *self._credentials()))

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

    def status(self) -> ServiceStatus:
        """As `systemctl show` tells it."""
        try:
            is_installed = self._file.content is not None
            shown = run_tool(*self._systemctl("show", self._unit, f"--property={','.join(_PROPERTIES)}"))
        except BotError as error:
            return ServiceStatus(installed=self.path.is_file(), problem=str(error))
        if shown.code:
            return ServiceStatus(installed=is_installed, problem=f"systemctl cannot tell: {shown.why}.")
        found = dict(line.partition("=")[::2] for line in shown.out.splitlines())
        state = found.get("ActiveState", "unknown")
        return ServiceStatus(
            installed=is_installed,
            enabled=found.get("UnitFileState") == "enabled" if is_installed else None,
            state=state,
            is_running=state in ("active", "reloading"),
            since=_moment(found.get("ActiveEnterTimestamp", "")) if state in ("active", "reloading") else None,
            pid=_number(found.get("MainPID", "")) or None,
            restarts=_number(found.get("NRestarts", "")),
        )

    def _runs_older(self) -> bool:
        """Whether the manager has not read the unit since it was written: an earlier installation did not come so far."""
        try:
            asked = run_tool(*self._systemctl("show", self._unit, "--property=NeedDaemonReload"))
        except BotError:
            return False
        return asked.out.strip() == "NeedDaemonReload=yes"

    def _systemctl(self, *arguments: str) -> tuple[str, ...]:
        return ("systemctl", *(("--user",) if self._owner is None else ()), *arguments)

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
        if any(words in ran.err.lower() for words in _NO_BUS):
            raise by_hand(what, ran.why, commands, _LOG_IN if self._owner is None else "")
        if step[0] in ("start", "restart"):
            look = f"journalctl {'--user ' if self._owner is None else ''}-u {self._plan.name} -n 30"
            raise BotError("service", f"{what}: {ran.why}.", f"Its log says why: {look}")
        raise by_hand(what, ran.why, commands)

    def _credentials(self) -> tuple[str, ...]:
        """Where the gateway finds what it is handed over. A unit of the system gets files that root owns."""
        folder = "/run/credentials" if self._owner is not None else f"/run/user/{os.getuid()}/credentials"
        more = " and allow_insecure_path = true" if self._owner is not None else ""
        return tuple(
            f'{name} is read by a provider of secrets with source = "file", mode = "single_value"{more} and '
            f'path = "{folder}/{self._unit}/{name}"'
            for name, _ in self._plan.credentials
        )

    def _lingering(self) -> tuple[str, ...]:
        if self._owner is not None:
            return ()
        user = pwd.getpwuid(os.getuid()).pw_name
        try:
            asked = run_tool("loginctl", "show-user", user, "--property=Linger", "--value")
        except BotError:
            return ()
        if asked.code == 0 and asked.out.strip() == "no":
            return (f"It ends when you log out. So that it does not, run: loginctl enable-linger {user}",)
        return ()


def _moment(text: str) -> datetime | None:
    """`Wed 2025-11-19 10:00:00 UTC`, which is how systemctl writes it where TZ says UTC."""
    try:
        return datetime.strptime(text, "%a %Y-%m-%d %H:%M:%S UTC").replace(tzinfo=UTC)
    except ValueError:
        return None


def _number(text: str) -> int | None:
    return int(text) if text.isascii() and text.isdecimal() else None
