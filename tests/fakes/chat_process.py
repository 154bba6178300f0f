"""`remoteclaw chat` as a process of its own, in front of a ScriptedGateway: `python -m tests.fakes.chat_process STATE [flags]`."""

import argparse
import sys
from pathlib import Path
from types import SimpleNamespace

from bot.cli.chat import ChatOptions, add_arguments, talk
from bot.interrupts import run_interruptible
from core.errors import Suggestion
from core.messages import Button, Reply, ReplyKind
from core.models.catalog import Catalog
from core.models.ref import ModelRef
from core.resolution.rules import AgentRules, Rules
from tests.fakes.scripted_gateway import ScriptedGateway


def main() -> int:
    """Parse the flags as the command does and chat."""
    parser = argparse.ArgumentParser()
    parser.add_argument("state", type=Path)
    add_arguments(parser)
    args = parser.parse_args()
    model = ModelRef("acme", "small")
    rules = Rules(agents={name: AgentRules(id=name, default=model) for name in ("main", "writer")}, catalog=Catalog())
    button = Button(n=2, label="acme/large", command="/model acme/large")
    answers = {
        "/model": (Reply(kind=ReplyKind.PICKER, text="1. acme/small\n2. acme/large", buttons=(button,)),),
        "/model 2": (Reply(kind=ReplyKind.NOTICE, text="Now acme/large."),),
        "evil": (Reply(kind=ReplyKind.TEXT, text="\x1b]0;owned\x07evil\x1b[2J done"),),
        "wrong": (Reply(kind=ReplyKind.ERROR, code="model_unknown", text="No such model."),),
    }
    suggestions = (Suggestion("opus", "opus = zeta/opus-1"), Suggestion("sonnet", "sonnet = zeta/sonnet-1"))
    gateway = ScriptedGateway(answers, suggestions)
    app = SimpleNamespace(gateway=gateway, rules=rules)
    options = ChatOptions.of(args)
    return run_interruptible(lambda interrupts: talk(app, args.state, options, interrupts))  # type: ignore[arg-type]


if __name__ == "__main__":
    sys.exit(main())
