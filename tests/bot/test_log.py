"""The log: readable lines, no secret in any of them, no traceback where nobody asked for one."""

import asyncio
import gc
import io
import json
import logging
import os
import re
import subprocess
import sys
import textwrap
import threading
import warnings
from collections.abc import Iterator
from pathlib import Path

import pytest

from bot.log import handle_loop_error, install_hooks, keeps_traces, learn_secrets, report, set_up_logging
from core.errors import BotError

SECRET = "sk-acme-canary-0123456789abcdefghij"
_LOUD = ("httpx", "httpcore", "aiohttp", "telegram", "telegram.ext.Updater", "discord", "discord.gateway")


@pytest.fixture(autouse=True)
def _as_before() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level, raising = list(root.handlers), root.level, logging.raiseExceptions
    hooks = (sys.excepthook, sys.unraisablehook, threading.excepthook)
    yield
    for handler in root.handlers:
        if handler not in handlers:
            handler.close()
    root.handlers[:] = handlers
    root.setLevel(level)
    logging.raiseExceptions = raising
    logging.captureWarnings(False)
    sys.excepthook, sys.unraisablehook, threading.excepthook = hooks


@pytest.fixture
def lines() -> io.StringIO:
    learn_secrets([SECRET])
    stream = io.StringIO()
    set_up_logging("debug", stream=stream, traces=True)
    return stream


def fail(message: str) -> None:
    raise ValueError(message)


def test_a_line_has_time_in_utc_level_and_origin(lines: io.StringIO):
    logging.getLogger("bot.somewhere").info("hello %s", "world")
    assert lines.getvalue().endswith("Z INFO bot.somewhere: hello world\n")


@pytest.mark.parametrize(
    "hostile", ["a\nFAKE INFO line", "a\r\x1b[2Jgone", "a\x85b", "a\u2028b", "a\x00b", "a\tb"], ids=repr
)
def test_what_somebody_else_has_written_stays_in_its_line_and_moves_no_cursor(lines: io.StringIO, hostile: str):
    logging.getLogger("bot.x").warning("it said: %s", hostile)
    (line,) = lines.getvalue().splitlines()
    assert line.endswith(f"bot.x: it said: {hostile.encode('unicode_escape').decode()}")


def test_a_traceback_keeps_its_lines_and_nothing_else_that_moves_a_cursor(lines: io.StringIO):
    try:
        fail("a\x1b[2Jb")
    except ValueError:
        logging.getLogger("bot.x").exception("oh")
    assert "\x1b" not in lines.getvalue()
    assert lines.getvalue().splitlines()[-1] == "ValueError: a\\x1b[2Jb"


def test_a_line_may_be_an_object_without_any_secret():
    learn_secrets([SECRET, 'qu"oted\\secret'])
    stream = io.StringIO()
    set_up_logging("info", stream=stream, traces=True, form="json")
    logging.getLogger("bot.x").info("hello\n%s and %s", SECRET, 'Bearer abcdefgh12345678\\"')
    try:
        fail('qu"oted\\secret')
    except ValueError:
        logging.getLogger("bot.y").exception("oh")
    first, second = (json.loads(line) for line in stream.getvalue().splitlines())
    assert (first["level"], first["logger"], set(first)) == ("info", "bot.x", {"time", "level", "logger", "message"})
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", first["time"])
    assert first["message"].startswith(r"hello\n*** and Bearer ***")
    assert (second["level"], second["message"]) == ("error", "oh")
    assert "in fail" in second["traceback"]
    assert second["traceback"].endswith("ValueError: ***")


@pytest.mark.parametrize("logger", ["bot.x", "third.party"])
def test_secrets_are_hidden_in_messages_arguments_and_tracebacks(lines: io.StringIO, logger: str):
    log = logging.getLogger(logger)
    log.warning("key %s in %r", SECRET, {"authorization": f"Bearer {SECRET}"})
    log.debug(f"already formatted {SECRET}", stack_info=True)
    try:
        fail(f"wrong key {SECRET}")
    except ValueError:
        log.exception("it failed")
    written = lines.getvalue()
    assert SECRET not in written
    assert written.count("***") >= 4
    assert "Traceback (most recent call last)" in written
    assert "ValueError: wrong key ***" in written


def test_a_secret_that_turns_up_later_is_hidden_from_then_on(lines: io.StringIO):
    learn_secrets(["token-that-was-just-rotated"])
    logging.getLogger("x").error("got token-that-was-just-rotated")
    assert "got ***" in lines.getvalue()


@pytest.mark.parametrize("traces", [True, False])
def test_a_formatted_traceback_is_not_left_on_the_record_for_other_handlers(traces: bool):
    set_up_logging(stream=io.StringIO(), traces=traces)
    own = logging.getLogger().handlers[-1]
    error = ValueError(SECRET)
    record = logging.LogRecord("x", logging.ERROR, "file", 1, "failed", None, (ValueError, error, None))
    own.handle(record)
    assert record.exc_text is None
    assert record.exc_info is not None
    assert record.getMessage() == "failed"


def test_without_traces_an_error_is_one_line_without_its_secret():
    learn_secrets([SECRET])
    stream = io.StringIO()
    set_up_logging("info", stream=stream, traces=False)
    try:
        fail(f"two\nlines {SECRET}")
    except ValueError as error:
        reference = report(error, "The turn")
    (line,) = stream.getvalue().splitlines()
    assert line.endswith(f"The turn failed unexpectedly, reference {reference} (ValueError: two lines ***)")


@pytest.mark.parametrize(("value", "traces"), [("1", True), ("0", False), ("", False)])
def test_tracebacks_can_be_asked_for_in_the_environment(monkeypatch: pytest.MonkeyPatch, value: str, traces: bool):
    monkeypatch.setenv("REMOTECLAW_DEBUG", value)
    set_up_logging(stream=io.StringIO())
    assert keeps_traces() is traces


@pytest.mark.parametrize("level", ["debug", "info", "warning", "error"])
@pytest.mark.parametrize("name", _LOUD)
def test_libraries_that_print_credentials_are_held_back_at_every_level(level: str, name: str):
    stream = io.StringIO()
    set_up_logging(level, stream=stream)
    logging.getLogger(name).info("HTTP Request: POST https://api.telegram.org/bot1:AA/getUpdates")
    logging.getLogger(name).debug("noise")
    assert stream.getvalue() == ""
    logging.getLogger(name).error("matters")
    assert "matters" in stream.getvalue()


def test_setting_it_up_again_replaces_the_handler():
    first, second = io.StringIO(), io.StringIO()
    set_up_logging(stream=first)
    set_up_logging(stream=second)
    logging.getLogger("x").error("once")
    assert first.getvalue() == ""
    assert second.getvalue().count("once") == 1


def test_a_log_file_is_for_this_user_only_and_keeps_traces(tmp_path: Path):
    path = tmp_path / "remoteclaw.log"
    set_up_logging("info", file=path)
    assert keeps_traces()
    try:
        fail("x")
    except ValueError as error:
        report(error, "It")
    assert path.stat().st_mode & 0o777 == 0o600
    assert "Traceback" in path.read_text()


def test_a_log_file_that_is_moved_away_is_made_anew_and_as_closed(tmp_path: Path):
    file = tmp_path / "a.log"
    set_up_logging("info", file=file)
    logging.getLogger("bot.x").info("first")
    file.rename(tmp_path / "a.log.1")
    logging.getLogger("bot.x").info("second")
    assert (tmp_path / "a.log.1").read_text().endswith("first\n")
    assert (file.read_text().count("\n"), file.stat().st_mode & 0o777) == (1, 0o600)


def test_a_log_file_that_others_could_read_is_closed(tmp_path: Path):
    file = tmp_path / "a.log"
    file.touch(0o666)
    file.chmod(0o666)
    set_up_logging("info", file=file)
    assert file.stat().st_mode & 0o777 == 0o600


def test_the_journal_is_told_how_much_each_line_matters(tmp_path: Path):
    program = """
        import logging
        from bot.log import set_up_logging
        set_up_logging("info", traces=True)
        logging.getLogger("bot.x").info("fine")
        try:
            1 / 0
        except ZeroDivisionError:
            logging.getLogger("bot.x").exception("oh")
    """
    lines = {}
    for name in ("journal", "other"):
        with (tmp_path / name).open("w+") as stream:
            found = os.fstat(stream.fileno())
            told = f"{found.st_dev}:{found.st_ino}" if name == "journal" else "1:1"
            environment = {**os.environ, "JOURNAL_STREAM": told}
            subprocess.run(
                [sys.executable, "-c", textwrap.dedent(program)], env=environment, stderr=stream, check=True, timeout=30
            )
            stream.seek(0)
            lines[name] = stream.read().splitlines()
    first, *rest = lines["journal"]
    assert first.startswith("<6>2")
    assert len(rest) > 2
    assert all(line.startswith("<3>") for line in rest)
    assert lines["other"][0].startswith("2")


def test_an_error_in_one_line_is_cut_after_its_secret_was_hidden():
    learn_secrets([SECRET])
    stream = io.StringIO()
    set_up_logging("info", stream=stream)
    try:
        fail("x" * 480 + SECRET)
    except ValueError:
        logging.getLogger("bot.x").exception("oh")
    assert SECRET[:6] not in stream.getvalue()


def test_a_log_file_that_cannot_be_written_is_told(tmp_path: Path):
    with pytest.raises(BotError, match="cannot be written") as caught:
        set_up_logging(file=tmp_path / "no" / "where.log")
    assert caught.value.code == "log_file"


def test_a_record_that_cannot_be_formatted_is_not_printed_past_the_formatter(lines: io.StringIO, capsys):
    logging.getLogger("x").error("%d", SECRET)
    captured = capsys.readouterr()
    assert SECRET not in captured.err + captured.out + lines.getvalue()


def test_warnings_go_to_the_log(lines: io.StringIO):
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        logging.captureWarnings(False)
        logging.captureWarnings(True)
        warnings.warn(f"about {SECRET}", stacklevel=1)
    assert "about ***" in lines.getvalue()


def test_what_a_thread_does_not_catch_goes_to_the_log(lines: io.StringIO, capsys):
    install_hooks()
    thread = threading.Thread(target=fail, args=(SECRET,), name="worker")
    thread.start()
    thread.join(5)
    assert "The thread worker failed unexpectedly, reference" in lines.getvalue()
    assert SECRET not in lines.getvalue() + capsys.readouterr().err


def test_what_a_finaliser_does_not_catch_goes_to_the_log(lines: io.StringIO, capsys):
    install_hooks()

    class Fragile:
        def __del__(self) -> None:
            fail(SECRET)

    Fragile()
    gc.collect()
    assert "Cleaning up failed unexpectedly" in lines.getvalue()
    assert SECRET not in lines.getvalue() + capsys.readouterr().err


async def test_what_a_forgotten_task_does_not_catch_goes_to_the_log(lines: io.StringIO, capsys):
    loop = asyncio.get_running_loop()
    loop.set_exception_handler(handle_loop_error)
    loop.call_soon(fail, SECRET)
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    loop.set_exception_handler(None)
    handle_loop_error(loop, {"message": f"only words with {SECRET}"})
    assert "ValueError: ***" in lines.getvalue()
    assert "only words with ***" in lines.getvalue()
    assert SECRET not in lines.getvalue() + capsys.readouterr().err


@pytest.mark.parametrize("debug", ["", "1"])
def test_a_program_that_dies_of_an_error_shows_no_secret(debug: str):
    program = f"""
        from bot.log import install_hooks, learn_secrets, set_up_logging
        learn_secrets(["{SECRET}"]); set_up_logging(); install_hooks()
        raise RuntimeError("died of {SECRET}")
    """
    ended = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(program)],
        capture_output=True,
        text=True,
        env={"REMOTECLAW_DEBUG": debug, "PYTHONPATH": ":".join(sys.path)},
        timeout=30,
    )
    assert ended.returncode == 1
    assert SECRET not in ended.stderr
    assert "The program failed unexpectedly, reference" in ended.stderr
    assert ("Traceback" in ended.stderr) is bool(debug)
