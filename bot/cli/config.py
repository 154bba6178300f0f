"""`remoteclaw config`: where the configuration is, whether it is right, what it says, and a change of it."""

import argparse
import os
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bot.cli import exit_codes
from bot.cli.output import complain, say, say_json
from bot.cli.parsers import take_flags_anywhere
from core.errors import BotError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from bot.config.settings import Settings
    from bot.paths import Paths
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
    where = verbs.add_parser("path", help="show where the configuration is read from")
    get = verbs.add_parser("get", help="show a setting, or what holds where it is not written")
    change = verbs.add_parser("set", help="change a setting; nothing is written that is not right")
    unset = verbs.add_parser("unset", help="take a setting out")
    for verb in (validate, where, get, change, unset):
        verb.add_argument("--json", action="store_true", help="print JSON")
    for verb in (get, change, unset):
        verb.add_argument("place", metavar="PATH", help=_PLACE)
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
    if args.verb == "validate":
        return _validate(args, paths)
    if args.json:
        say_json({"config_path": str(paths.config)})
    else:
        say(str(paths.config))
    return exit_codes.OK


def _validate(args: argparse.Namespace, paths: "Paths") -> int:
    """With --json the mistakes are on standard output too. Raises BotError."""
    path = paths.config if args.example is None else args.example
    try:
        counted = _counted(*_read(args.example, paths))
    except BotError as error:
        if args.json:
            say_json({"config_path": str(path), "valid": False, "problems": _problems(error)})
        raise
    if args.json:
        say_json({"config_path": str(path), "valid": True, "problems": [], **counted})
    else:
        words = ", ".join(_in_words(counted[name], name) for name in ("providers", "models", "agents"))
        say(f"{path} is valid: {words}, default {counted['default']}.")
    if args.example is None and (problem := paths.problem()):
        complain(problem)
    return exit_codes.OK


def _read(example: Path | None, paths: "Paths") -> "tuple[Settings, Mapping[str, ModelsDocument]]":
    """What is checked. Raises BotError."""
    from bot.config import load_settings
    from bot.environment import read_environment
    from bot.models_wiring import models_documents
    from bot.settings_wiring import open_settings

    if example is not None:
        return load_settings(example, {**_stand_ins(example), **os.environ}), {}
    settings, _ = open_settings(paths, read_environment())
    return settings, models_documents(settings, paths)


def _problems(error: BotError) -> list[dict[str, str]]:
    from bot.config.problems import InvalidConfig, Problem
    from bot.log import redact

    found = error.problems if isinstance(error, InvalidConfig) else [Problem("", str(error))]
    return [{"path": redact(problem.path), "message": redact(problem.message)} for problem in found]


def _counted(settings: "Settings", documents: "Mapping[str, ModelsDocument]") -> dict[str, Any]:
    """What the configuration comes to. Raises BotError."""
    from adapters.providers.builtin import builtin_providers
    from bot.config.rules import build_rules

    rules = build_rules(settings, builtin_providers(), documents)
    configured = [provider for provider in rules.catalog.providers.values() if provider.is_configured]
    return {
        "providers": len(configured),
        "models": sum(len(provider.models) for provider in configured),
        "agents": len(rules.agents),
        "default": str(rules.agents["main"].default),
    }


def _in_words(number: int, words: str) -> str:
    return f"{number} {words.removesuffix('s') if number == 1 else words}"


def _stand_ins(path: Path) -> dict[str, str]:
    from bot.config.substitution import variables

    try:
        text = path.read_text("utf-8")
    except (OSError, UnicodeDecodeError):
        return {}  # reading it as a configuration tells what is wrong
    return {name: f"stand-in-for-{name.lower()}" for name in variables(text)}
