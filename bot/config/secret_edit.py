"""Changes to config.toml that move secrets: references in the place of secrets, and the tables of `secrets.providers`.

Each is made on a plain tree and on a tomlkit document alike (see bot.config.edit).
"""

from collections.abc import Mapping
from typing import Any

from bot.config.edit import Tree, TreeChange
from bot.config.problems import dotted
from core.errors import ConfigError


def put_reference(path: tuple[str, ...], ref: Mapping[str, str]) -> TreeChange:
    """A reference at this path, in a table that is there. Raises ConfigError where it is not."""

    def change(tree: Tree) -> None:
        table: Any = tree
        for part in path[:-1]:
            table = table.get(part) if isinstance(table, Mapping) else None
        if not isinstance(table, Mapping):
            raise ConfigError(dotted(path), "there is no such table in the configuration.")
        if table.get(path[-1]) != ref:
            table[path[-1]] = _inline(table, ref)  # type: ignore[index] # both kinds of trees can be changed

    return change


def put_provider(alias: str, table: Mapping[str, Any]) -> TreeChange:
    """secrets.providers.<alias> is this table. Of one that is there already, equal keys keep their comments."""

    def change(tree: Tree) -> None:
        secrets = tree.get("secrets", {})
        present = secrets.get("providers", {}).get(alias)
        if isinstance(present, Mapping):
            for key in [key for key in present if key not in table]:
                del present[key]  # type: ignore[attr-defined]
            for key, value in table.items():
                if present.get(key) != value:
                    present[key] = value  # type: ignore[index]
        elif "providers" in secrets:
            secrets["providers"][alias] = dict(table)
        elif "secrets" in tree:
            secrets["providers"] = {alias: dict(table)}
        else:
            tree["secrets"] = {"providers": {alias: dict(table)}}

    return change


def remove_provider(alias: str) -> TreeChange:
    """There is no secrets.providers.<alias>, nor a table that it leaves empty."""

    def change(tree: Tree) -> None:
        secrets = tree.get("secrets", {})
        providers = secrets.get("providers", {})
        if providers.pop(alias, None) is not None and not providers:
            del secrets["providers"]
            if not secrets:
                del tree["secrets"]

    return change


def _inline(table: object, ref: Mapping[str, str]) -> dict[str, Any]:
    """The reference on one line, so that it stands where the secret stood."""
    if type(table) is dict:
        return dict(ref)
    import tomlkit

    inline = tomlkit.inline_table()
    inline.update(ref)
    return inline
