"""`remoteclaw db`: the database's schema. Works without a configuration, on the database in the state directory."""

import argparse
import os
from pathlib import Path

from bot.cli import exit_codes
from bot.cli.output import say


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """upgrade, current, check."""
    verbs = parser.add_subparsers(dest="verb", metavar="<verb>", required=True)
    verbs.add_parser("upgrade", help="make the database, or bring it to the newest schema")
    verbs.add_parser("current", help="show which schema it has")
    verbs.add_parser("check", help="fail if it is damaged or not of the newest schema")


def run(args: argparse.Namespace) -> int:
    """Raises StorageError where the database cannot be used."""
    from adapters.storage import migrate

    database = _database(make=args.verb == "upgrade")
    if args.verb == "upgrade":
        before, after = migrate.upgrade(database)
        say(f"{database}: already at {after}" if before == after else f"{database}: {before or 'new'} -> {after}")
    elif args.verb == "current":
        current, head = migrate.current(database), migrate.head()
        say(f"{database}: {current or 'no schema'}" + ("" if current == head else f" (newest: {head})"))
    else:
        migrate.check(database)
        say(f"{database}: at {migrate.head()}, and as it should be")
    return exit_codes.OK


def _database(make: bool) -> Path:
    from bot.app import database_path
    from bot.environment import read_environment
    from bot.paths import Paths
    from bot.settings_wiring import open_settings
    from core.errors import BotError

    paths = Paths.of(os.environ)
    if make:
        paths.create()
    try:
        settings, environ = open_settings(paths, read_environment())
    except BotError as error:
        if error.code != "no_config":
            raise
        return paths.database
    return database_path(settings, paths, environ)
