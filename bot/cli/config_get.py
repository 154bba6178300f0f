"""`config get`: a setting as it is written, or the default. A secret is never shown, only a reference to one.

Where the settings have nothing, and under names that somebody else has made, anything may stand: nothing of that is shown either.
"""

import argparse
import re
from collections.abc import Mapping
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from bot.cli import exit_codes
from bot.cli.output import complain, say, say_json
from bot.config.place import NotSet, default_at, kind_at, parse_place, value_at
from bot.config.problems import Location, did_you_mean, dotted
from bot.config.section import Section, inside, is_section, keys_of, kinds_of
from core.auth.refs import is_ref, read_ref
from core.auth.secret import Secret
from core.durations import format_duration
from core.errors import BotError, UserError

if TYPE_CHECKING:
    from bot.paths import Paths

HIDDEN = "<hidden>"
_ADDRESS = re.compile(r"(?P<scheme>\w://)(?P<person>\S*@)?(?P<place>[^\s?#]*)(?P<rest>[?#]\S+)?")


def run(args: argparse.Namespace, paths: "Paths") -> int:
    """1 where nothing is set and there is no default, or where there is no such setting. Raises ConfigError."""
    try:
        place = parse_place(args.place)
    except UserError as error:
        complain(str(error))
        return exit_codes.USAGE
    value, source = _found(_tree(paths), place)
    if args.json:
        say_json({"path": dotted(place), "value": value, "source": source})
    else:
        say(_shown(value))
    return exit_codes.OK


def _tree(paths: "Paths") -> dict[str, Any]:
    """The file, with every secret taken out that is no reference; their values are hidden wherever else they stand."""
    from bot.config.load import read_toml

    try:
        return without_secrets(read_toml(paths.config))
    except BotError as error:
        if error.code != "no_config":
            raise
        return {}


def without_secrets(tree: Mapping[str, Any]) -> dict[str, Any]:
    """The tree with `<hidden>` in the place of everything that is or may be a secret and is no reference."""
    from bot.config.settings import Settings
    from bot.log import learn_secrets
    from bot.secret_places import secret_fields

    values = [field.value for field in secret_fields(tree) if not _is_reference(field.value)]
    learn_secrets(value for value in values if isinstance(value, str))
    return {key: _clean(part, inside(Settings, key)) for key, part in tree.items()}


def _clean(value: object, kind: object) -> Any:
    """A value where a setting of this type belongs; None: where none does."""
    if kind is None or Secret in kinds_of(kind):
        return value if _is_reference(value) else HIDDEN
    if isinstance(value, Mapping):
        return {key: _clean(part, _named_inside(kind, key)) for key, part in value.items()}
    if isinstance(value, list):
        return [_clean(part, inside(kind, n)) for n, part in enumerate(value)]
    return _harmless(value) if isinstance(value, str) else value


def _named_inside(kind: object, key: str) -> object:
    """The type of what stands under a key; None also for a text whose name the settings do not give, such as a parameter that a
    provider wants."""
    found = inside(kind, key)
    is_ours = any(is_section(one) and key in keys_of(one) for one in kinds_of(kind))
    return found if is_ours or str not in kinds_of(found) else None


def _harmless(text: str) -> str:
    """Without what is a secret elsewhere or looks like one, and of addresses only the place."""
    from bot.log import redact

    return _ADDRESS.sub(_place_alone, redact(text))


def _place_alone(address: re.Match[str]) -> str:
    person = f"{HIDDEN}@" if address["person"] else ""
    rest = f"{address['rest'][0]}{HIDDEN}" if address["rest"] else ""
    return f"{address['scheme']}{person}{address['place']}{rest}"


def _is_reference(value: object) -> bool:
    if not is_ref(value):
        return False
    try:
        read_ref(value)
    except ValueError:
        return False  # a table that is none may hold anything
    return True


def _found(tree: Mapping[str, Any], place: Location) -> tuple[Any, str]:
    try:
        return value_at(tree, place), "file"
    except NotSet:
        pass
    if kind_at(place) is None:
        raise unknown(place)
    try:
        return plain(default_at(place)), "default"
    except NotSet:
        raise BotError("config", f"{dotted(place)} is not set, and has no default.") from None


def unknown(place: Location) -> BotError:
    """The error for a place that the settings do not have."""
    return BotError("config", f"{dotted(place)} is not a setting.{_meant(place)}")


def _meant(place: Location) -> str:
    """What was probably meant, of what the deepest table on the way has."""
    for n in range(len(place), 0, -1):
        sections = [kind for kind in kinds_of(kind_at(place[: n - 1])) if is_section(kind)]
        if sections:
            return did_you_mean(str(place[n - 1]), sorted(keys_of(sections[0])))
    return ""


def plain(value: object) -> Any:
    """A default as it would be written."""
    if isinstance(value, timedelta):
        return format_duration(value).replace(" ", "")
    if isinstance(value, Section):
        return {name: plain(part) for name, part in value if part is not None and not name.startswith("_")}
    if isinstance(value, Mapping):
        return {str(key): plain(part) for key, part in value.items()}
    if isinstance(value, tuple):
        return [plain(part) for part in value]
    return value


def _shown(value: Any) -> str:
    """Texts as they are, everything else as TOML."""
    if isinstance(value, str):
        return value
    import tomlkit

    if isinstance(value, Mapping):
        return tomlkit.dumps(dict(value)).rstrip("\n")
    return str(tomlkit.item(value).as_string())
