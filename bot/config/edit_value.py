"""Changes of one setting, wherever it is and however it is written (see bot.config.edit)."""

from collections.abc import Mapping
from typing import Any

from bot.config.edit import Tree, TreeChange, inline, put
from bot.config.place import spelled, table_of
from bot.config.problems import Location, dotted
from core.errors import ConfigError


def set_value(place: Location, value: object, *, on_one_line: bool = False) -> TreeChange:
    """This value at this place; tables around it are made. `on_one_line`: a table that stands for a value. Raises ConfigError
    for an entry that a list has not."""

    def change(tree: Tree) -> None:
        holder = table_of(tree, place)
        key = place[-1] if holder is None else spelled(holder, place[-1], place[:-1])
        fitting = inline(tree, value) if on_one_line and isinstance(value, Mapping) else value
        if isinstance(holder, list):
            _into_list(holder, key, fitting, place)
        elif holder is not None and len(place) > 1 and not any(isinstance(part, int) for part in place):
            put(tree, _path(tree, place), str(key), fitting)
        elif holder is not None:
            holder[key] = fitting
        elif any(isinstance(part, int) for part in place):
            raise ConfigError(dotted(place), "there is no such entry.", "Nothing was changed.")
        else:
            put(tree, _path(tree, place), str(key), fitting)

    return change


def unset_value(place: Location) -> TreeChange:
    """Nothing at this place. What held it stays, also where it is empty now: an agent without settings is an agent."""

    def change(tree: Tree) -> None:
        holder = table_of(tree, place)
        if holder is None:
            return
        key = spelled(holder, place[-1], place[:-1])
        if isinstance(holder, list):
            if isinstance(key, int) and key < len(holder):
                del holder[key]
            return
        if key not in holder:
            return
        del holder[key]
        if len(place) > 1 and _would_vanish(holder):
            above = table_of(tree, place[:-1])
            above[spelled(above, place[-2], place[:-2])] = inline(above, {})

    return change


def _path(tree: Any, place: Location) -> tuple[str, ...]:
    """The tables around a place, as they are spelled there."""
    names: list[str] = []
    for n, part in enumerate(place[:-1]):
        name = str(spelled(tree, part, place[:n]))
        names.append(name)
        tree = tree.get(name, {}) if isinstance(tree, Mapping) else {}
    return tuple(names)


def _into_list(holder: list[Any], key: str | int, value: object, place: Location) -> None:
    if not isinstance(key, int) or key > len(holder):
        raise ConfigError(dotted(place), f"there are only {len(holder)} entries.", "Nothing was changed.")
    if key == len(holder):
        holder.append(value)
    elif holder[key] != value:
        holder[key] = value


def _would_vanish(table: Any) -> bool:
    """Whether a table was written with dots only, so that nothing of it is left when its last value goes."""
    from tomlkit.items import Table

    return isinstance(table, Table) and not table and table.is_super_table()
