"""`remoteclaw gateway`: serve every enabled chat platform until told to stop."""

import argparse
import asyncio
import faulthandler
import os
import resource
import signal
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bot.cli import exit_codes
from bot.log import handle_loop_error, set_up_logging

if TYPE_CHECKING:
    from bot.config.settings import Settings
    from bot.paths import Paths


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """No flags: everything is in the config, so that a restart by a service manager is the same as one by hand."""
    parser.description = (
        "Serve every enabled chat platform until SIGTERM or Ctrl-C; a second signal stops at once. SIGHUP reloads."
    )


def run(args: argparse.Namespace) -> int:
    """0 after SIGTERM, 130 after Ctrl-C or a second signal. Raises BotError if nothing can be served."""
    from bot.environment import read_environment
    from bot.paths import Paths
    from bot.settings_wiring import open_settings

    paths = Paths.of(os.environ)
    settings, environ = open_settings(paths, read_environment())
    paths.create()
    file = None if settings.log.file is None else paths.state / Path(settings.log.file).expanduser()
    set_up_logging(settings.log.level, file=file, traces=True, form=settings.log.format)
    _leave_no_core()
    return asyncio.run(serve_installation(settings, paths, environ))


def _leave_no_core() -> None:
    """The core of a process holds its credentials in clear. Where a crash, or a watchdog's SIGABRT, has met it is shown instead:
    functions and lines, no values."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, resource.getrlimit(resource.RLIMIT_CORE)[1]))
    faulthandler.enable()


async def serve_installation(
    settings: "Settings", paths: "Paths", environ: Mapping[str, str], **replacements: Any
) -> int:
    """Serve the installation until a signal ends it, and return the exit code. `replacements` are those of `build_app`."""
    from bot.app import build_app
    from bot.environment import Environment, variable_files
    from bot.instance import only_instance
    from bot.ops.telling import tell_owners
    from bot.reloading import stays_current
    from bot.run import Operation, serve
    from bot.steady_clock import SteadyClock
    from core.sessions.key import DEFAULT_AGENT

    signals, clock = StopSignals(), SteadyClock()
    files = [paths.config, *variable_files(Environment.of(environ), paths)]
    files += [paths.models_file(agent) for agent in (DEFAULT_AGENT, *settings.agents.list)]
    with only_instance(paths.state):
        try:
            async with build_app(settings, paths, environ=environ, **{"clock": clock, **replacements}) as app:
                installation = app.installation
                operation = Operation(
                    stop=signals.asked,
                    environ=environ,
                    listen=settings.gateway.listen,
                    notes=lambda: (*installation.notes(), *clock.notes()),
                    tokens=installation.tokens,
                    reloaded=installation.reloaded,
                )
                answers = {"notify": lambda request: tell_owners(app, request)}
                async with stays_current(installation, paths.state, files, signals.hangup, answers):
                    await serve(app, operation)
        except asyncio.CancelledError:
            if not signals.insisted:
                raise
    return exit_codes.INTERRUPTED if signals.insisted or signals.first is signal.SIGINT else exit_codes.OK


class StopSignals:
    """Signals of the running task. SIGTERM and SIGINT: the first asks for an orderly end, the second cancels.

    SIGHUP sets `hangup`, a wish to reload; but where the terminal that the gateway was started in has gone, it is an end.
    """

    def __init__(self) -> None:
        self.asked = asyncio.Event()
        self.hangup = asyncio.Event()
        self.first: signal.Signals | None = None
        self.insisted = False
        task = asyncio.current_task()
        assert task is not None, "made inside the task that is to be stopped"
        self._task = task
        loop = asyncio.get_running_loop()
        loop.set_exception_handler(handle_loop_error)
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._receive, number)
        self._had_terminal = _has_terminal()
        loop.add_signal_handler(signal.SIGHUP, self._hang_up)

    def _hang_up(self) -> None:
        if self._had_terminal and not _has_terminal():
            self._receive(signal.SIGHUP)
        else:
            self.hangup.set()

    def _receive(self, number: signal.Signals) -> None:
        if self.first is None:
            self.first = number
            self.asked.set()
        elif not self.insisted:
            self.insisted = True
            self._task.cancel()


def _has_terminal() -> bool:
    """Whether the process has a controlling terminal that still works."""
    try:
        os.close(os.open("/dev/tty", os.O_RDONLY | os.O_NOCTTY))
    except OSError:
        return False
    return True
