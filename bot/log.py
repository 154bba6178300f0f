"""The process's log: one root handler, everything redacted by value, libraries that print credentials held back.

Lines go to standard error, or to a file that only this user can read, as text or as JSON. Tracebacks are kept where somebody
looks for them: in a file, in the log of a service (`traces=True`), or with REMOTECLAW_DEBUG=1; elsewhere an error is one line
with a reference.
"""

import copy
import json
import logging
import os
import re
import stat
import sys
import threading
import time
from collections.abc import Iterable
from io import TextIOWrapper
from logging.handlers import WatchedFileHandler
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, TextIO

from bot.redaction import Redactor
from core.errors import BotError

if TYPE_CHECKING:
    import asyncio

DEBUG = "REMOTECLAW_DEBUG"
_TALKATIVE = ("httpx", "httpcore", "aiohttp", "telegram", "discord", "asyncio", "sqlalchemy", "alembic", "urllib3")
"""They log at INFO or DEBUG what holds credentials (Telegram's token is part of every URL), or every poll."""
_FORMAT = "%(asctime)s %(levelname)s %(name)s: %(message)s"
_CONTROLS = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029]")
_BREAKS = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")
"""What a message may not have: somebody's text could pass for a line of its own."""

_PRIORITIES = (
    (logging.CRITICAL, "<2>"), (logging.ERROR, "<3>"), (logging.WARNING, "<4>"), (logging.INFO, "<6>"), (0, "<7>"),
)  # fmt: skip
"""What the journal of systemd reads from the beginning of a line: `journalctl -p warning` (sd-daemon(3))."""

_log = logging.getLogger(__name__)
_redactor = Redactor()
"""One for the process, as the root logger and the exception hooks are."""


def redact(text: str) -> str:
    """A text without anything confidential that the process knows of."""
    return _redactor.redact(text)


def redact_known(text: str) -> str:
    """A text without the values that the process knows to be confidential; what only looks so stays."""
    return _redactor.redact_known(text)


def learn_secrets(values: Iterable[str]) -> None:
    """Hide these from now on, in logs, errors and tracebacks."""
    _redactor.learn(values)


class _RedactedLines(logging.Formatter):
    """Redacts the finished text, so message, arguments, traceback and stack alike. A message is one line, whatever somebody has
    put into it, and nothing of a record moves the cursor of a terminal."""

    converter = staticmethod(time.gmtime)
    default_time_format = "%Y-%m-%dT%H:%M:%S"
    default_msec_format = "%s.%03dZ"

    def __init__(self, traces: bool, to_journal: bool = False) -> None:
        super().__init__(_FORMAT)
        self.traces = traces
        self._to_journal = to_journal

    def format(self, record: logging.LogRecord) -> str:
        # A copy: the formatted traceback would stay on the record, unredacted, for whoever comes next.
        record = copy.copy(record)
        message = record.getMessage()
        if record.exc_info and not self.traces:
            message = f"{message} ({_in_one_line(record.exc_info[1])})"
            record.exc_info = record.exc_text = record.stack_info = None
        record.msg, record.args = _BREAKS.sub(_escaped, message), None
        if not self._to_journal:
            return self.written(record)
        priority = next(word for level, word in _PRIORITIES if record.levelno >= level)
        return "\n".join(priority + line for line in self.written(record).splitlines())

    def written(self, record: logging.LogRecord) -> str:
        """The line of a record that is ready, with its traceback below."""
        return _CONTROLS.sub(_escaped, redact(super().format(record)))


class _RedactedObjects(_RedactedLines):
    """The same as one JSON object a line, for programs that collect logs."""

    def written(self, record: logging.LogRecord) -> str:
        """Each text is redacted by itself, so that what remains is JSON in any case."""
        told = {
            "time": self.formatTime(record),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": redact(str(record.msg)),
        }
        if record.exc_info:
            told["traceback"] = redact(self.formatException(record.exc_info))
        if record.stack_info:
            told["stack"] = redact(self.formatStack(record.stack_info))
        return json.dumps(told)


_FORMATTERS = {"text": _RedactedLines, "json": _RedactedObjects}


def _escaped(found: re.Match[str]) -> str:
    return found[0].encode("unicode_escape").decode()


def _in_one_line(error: BaseException | None) -> str:
    return redact(" ".join(f"{type(error).__name__}: {error}".split()))[:500]


def set_up_logging(
    level: str = "warning",
    *,
    file: Path | None = None,
    traces: bool | None = None,
    stream: TextIO | None = None,
    form: str = "text",
) -> None:
    """Make the root logger write to `file`, else to `stream`, else to standard error. `form` is "text" or "json". May be called
    again.

    `traces` None: as REMOTECLAW_DEBUG says; a file always gets them. Raises BotError if the file cannot be written.
    """
    wanted = (traces if traces is not None else is_debugging()) or file is not None
    handler = _file_handler(file) if file is not None else logging.StreamHandler(stream or sys.stderr)
    handler.setFormatter(_FORMATTERS[form](wanted, file is None and stream is None and _is_journal()))
    root = logging.getLogger()
    for old in list(root.handlers):
        if isinstance(old.formatter, _RedactedLines):
            root.removeHandler(old)
            old.close()
    root.addHandler(handler)
    root.setLevel(level.upper())
    for name in _TALKATIVE:
        logging.getLogger(name).setLevel(max(logging.WARNING, root.level))
    # A failing handler would print the record, arguments and all, past every formatter.
    logging.raiseExceptions = False
    logging.captureWarnings(True)


def _is_journal() -> bool:
    """Whether standard error is a stream of the journal (systemd.exec(5), JOURNAL_STREAM)."""
    try:
        found = os.fstat(2)
    except OSError:
        return False
    return os.environ.get("JOURNAL_STREAM") == f"{found.st_dev}:{found.st_ino}"


def keeps_traces() -> bool:
    """Whether an error that is reported now leaves its traceback in the log."""
    formatters = (handler.formatter for handler in logging.getLogger().handlers)
    return any(isinstance(lines, _RedactedLines) and lines.traces for lines in formatters)


def is_debugging() -> bool:
    """Whether tracebacks were asked for."""
    return os.environ.get(DEBUG, "").strip().lower() not in ("", "0", "false", "no")


class _PrivateFile(WatchedFileHandler):
    """Appends to a file that only this user can read. One that was moved away is made anew, as log rotation expects."""

    def _open(self) -> TextIOWrapper:
        return open(self.baseFilename, "a", encoding="utf-8", errors="backslashreplace", opener=_open_private)


def _open_private(path: str, flags: int) -> int:
    handle = os.open(path, flags | os.O_CLOEXEC, 0o600)
    found = os.fstat(handle)
    if stat.S_ISREG(found.st_mode) and found.st_uid == os.geteuid() and found.st_mode & 0o077:
        os.fchmod(handle, 0o600)
    return handle


def _file_handler(path: Path) -> logging.Handler:
    try:
        return _PrivateFile(path)
    except OSError as error:
        raise BotError(
            "log_file",
            f"The log file {path} cannot be written: {error.strerror or 'unknown reason'}.",
            "Change log.file in the configuration.",
        ) from error


def new_reference() -> str:
    """What a person quotes to find an error in the log."""
    return os.urandom(4).hex()


def report(error: BaseException, doing: str) -> str:
    """Log an error that nobody expected and return the reference under which it stands in the log."""
    reference = new_reference()
    _log.error("%s failed unexpectedly, reference %s", doing, reference, exc_info=error)
    return reference


def install_hooks() -> None:
    """Send what nobody catches to the log instead of to standard error as it is. For asyncio see `handle_loop_error`."""
    sys.excepthook = _on_exception
    sys.unraisablehook = _on_unraisable
    threading.excepthook = _on_thread_exception


def _on_exception(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    if not issubclass(kind, KeyboardInterrupt):
        report(error, "The program")


def _on_unraisable(raised: "sys.UnraisableHookArgs") -> None:
    if raised.exc_value is not None:
        report(raised.exc_value, "Cleaning up")


def _on_thread_exception(raised: threading.ExceptHookArgs) -> None:
    if raised.exc_value is not None and raised.exc_type is not SystemExit:
        report(raised.exc_value, f"The thread {raised.thread.name if raised.thread else '?'}")


def handle_loop_error(loop: "asyncio.AbstractEventLoop", context: dict[str, Any]) -> None:
    """For `loop.set_exception_handler`: errors of tasks that nobody waits for."""
    error = context.get("exception")
    doing = str(context.get("message") or "A background task")
    if isinstance(error, BaseException):
        report(error, doing)
    else:
        _log.error("%s", doing)
