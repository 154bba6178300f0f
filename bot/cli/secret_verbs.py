"""`remoteclaw secrets`: where secrets come from, and whether any lies about."""

import argparse
from importlib import import_module

_VERBS = {
    "audit": ("bot.cli.secrets_audit", "find secrets that lie about and references that give nothing"),
    "configure": (
        "bot.cli.secrets_configure",
        "set up providers of secrets and move credentials to them, step by step",
    ),
    "apply": ("bot.cli.secrets_apply", "carry out a plan that `configure` or a script has written"),
    "reload": ("bot.cli.secrets_reload", "let the running gateway read its secrets anew"),
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """One module a verb."""
    verbs = parser.add_subparsers(dest="verb", metavar="<verb>", required=True)
    for verb, (module, purpose) in _VERBS.items():
        command = verbs.add_parser(verb, help=purpose, description=f"{purpose[0].upper()}{purpose[1:]}.")
        import_module(module).add_arguments(command)


def run(args: argparse.Namespace) -> int:
    """See the module of each verb."""
    code: int = import_module(_VERBS[args.verb][0]).run(args)
    return code
