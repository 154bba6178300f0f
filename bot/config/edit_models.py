"""Changes of which models there are and who uses them: default, image model, their fallbacks, aliases, policy.

Each is a TreeChange (bot.config.edit): it touches what it names and nothing else, however that is written. A change finds its
place by the names that settings have, so that a provider may stand there under any of its names.
"""

import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from bot.config.edit import Tree, TreeChange, inline, put
from bot.config.problems import Location
from core.auth.provider_names import provider_id
from core.models.ref import ModelRef

if TYPE_CHECKING:
    from bot.config.settings import Settings

_NOTES = ("agents", "defaults", "models")
_VARIABLE = re.compile(r"\$\{[A-Z_]")


def place_of(agent: str | None) -> tuple[str, ...]:
    """The table of an agent's own models; None: that of all agents."""
    return ("agents", "defaults") if agent is None else ("agents", "list", agent)


def together(changes: Iterable[TreeChange]) -> TreeChange:
    """One change after the other."""
    steps = tuple(changes)

    def change(tree: Tree) -> None:
        for step in steps:
            step(tree)

    return change


def set_model(place: tuple[str, ...], key: str, ref: ModelRef) -> TreeChange:
    """`key` (`model`, `image_model`) names this model. Its fallbacks stay."""

    def change(tree: Tree) -> None:
        current = _at(tree, place).get(key)
        if isinstance(current, Mapping):
            put(tree, (*place, key), "primary", _written(ref))
        else:
            put(tree, place, key, _written(ref))

    return change


def add_fallback(place: tuple[str, ...], key: str, ref: ModelRef) -> TreeChange:
    """One more model stands in for that of `key`, which there must be, after the others."""

    def change(tree: Tree) -> None:
        table = _at(tree, place)
        current = table[key]
        if not isinstance(current, Mapping):
            table[key] = inline(table, {"primary": str(current), "fallbacks": [_written(ref)]})
        elif "fallbacks" not in current:
            table[key]["fallbacks"] = [_written(ref)]
        else:
            table[key]["fallbacks"].append(_written(ref))

    return change


def remove_fallbacks(place: tuple[str, ...], key: str, positions: Collection[int]) -> TreeChange:
    """The fallbacks at these positions go."""

    def change(tree: Tree) -> None:
        fallbacks = _at(tree, place)[key]["fallbacks"]
        for n in sorted(positions, reverse=True):
            del fallbacks[n]

    return change


def clear_fallbacks(place: tuple[str, ...], key: str) -> TreeChange:
    """Nothing stands in for the model of `key`."""

    def change(tree: Tree) -> None:
        current = _at(tree, place).get(key)
        fallbacks = current.get("fallbacks", []) if isinstance(current, Mapping) else []
        while fallbacks:
            del fallbacks[-1]

    return change


def allow(place: tuple[str, ...], ref: ModelRef) -> TreeChange:
    """A policy that lists something lists this model too. `place` is the table that has the policy."""

    def change(tree: Tree) -> None:
        _at(tree, (*place, "model_policy"))["allow"].append(_written(ref))

    return change


def note_model(settings: "Settings", ref: ModelRef, alias: str | None = None) -> TreeChange:
    """`agents.defaults.models` has an entry for the model, which puts it into the catalogue, with this alias if there is one."""
    key = noted(settings, ref) or str(ref)

    def change(tree: Tree) -> None:
        notes = _at(tree, _NOTES)
        written = next((name for name in notes if name.strip() == key), key)
        if alias is not None:
            put(tree, (*_NOTES, written), "alias", alias)
        elif written not in notes:
            put(tree, _NOTES, written, {})

    return change


def remove_alias(settings: "Settings", alias: str) -> TreeChange:
    """The alias goes from wherever it stands. An entry that held nothing else stays, and with it the model that it names."""
    places = tuple(places_of_alias(settings, alias))

    def change(tree: Tree) -> None:
        for place in places:
            table = _at(tree, place[:-1])
            key = place[-1] if isinstance(place[-1], int) else _spelled(table, place[-1], place[:-1])
            entry = table[key]
            del entry["alias"]
            if _would_vanish(entry):
                table[key] = inline(table, {})

    return change


def places_of_alias(settings: "Settings", alias: str) -> Iterator[Location]:
    """The entries of the config that give a model this alias."""
    for name, provider in settings.models.providers.items():
        for n, model in enumerate(provider.models):
            if model.alias == alias:
                yield "models", "providers", name, "models", n
    for text, notes in settings.agents.defaults.models.items():
        if notes.alias == alias:
            yield (*_NOTES, text)


def noted(settings: "Settings", ref: ModelRef) -> str | None:
    """The key of `agents.defaults.models` that means this model, whatever its case, or None."""
    for text in settings.agents.defaults.models:
        left, slash, right = text.partition("/")
        if slash and provider_id(left) == ref.provider and right.strip().lower() == ref.name.lower():
            return text
    return None


def _written(ref: ModelRef) -> str:
    """A model as a value of the config, where `${NAME}` would be filled in."""
    return _VARIABLE.sub(lambda found: f"${found[0]}", str(ref))


def _at(tree: Any, place: Location) -> Any:
    """What stands at a place; an empty table where nothing does."""
    done: Location = ()
    for part in place:
        if isinstance(part, str):
            part = _spelled(tree, part, done)
            if part not in tree:
                return {}
        tree = tree[part]
        done = (*done, part)
    return tree


def _spelled(table: Any, name: str, place: Location) -> str:
    """The key that means this name: providers have several names, and keys may have blanks around them."""
    normal = provider_id if place == ("models", "providers") else str.strip
    return next((key for key in table if normal(key) == name), name)


def _would_vanish(entry: Any) -> bool:
    """Whether an entry was written with dots only, so that nothing of it is left when its last value goes."""
    from tomlkit.items import Table

    return isinstance(entry, Table) and not entry and entry.is_super_table()
