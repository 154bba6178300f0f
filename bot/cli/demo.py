"""`remoteclaw demo`: a chat in this terminal against providers that run inside it. No key, no account, no network."""

import argparse
import sys

from bot.cli import chat
from bot.interrupts import Interrupts, run_interruptible


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The flags of `remoteclaw chat`: the demo is that chat with an installation of its own."""
    chat.add_arguments(parser)
    parser.description = (
        "Try RemoteClaw: a chat against providers inside the demo. Nothing of yours is read or changed."
    )


def run(args: argparse.Namespace) -> int:
    """Welcome, then chat as `remoteclaw chat` does. Exit codes are the same."""
    options = chat.ChatOptions.of(args)
    return run_interruptible(lambda interrupts: _demo(options, interrupts))


async def _demo(options: chat.ChatOptions, interrupts: Interrupts) -> int:
    from bot.demo.setup import WELCOME, demo_environment

    # A script reads answers from standard output, so there the welcome must not be among them.
    out = sys.stdout if options.is_interactive() else sys.stderr
    async with demo_environment() as environ:
        out.write(f"{WELCOME}\n")
        out.flush()
        return await chat.chat_in(environ, options, interrupts)
