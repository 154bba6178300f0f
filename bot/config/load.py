"""Reading config.toml. Everything that is wrong with it is told at once, and none of it starts half a gateway."""

import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bot.config.problems import InvalidConfig, Location, Problem
from bot.environment import Environment
from core.errors import BotError, ConfigError

if TYPE_CHECKING:
    from bot.config.settings import Settings

_LARGEST = 4 * 1024 * 1024


def load_settings(path: Path, environ: Mapping[str, str]) -> "Settings":
    """The settings of a config file, its variables filled from `environ` and, where that has none, from its `env` table.

    Raises BotError (code no_config) if there is no file, and ConfigError for everything else that is wrong with it.
    """
    return settings_from(read_toml(path), environ, str(path))


def read_toml(path: Path) -> dict[str, Any]:
    """The file as a tree. Raises BotError (code no_config) or ConfigError."""
    try:
        if path.exists() and not path.is_file():
            raise ConfigError("", f"{path} is not a file.", "Name the config in REMOTECLAW_CONFIG_PATH.")
        with path.open("rb") as file:
            content = file.read(_LARGEST + 1)
    except FileNotFoundError:
        raise BotError(
            "no_config",
            f"There is no configuration at {path}.",
            "Make one with `remoteclaw onboard`, or try `make demo`, which needs none.",
        ) from None
    except OSError as error:
        raise ConfigError("", f"{path} cannot be read: {error.strerror or 'unknown reason'}.") from error
    if len(content) > _LARGEST:
        raise ConfigError("", f"{path} is larger than {_LARGEST // (1024 * 1024)} MiB.")
    try:
        return tomllib.loads(content.decode("utf-8-sig"))
    except UnicodeDecodeError:
        raise ConfigError("", f"{path} is not UTF-8 text.") from None
    except RecursionError:
        raise ConfigError("", f"{path} is nested too deeply.") from None
    except ValueError as error:
        raise ConfigError("", f"{path} is not valid TOML: {error}.") from None


def settings_from(tree: Mapping[str, Any], environ: Mapping[str, str], name: str = "") -> "Settings":
    """The settings that a TOML tree means. Raises InvalidConfig with every problem; `name` is the file, for its hint."""
    from bot.config.checks import check
    from bot.config.reading import read_sections
    from bot.config.settings import Settings
    from bot.config.substitution import Substitution

    outside = _set(Environment.of(environ).for_config)
    substitution = Substitution(
        {**own_variables(tree, outside), **outside},
        lambda place: _is_off(tree, place) or _is_variable(place),
        _takes_reference,
    )
    filled = substitution.fill(dict(tree))
    assert isinstance(filled, dict)
    problems = list(substitution.problems)
    settings, findings = read_sections(Settings, filled)
    if findings:
        from bot.config.explain import explain

        problems += explain(findings, Settings, substitution.places)
    else:
        problems += check(settings)
        if not problems:
            return settings
    raise InvalidConfig(problems or [Problem("", "the config is wrong")], f"The file is {name}." if name else "")


def _set(environ: Mapping[str, str]) -> dict[str, str]:
    return {name: value for name, value in environ.items() if value.strip()}


def own_variables(tree: Mapping[str, Any], environ: Mapping[str, str]) -> dict[str, str]:
    """The variables of the `env` table, those of `env.vars` after the others, each filled from `environ` and the table itself.
    One that cannot be filled is left out."""
    from bot.config.substitution import fill_each

    table = tree.get("env")
    if not isinstance(table, dict):
        return {}
    further = table.get("vars")
    every = {**(further if isinstance(further, dict) else {}), **table}
    texts = {name: value for name, value in every.items() if isinstance(name, str) and isinstance(value, str)}
    return fill_each(texts, _set(Environment.of(environ).for_config))


def _is_variable(place: Location) -> bool:
    """Whether a place is one of the `env` table's variables: one that cannot be filled is left out."""
    return place[:1] == ("env",) and place[1:2] != ("shell_env",)


def _takes_reference(place: Location) -> bool:
    from bot.secret_places import takes_reference

    return takes_reference(place)


def _is_off(tree: Mapping[str, Any], place: Location) -> bool:
    """Whether a place lies in a channel that is switched off: what it would need may be missing."""
    if len(place) < 3 or place[0] != "channels":
        return False
    channels = tree.get("channels")
    channel = channels.get(place[1]) if isinstance(channels, dict) else None
    return isinstance(channel, dict) and channel.get("enabled") is False
