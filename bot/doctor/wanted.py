"""The variables that an installation uses: keys that are found, `${NAME}` of the config, references to variables."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from bot import doctor_wiring as wiring
from bot.config.settings import Settings
from bot.config.substitution import variables
from bot.doctor.scene import Scene
from core.auth.refs import read_ref


def wanted_variables(scene: Scene, environments: Iterable[Mapping[str, str]]) -> set[str]:
    """By name, whether or not they are set; of keys those that any of these environments has."""
    found = set(_in_tree(scene.tree))
    for agent in scene.agents:
        for profile in scene.profiles(agent).profiles.values():
            if profile.ref is not None and profile.ref.source == "env":
                found.add(profile.ref.id)
    settings = scene.settings or Settings()
    return found.union(*(wiring.key_variables(settings, environment) for environment in environments))


def _in_tree(value: Any) -> Iterator[str]:
    """Of a config as it is written."""
    if isinstance(value, dict):
        if value.get("source") == "env":
            yield from _referenced(value)
        for part in value.values():
            yield from _in_tree(part)
    elif isinstance(value, list):
        for part in value:
            yield from _in_tree(part)
    elif isinstance(value, str):
        yield from variables(value)


def _referenced(value: dict[str, Any]) -> Iterator[str]:
    try:
        yield read_ref(value).id
    except ValueError:
        return  # a table of `secrets.providers`, or a reference that is broken, which is told elsewhere
