"""The words of `models` about which models there are and who uses them: list, set, set-image, aliases, (image-)fallbacks."""

import argparse
from importlib import import_module
from typing import Any

from bot.cli.parsers import fill_later

MODULES = {
    "list": "bot.cli.models_list",
    "set": "bot.cli.models_set",
    "set-image": "bot.cli.models_set",
    "aliases": "bot.cli.models_aliases",
    "fallbacks": "bot.cli.models_fallbacks",
    "image-fallbacks": "bot.cli.models_fallbacks",
}
_MODEL = "<provider>/<model>, or an alias"
_NAMES = "print the names and nothing else"


_PURPOSES = {
    "list": "the configured models",
    "set": "choose the default model",
    "set-image": "choose the model for pictures",
    "aliases": "short names of models, the same for all agents",
    "fallbacks": "what serves while the default model cannot, in its order",
    "image-fallbacks": "what serves while the model for pictures cannot, in its order",
}


def add_arguments(kinds: Any) -> None:
    """The words after `models`."""
    fills = {
        "list": _fill_list,
        "aliases": _fill_aliases,
        "fallbacks": _fill_fallbacks,
        "image-fallbacks": _fill_fallbacks,
    }
    for name, purpose in _PURPOSES.items():
        fill_later(kinds.add_parser(name, help=purpose, description=_sentence(purpose)), fills.get(name, _fill_set))


def run(args: argparse.Namespace) -> int:
    """0 done, 1 failed, 2 wrong usage."""
    code: int = import_module(MODULES[args.what]).run(args)
    return code


def _fill_list(parser: argparse.ArgumentParser) -> None:
    _flags(parser, _NAMES)
    parser.add_argument("--all", action="store_true", help="everything that the catalogue knows")
    parser.add_argument("--local", action="store_true", help="only those of providers on this machine")
    parser.add_argument("--provider", metavar="P", help="only those of this provider")
    parser.add_argument("--refresh", action="store_true", help="ask the providers for their own lists first")


def _fill_set(parser: argparse.ArgumentParser) -> None:
    _flags(parser)
    parser.add_argument("model", metavar="<model>", help=_MODEL)


def _fill_aliases(parser: argparse.ArgumentParser) -> None:
    verbs = _verbs(parser, "print `alias model` lines")
    added = _verb(verbs, "add", "name a model")
    added.add_argument("alias", metavar="<alias>", help="one word of letters, digits and . _ : -")
    added.add_argument("model", metavar="<model>", help=_MODEL)
    _verb(verbs, "remove", "forget a name").add_argument("alias", metavar="<alias>")


def _fill_fallbacks(parser: argparse.ArgumentParser) -> None:
    verbs = _verbs(parser, _NAMES)
    for verb, purpose in (("add", "put a model behind the others"), ("remove", "take a model out")):
        _verb(verbs, verb, purpose).add_argument("model", metavar="<model>", help=_MODEL)
    _verb(verbs, "clear", "take all out")


def _verbs(parser: argparse.ArgumentParser, plain: str) -> Any:
    """Words of a group; the group alone lists."""
    _flags(parser, plain)
    verbs = parser.add_subparsers(metavar="<verb>", dest="verb")
    verbs.default = "list"
    _flags(verbs.add_parser("list", help="show them"), plain)
    return verbs


def _verb(verbs: Any, name: str, purpose: str) -> argparse.ArgumentParser:
    parser: argparse.ArgumentParser = verbs.add_parser(name, help=purpose, description=_sentence(purpose))
    _flags(parser)
    return parser


def _flags(parser: argparse.ArgumentParser, plain: str | None = None) -> None:
    """Flags that stand before a word too keep what they were given there."""
    parser.add_argument("--agent", metavar="ID", default=argparse.SUPPRESS, help="this agent's own")
    parser.add_argument("--json", action="store_true", default=argparse.SUPPRESS, help="print JSON")
    if plain is not None:
        parser.add_argument("--plain", action="store_true", default=argparse.SUPPRESS, help=plain)


def _sentence(purpose: str) -> str:
    return f"{purpose[0].upper()}{purpose[1:]}."
