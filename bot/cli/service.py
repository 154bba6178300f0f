"""`remoteclaw service`: the gateway as a service of systemd or launchd, so that it runs without anybody being logged in."""

import argparse
from importlib import import_module
from pathlib import Path

from bot.cli import exit_codes
from bot.cli.output import complain
from core.errors import UserError

_ABOUT = {
    "install": "write the unit, enable and start it; safe to run again",
    "uninstall": "stop it, and remove the unit that install has written",
    "status": "whether it runs (exit code 0) or not (1)",
    "restart": "stop it and start it, with the configuration checked before",
    "logs": "the end of its log",
}
_MODULES = {
    "install": "bot.cli.service_install",
    "uninstall": "bot.cli.service_uninstall",
    "status": "bot.cli.service_status",
    "restart": "bot.cli.service_restart",
    "logs": "bot.cli.service_logs",
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """install, uninstall, status, restart, logs."""
    verbs = parser.add_subparsers(dest="verb", metavar="<verb>", required=True)
    for name, about in _ABOUT.items():
        verb = verbs.add_parser(name, help=about, description=f"{about[0].upper()}{about[1:]}.")
        verb.add_argument("--name", default="remoteclaw", help="of the service, where there are several (remoteclaw)")
        verb.add_argument(
            "--manager", choices=("systemd", "launchd"), help="instead of the one that this system has usually"
        )
        verb.add_argument("--system", action="store_true", help="a unit of the system (systemd, needs root)")
        if name == "logs":
            verb.add_argument("-f", "--follow", action="store_true", help="go on with what comes")
        else:
            verb.add_argument("--json", action="store_true", help="print JSON")
        if name == "install":
            _install_flags(verb)


def _install_flags(verb: argparse.ArgumentParser) -> None:
    verb.add_argument("--dry-run", action="store_true", help="print the unit, and write nothing")
    verb.add_argument("--no-start", action="store_true", help="do not start it now")
    verb.add_argument(
        "--credential",
        metavar="NAME=PATH",
        action="append",
        default=[],
        help="hand this file over as a credential (systemd's LoadCredential); may be repeated",
    )
    verb.add_argument(
        "--read-write",
        metavar="PATH",
        type=Path,
        action="append",
        default=[],
        help="a further place that it may write to; may be repeated",
    )


def run(args: argparse.Namespace) -> int:
    """0 done, of status: it runs; 1 it does not, or could not be done; 2 wrong usage. Raises BotError."""
    try:
        return int(import_module(_MODULES[args.verb]).run(args))
    except UserError as error:
        complain(str(error))
        return exit_codes.USAGE
