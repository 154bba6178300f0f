"""`remoteclaw`: finds the command, loads its module and nothing else, and is the last error boundary.

`--help` must answer at once, so this module imports next to nothing; each noun has a module with `add_arguments(parser)` and
`run(args) -> exit code`, imported only when its command runs.
"""

import argparse
import atexit
import gc
import sys
from collections.abc import Callable, Sequence
from importlib import import_module
from typing import Protocol, cast

from bot.cli import exit_codes
from bot.cli.parsers import Parser

NOUNS = {
    "onboard": ("bot.cli.onboard", "set everything up, question by question"),
    "chat": ("bot.cli.chat", "chat here, or send messages from a script"),
    "gateway": ("bot.cli.gateway", "serve the chat platforms"),
    "models": ("bot.cli.models", "models, credentials and their state"),
    "secrets": ("bot.cli.secret_verbs", "where secrets come from, and whether any lies about"),
    "sessions": ("bot.cli.sessions", "conversations: what serves them, and what they have cost"),
    "config": ("bot.cli.config", "look at the configuration, and change it"),
    "service": ("bot.cli.service", "run the gateway as a service"),
    "notify": ("bot.cli.notify", "tell the owners something in their chats"),
    "pairing": ("bot.cli.pairing", "who asks to be let in, and who is"),
    "db": ("bot.cli.db", "the database and its migrations"),
    "doctor": ("bot.cli.doctor", "find what is wrong, and repair it"),
    "demo": ("bot.cli.demo", "try it: no key, no account, no network"),
}
_LASTING = ("chat", "gateway", "demo")
_UNPREPARED = ("demo", "doctor", "service")
"""The demo is an installation of its own; the others must also begin where the files of variables cannot be used."""
_SILENT = ("gateway",)
"""Commands that print no result: they run without a standard output."""


class _Noun(Protocol):
    """A module of a command."""

    def add_arguments(self, parser: argparse.ArgumentParser) -> None: ...

    def run(self, args: argparse.Namespace) -> int: ...


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command and return its exit code: 0 done, 1 failed, 2 wrong usage, 130 interrupted.

    `argv` None: the command line, and the process ends with the command.
    """
    if argv is None:
        # It gives everything back when it ends. To look for garbage before, and then once more among all that was loaded, would
        # be a fifth of `models status`.
        gc.disable()
        atexit.register(gc.freeze)
    arguments = list(sys.argv[1:] if argv is None else argv)
    if not arguments:
        _parser(None).print_help(sys.stderr)
        return exit_codes.USAGE
    try:
        code = _guarded(lambda: _run(arguments))
        code = _guarded(_deliver) or code
    except BrokenPipeError:
        # Whoever read the output has seen enough.
        from bot.cli.output import forget_stdout

        forget_stdout()
        return exit_codes.OK
    except KeyboardInterrupt:
        return exit_codes.INTERRUPTED
    return code


def _guarded(step: Callable[[], int]) -> int:
    from core.errors import BotError

    try:
        return step()
    except BotError as error:
        return _failed(str(error))
    except SystemExit as ended:  # argparse: after --help, or for wrong usage
        return ended.code if isinstance(ended.code, int) else exit_codes.OK
    except BrokenPipeError:
        raise
    except OSError as error:
        from bot.cli.output import is_lost_output

        return (
            _failed(f"The output cannot be written: {error.strerror}.") if is_lost_output(error) else _unexpected(error)
        )
    except Exception as error:
        return _unexpected(error)


def _deliver() -> int:
    """What is still on its way to standard output."""
    if sys.stdout is not None:
        sys.stdout.flush()
    return exit_codes.OK


def _run(arguments: list[str]) -> int:
    noun = arguments[0] if arguments[0] in NOUNS else None
    if noun is None:
        # Only --help, --version and mistakes are left, and argparse ends the program for each.
        _parser(None).parse_args(arguments)
        return exit_codes.USAGE
    from bot.cli.output import check_stdout, prepare_streams

    if noun not in _SILENT:
        check_stdout()
    prepare_streams()
    module = cast(_Noun, import_module(NOUNS[noun][0]))
    args = _parser(noun, module).parse_args(arguments)
    _prepare(own_installation=noun not in _UNPREPARED)
    if noun in _LASTING:
        gc.enable()
    return module.run(args)


def _prepare(own_installation: bool) -> None:
    """The environment and the log, before a command begins."""
    from bot.log import install_hooks, set_up_logging

    set_up_logging()
    install_hooks()
    if own_installation:
        from bot.environment import prepare_process

        prepare_process()


def _parser(noun: str | None, module: _Noun | None = None) -> argparse.ArgumentParser:
    parser = Parser(
        prog="remoteclaw",
        description="A chat gateway where every session knows which model and which credential serves it.",
        epilog="Each command explains itself: remoteclaw <command> --help",
    )
    parser.add_argument("--version", action=_Version, nargs=0, help="show the version and exit")
    commands = parser.add_subparsers(metavar="<command>", required=True)
    for name in NOUNS if noun is None else (noun,):
        purpose = NOUNS[name][1]
        command = commands.add_parser(name, help=purpose, description=f"{purpose[0].upper()}{purpose[1:]}.")
        if module is not None:
            module.add_arguments(command)
    return parser


class _Version(argparse.Action):
    """Looks the version up only when it is asked for."""

    def __call__(self, parser: argparse.ArgumentParser, *_: object) -> None:
        from importlib.metadata import version

        from bot.cli.output import check_stdout, say

        check_stdout()
        say(f"remoteclaw {version('remoteclaw')}")
        parser.exit()


def _failed(sentence: str) -> int:
    from bot.cli.output import complain

    complain(sentence)
    return exit_codes.FAILED


def _unexpected(error: Exception) -> int:
    """One sentence. The traceback is in the log where the log keeps them, and here with REMOTECLAW_DEBUG=1."""
    from bot.log import keeps_traces, new_reference, report

    if keeps_traces():
        reference, where = report(error, "The command"), "The log has the details."
    else:
        reference, where = new_reference(), "REMOTECLAW_DEBUG=1 shows where it happened."
    return _failed(f"An unexpected error ended the command: {type(error).__name__}, reference {reference}. {where}")
