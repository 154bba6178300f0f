"""How a unit stands, from what `systemctl show` and the journal tell."""

from datetime import UTC, datetime

from bot.ops.service_manager import ServiceStatus, failure
from bot.ops.tool import run_tool
from core.errors import BotError

PROPERTIES = (
    "ActiveState", "SubState", "UnitFileState", "MainPID", "NRestarts", "ActiveEnterTimestamp",
    "Result", "ExecMainStatus", "ExecMainStartTimestamp",
)  # fmt: skip


def status_of(shown: str, is_installed: bool, journal: tuple[str, ...]) -> ServiceStatus:
    """From the lines of `systemctl show`. `journal` is the command that prints the last line which
    the service has written to the journal."""
    found = dict(line.partition("=")[::2] for line in shown.splitlines())
    state = found.get("ActiveState", "unknown")
    waits = found.get("SubState") == "auto-restart"
    runs = state in ("active", "reloading")
    return ServiceStatus(
        installed=is_installed,
        enabled=found.get("UnitFileState") == "enabled" if is_installed else None,
        state="waiting to be started anew" if waits else state,
        is_running=runs,
        since=_moment(found.get("ActiveEnterTimestamp", "")) if runs else None,
        pid=_number(found.get("MainPID", "")) or None,
        restarts=_number(found.get("NRestarts", "")),
        failure=_failure(found, journal) if waits or state == "failed" else "",
    )


def _failure(found: dict[str, str], journal: tuple[str, ...]) -> str:
    result, code = found.get("Result", "unknown"), found.get("ExecMainStatus", "")
    if result != "exit-code":  # it was ended, and did not choose its last words
        return f"{result} {code}" if code and result in ("signal", "core-dump") else result
    how, began = f"exit code {code}", found.get("ExecMainStartTimestamp", "")
    try:
        return failure(how, run_tool(*journal, *(("--since", began) if _moment(began) else ())).out)
    except BotError:
        return how  # there is no journal here


def _moment(text: str) -> datetime | None:
    """`Wed 2025-11-19 10:00:00 UTC`, which is how systemctl writes it where TZ says UTC."""
    try:
        return datetime.strptime(text, "%a %Y-%m-%d %H:%M:%S UTC").replace(tzinfo=UTC)
    except ValueError:
        return None


def _number(text: str) -> int | None:
    return int(text) if text.isascii() and text.isdecimal() else None
