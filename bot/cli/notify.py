"""`remoteclaw notify`: a sentence of the host to the owners, in their private chats, by the gateway that runs."""

import argparse
import os
import sys

from bot.cli import exit_codes
from bot.cli.output import complain, say, say_json

_SECONDS = 30.0
_LONGEST = 64 * 1024


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """TEXT, --once, --json."""
    parser.add_argument("text", metavar="TEXT", nargs="?", help="what to tell; left out, all of standard input")
    parser.add_argument(
        "--once", metavar="NAME", default="", help="tell what has this name once in three days, whatever the text is"
    )
    parser.add_argument("--json", action="store_true", help="print JSON")


def run(args: argparse.Namespace) -> int:
    """0 it is stored for at least one owner, now or before, and delivered by the gateway; 1 nobody can be told. Raises BotError."""
    from bot.control import ask
    from bot.paths import Paths

    text = args.text if args.text is not None else _typed()
    answer = ask(Paths.of(os.environ).state, "notify", _SECONDS, text=text, once=args.once)
    owners, told, already = (answer[name] for name in ("owners", "told", "told_already"))
    if args.json:
        say_json({"owners": owners, "told": told, "told_already": already})
    elif told:
        say(f"Told to {told} of {owners} owners{f'; told already to {already}' if already else ''}.")
    elif already:
        say(f"Told already to {already} of {owners} owners: nothing was sent.")
    if told or already:
        return exit_codes.OK
    complain("No owner can be told: access.owners names nobody on a platform that the gateway serves.")
    return exit_codes.FAILED


def _typed() -> str:
    return sys.stdin.buffer.read(_LONGEST).decode("utf-8", "replace") if sys.stdin is not None else ""
