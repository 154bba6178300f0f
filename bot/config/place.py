"""Places of the config, as errors name them: read from text, found in a tree, and what the settings have there."""

import re
import tomllib
from collections.abc import Mapping
from typing import Any

from bot.config.problems import Location, dotted
from bot.config.section import inside, is_section, keys_of, kinds_of
from core.auth.provider_names import provider_id
from core.errors import ConfigError, UserError

_PART = re.compile(r'"(?P<quoted>(?:[^"\\]|\\.)*)"|\'(?P<plain>[^\']*)\'|(?P<bare>[^.\[\]"\']+)')
_INDEX = re.compile(r"\[(\d{1,9})\]")
_ESCAPE = re.compile(r"\\(?:x([0-9a-fA-F]{2})|.)")
_BY_PROVIDER = (("models", "providers"), ("auth", "order"))


class NotSet(LookupError):
    """Nothing stands at a place."""


def parse_place(text: str) -> Location:
    """A place such as `auth.profiles."acme:work".label` or `access.owners[0]`: what `dotted` writes. A key that holds a dot,
    a bracket or a quote must be quoted. Raises UserError."""
    parts: list[str | int] = []
    at = 0
    while at < len(text) or not parts:
        if parts and (index := _INDEX.match(text, at)):
            parts.append(int(index[1]))
            at = index.end()
            continue
        if parts:
            if text[at] != ".":
                raise _unreadable()
            at += 1
        found = _PART.match(text, at)
        if found is None:
            raise _unreadable()
        parts.append(_unquoted(found))
        at = found.end()
    return tuple(parts)


def _unquoted(found: re.Match[str]) -> str:
    if found["quoted"] is None:
        return found["plain"] if found["plain"] is not None else found["bare"].strip()
    text = _ESCAPE.sub(_of_toml, found["quoted"])
    try:
        return str(tomllib.loads(f'key = "{text}"')["key"])
    except ValueError:
        raise _unreadable() from None


def _of_toml(escape: re.Match[str]) -> str:
    """An escape of Python's, which errors are written with, as TOML has it."""
    if escape[1] is not None:
        return f"\\u00{escape[1]}"
    return "'" if escape[0] == "\\'" else escape[0]


def _unreadable() -> UserError:
    return UserError(
        "usage",
        "That is not the place of a setting.",
        'Write it with dots, and quote keys that hold one: auth.profiles."acme:work".label',
    )


def kind_at(place: Location) -> object:
    """The type of what stands there; None where the settings have nothing."""
    from bot.config.settings import Settings

    kind: object = Settings
    for part in place:
        kind = inside(kind, part)
    return kind


def default_at(place: Location) -> object:
    """What holds where nothing is written. Raises NotSet where there is no such thing: nothing, or something required."""
    for kind in kinds_of(kind_at(place[:-1]) if place[:-1] else _settings()):
        if is_section(kind) and place[-1] in keys_of(kind):
            default = vars(kind).get(str(place[-1]))
            if default is not None:
                return default
    raise NotSet(dotted(place))


def _settings() -> object:
    from bot.config.settings import Settings

    return Settings


def value_at(tree: Any, place: Location) -> Any:
    """What stands at a place of a tree. Raises NotSet."""
    for n, part in enumerate(place):
        try:
            tree = _part_of(tree, part, place[:n])
        except (LookupError, TypeError):
            raise NotSet(dotted(place)) from None
    return tree


def table_of(tree: Any, place: Location) -> Any:
    """The table or list that holds a place, or None where there is none. Raises ConfigError where something else stands in
    its way."""
    for n in range(len(place)):
        if not isinstance(tree, Mapping | list):
            raise ConfigError(dotted(place[:n]), f"is a value, so there is no {dotted(place)}.", "Nothing was changed.")
        if n == len(place) - 1:
            break
        try:
            tree = _part_of(tree, place[n], place[:n])
        except (LookupError, TypeError):
            return None
    return tree


def _part_of(tree: Any, part: str | int, above: Location) -> Any:
    if isinstance(tree, str):
        raise LookupError  # its characters are no settings
    return tree[spelled(tree, part, above)]


def spelled(table: Any, part: str | int, above: Location) -> str | int:
    """The key of a table that means this part: providers have several names."""
    if above not in _BY_PROVIDER or not isinstance(part, str) or not isinstance(table, Mapping):
        return part
    return next((key for key in table if provider_id(key) == provider_id(part)), part)
