"""`remoteclaw service uninstall`: it needs no configuration, and works beside one that is broken."""

import argparse

from bot.cli import exit_codes
from bot.cli.output import complain, say, say_json
from bot.cli.service_opened import service_manager, state_directory, told


def run(args: argparse.Namespace) -> int:
    """0 it is gone, also where it was not there. Raises BotError."""
    manager = service_manager(args, state_directory())
    was_there, notes = manager.uninstall()
    if args.json:
        say_json(told(args, manager, removed=was_there, notes=list(notes)))
        return exit_codes.OK
    say(f"Stopped, and removed {manager.path}" if was_there else f"There is no {manager.path}: nothing to remove.")
    for note in notes:
        complain(f"Note: {note}")
    return exit_codes.OK
