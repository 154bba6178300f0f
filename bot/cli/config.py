"""`remoteclaw config`: where the configuration is, whether it is right, what it says, and a change of it."""

import argparse
import os
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bot.cli import exit_codes
from bot.cli.output import complain, say
from bot.cli.parsers import take_flags_anywhere

if TYPE_CHECKING:
    from collections.abc import Mapping

    from bot.config.settings import Settings
    from core.models.document import ModelsDocument

_MODULES = {"get": "bot.cli.config_get", "set": "bot.cli.config_set", "unset": "bot.cli.config_set"}
_PLACE = 'dotted, as errors name it: auth.profiles."acme:work".label'


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """validate, path, get, set, unset."""
    verbs = parser.add_subparsers(dest="verb", metavar="<verb>", required=True)
    validate = verbs.add_parser("validate", help="check every setting and show all mistakes at once")
    validate.add_argument(
        "--example", metavar="FILE", type=Path, help="check this file instead, with stand-ins for missing variables"
    )
    verbs.add_parser("path", help="show where the configuration is read from")
    get = verbs.add_parser("get", help="show a setting, or what holds where it is not written")
    change = verbs.add_parser("set", help="change a setting; nothing is written that is not right")
    unset = verbs.add_parser("unset", help="take a setting out")
    for verb in (get, change, unset):
        verb.add_argument("place", metavar="PATH", help=_PLACE)
        verb.add_argument("--json", action="store_true", help="print JSON")
    change.add_argument("value", metavar="VALUE", nargs="?", help="a text, a number, true or false")
    source = change.add_mutually_exclusive_group()
    source.add_argument("--json-value", action="store_true", help="VALUE is JSON: for lists and tables")
    source.add_argument("--stdin", action="store_true", help="take the value from standard input: for secrets")
    take_flags_anywhere(change)


def run(args: argparse.Namespace) -> int:
    """Raises ConfigError with every mistake."""
    from bot.paths import Paths

    paths = Paths.of(os.environ)
    if args.verb in _MODULES:
        module: Any = import_module(_MODULES[args.verb])
        code: int = module.run(args, paths)
        return code
    if args.verb == "path":
        say(str(paths.config))
        return exit_codes.OK
    from bot.config import load_settings
    from bot.environment import read_environment
    from bot.models_wiring import models_documents
    from bot.settings_wiring import open_settings

    if args.example is not None:
        environ = {**_stand_ins(args.example), **os.environ}
        say(_validated(args.example, load_settings(args.example, environ), {}))
        return exit_codes.OK
    settings, _ = open_settings(paths, read_environment())
    say(_validated(paths.config, settings, models_documents(settings, paths)))
    if problem := paths.problem():
        complain(problem)
    return exit_codes.OK


def _validated(path: Path, settings: "Settings", documents: "Mapping[str, ModelsDocument]") -> str:
    """One line that says what the configuration comes to."""
    from adapters.providers.builtin import builtin_providers
    from bot.config.rules import build_rules

    rules = build_rules(settings, builtin_providers(), documents)
    configured = [provider for provider in rules.catalog.providers.values() if provider.is_configured]
    models = sum(len(provider.models) for provider in configured)
    return (
        f"{path} is valid: {_counted(len(configured), 'provider')}, {_counted(models, 'model')}, "
        f"{_counted(len(rules.agents), 'agent')}, default {rules.agents['main'].default}."
    )


def _counted(number: int, word: str) -> str:
    return f"{number} {word}" if number == 1 else f"{number} {word}s"


def _stand_ins(path: Path) -> dict[str, str]:
    from bot.config.substitution import variables

    try:
        text = path.read_text("utf-8")
    except (OSError, UnicodeDecodeError):
        return {}  # reading it as a configuration tells what is wrong
    return {name: f"stand-in-for-{name.lower()}" for name in variables(text)}
