"""`remoteclaw secrets`: where secrets come from."""

import argparse

from bot.cli import secrets_reload


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """reload."""
    verbs = parser.add_subparsers(dest="verb", metavar="<verb>", required=True)
    secrets_reload.add_arguments(verbs.add_parser("reload", help="let the running gateway read its secrets anew"))


def run(args: argparse.Namespace) -> int:
    """See the module of each verb."""
    return secrets_reload.run(args)
