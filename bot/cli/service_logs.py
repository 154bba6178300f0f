"""`remoteclaw service logs`: the end of what the service has written, as the service manager has kept it."""

import argparse
import sys

from bot.cli.output import complain
from bot.cli.service_opened import service_manager, settings_or_why, state_directory


def run(args: argparse.Namespace) -> int:
    """The exit code of what shows it; 130 where that was interrupted. Raises BotError where there is nothing that could."""
    manager = service_manager(args, state_directory())
    settings, _ = settings_or_why(args)
    if settings is not None and settings.log.file is not None:
        complain(f"Note: log.file is {settings.log.file}: only what comes before the log begins is here.")
    sys.stdout.flush()
    return manager.show_log(args.follow)
