"""`remoteclaw service restart`."""

import argparse

from bot.cli import exit_codes
from bot.cli.output import say, say_json
from bot.cli.service_opened import (
    open_installation,
    readiness_keys,
    readiness_line,
    service_manager,
    state_directory,
    told,
)


def run(args: argparse.Namespace) -> int:
    """0 it was started anew. A gateway that runs is not given up for a configuration with which none could start. Raises
    BotError."""
    from bot.ops.settling import refuse_second, settle

    manager = service_manager(args, state_directory())
    paths, settings, _ = open_installation(args)
    refuse_second(manager, paths.state)
    manager.restart()
    ready = settle(manager, settings.gateway.listen)
    if args.json:
        say_json(told(args, manager, **readiness_keys(ready)))
        return exit_codes.OK
    say(f"The service {args.name} was started anew.")
    if ready is not None:
        say(readiness_line(ready))
    return exit_codes.OK
