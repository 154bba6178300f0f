"""`remoteclaw config`: where the configuration is, and whether it is right."""

import argparse
import os
from pathlib import Path
from typing import TYPE_CHECKING

from bot.cli import exit_codes
from bot.cli.output import complain, say

if TYPE_CHECKING:
    from collections.abc import Mapping

    from bot.config.settings import Settings
    from core.models.document import ModelsDocument


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """validate, path."""
    verbs = parser.add_subparsers(dest="verb", metavar="<verb>", required=True)
    validate = verbs.add_parser("validate", help="check every setting and show all mistakes at once")
    validate.add_argument(
        "--example", metavar="FILE", type=Path, help="check this file instead, with stand-ins for missing variables"
    )
    verbs.add_parser("path", help="show where the configuration is read from")


def run(args: argparse.Namespace) -> int:
    """Raises ConfigError with every mistake."""
    from bot.paths import Paths

    paths = Paths.of(os.environ)
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
