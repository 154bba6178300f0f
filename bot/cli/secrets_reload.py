"""`secrets reload`: a running gateway reads its configuration and its secrets anew, without a restart."""

import argparse
import os

from bot.cli import exit_codes
from bot.cli.output import complain, say, say_json
from core.durations import parse_duration


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """--timeout, --json."""
    parser.add_argument(
        "--timeout", metavar="SPAN", default="30s", help="how long to wait for the gateway (default: 30s)"
    )
    parser.add_argument("--json", action="store_true", help="print JSON")


def run(args: argparse.Namespace) -> int:
    """Raises BotError where no gateway runs, or where it kept its last good values; then nothing has changed there."""
    from bot.control import ask
    from bot.paths import Paths

    try:
        span = parse_duration(args.timeout).total_seconds()
    except ValueError:
        complain(f"invalid duration: {args.timeout[:40]!r}. Write it as 30s or 2m.")
        return exit_codes.USAGE
    warnings = list(ask(Paths.of(os.environ).state, "reload", span)["warnings"])
    if args.json:
        say_json({"reloaded": True, "warnings": warnings})
        return exit_codes.OK
    say("Secrets reloaded." if not warnings else f"Secrets reloaded with {len(warnings)} warning(s).")
    for warning in warnings:
        say(f"- {warning}")
    return exit_codes.OK
