"""config.example.toml: every setting once, and it loads."""

import re
import tomllib
from collections import defaultdict
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, get_args, get_origin

from adapters.providers.builtin import builtin_providers
from bot.cli.main import main
from bot.config import load_settings
from bot.config.rules import build_rules
from bot.config.section import is_section, keys_of
from bot.config.settings import Settings

EXAMPLE = Path(__file__).parents[2] / "config.example.toml"


def fields_of(annotation: object, path: str = "") -> Iterator[tuple[str, str]]:
    """(setting as `Section.key`, dotted path) of everything below a type; `*` stands for a key of the user's own."""
    while get_origin(annotation) is Annotated:
        annotation = get_args(annotation)[0]
    if is_section(annotation):
        for name, kind in keys_of(annotation).items():
            below = f"{path}.{name}".lstrip(".")
            yield f"{annotation.__name__}.{name}", below
            yield from fields_of(kind, below)
        return
    is_table = get_origin(annotation) is Mapping
    for inside in get_args(annotation)[1 if is_table else 0 :]:
        yield from fields_of(inside, f"{path}.*" if is_table else path)


def paths_in(value: object, path: str = "") -> set[str]:
    if isinstance(value, dict):
        return {path}.union(*(paths_in(part, f"{path}.{key}".lstrip(".")) for key, part in value.items()))
    if isinstance(value, list):
        return {path}.union(*(paths_in(part, path) for part in value))
    return {path}


def test_it_holds_every_setting_that_there_is():
    keys = paths_in(tomllib.loads(EXAMPLE.read_text()))
    places: dict[str, list[str]] = defaultdict(list)
    for setting, path in fields_of(Settings):
        places[setting].append(r"\.".join(".+" if part == "*" else re.escape(part) for part in path.split(".")))
    missing = [
        setting
        for setting, paths in places.items()
        if not any(re.fullmatch(path, key) for path in paths for key in keys)
    ]
    assert missing == []
    assert "Model.context_window" in places


def test_it_loads_with_stand_ins_for_missing_variables(state_dir: Path, capsys):
    assert main(["config", "validate", "--example", str(EXAMPLE)]) == 0
    assert "is valid: 1 provider, 2 models, 2 agents, default acme/large." in capsys.readouterr().out


def test_every_line_of_it_is_about_something_that_works():
    text = EXAMPLE.read_text()
    environ = dict.fromkeys(re.findall(r"\$\{([A-Z_]+)\}", text), "a-value")
    settings = load_settings(EXAMPLE, environ)
    rules = build_rules(settings, builtin_providers())
    assert rules.catalog.aliases["mini"] == rules.agents["main"].fallbacks[0]
    assert rules.agents["writer"].allow == ("acme/*",)
    assert not settings.commands.alias_commands
