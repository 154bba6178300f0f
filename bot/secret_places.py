"""Which values of a config are confidential, by their place.

The places of the config are those that `Settings` declares, so that none can be forgotten here. What is walked through is the
tree as it is written, which need not be a valid config.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from bot.config.problems import Location
from bot.config.section import inside, kinds_of
from core.auth.secret import Secret, SecretRef


@dataclass(frozen=True, slots=True)
class SecretField:
    """One confidential value of the config as it stands there, and whether a reference may take its place."""

    path: Location
    value: object
    takes_ref: bool


def secret_fields(tree: Mapping[str, Any]) -> Iterator[SecretField]:
    """Every value of a config that stands where the settings have a secret."""
    from bot.config.settings import Settings

    yield from _fields(tree, Settings, ())


def takes_reference(path: Sequence[str | int]) -> bool:
    """Whether the config has a secret at this path that may be a reference."""
    from bot.config.settings import Settings

    annotation: object = Settings
    for part in path:
        annotation = inside(annotation, part)
    return SecretRef in kinds_of(annotation)


def _fields(value: object, annotation: object, path: Location) -> Iterator[SecretField]:
    kinds = kinds_of(annotation)
    if Secret in kinds:
        yield SecretField(path, value, SecretRef in kinds)
    elif isinstance(value, Mapping):
        for key, part in value.items():
            yield from _fields(part, inside(annotation, key), (*path, key))
    elif isinstance(value, list):
        for n, part in enumerate(value):
            yield from _fields(part, inside(annotation, n), (*path, n))
