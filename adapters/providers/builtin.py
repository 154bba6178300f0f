"""The providers that need only a credential, as data from builtin.toml. Standard library only: `models status` reads it."""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import MappingProxyType
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class BuiltinModel:
    """A well-known model. `context_window` is in tokens; None where the vendor's figure is not known here. `inputs` are the kinds
    of content that it takes; empty where that is not known here."""

    id: str
    alias: str | None = None
    context_window: int | None = None
    inputs: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class BuiltinProvider:
    """A provider with a fixed address. `env` are the variables that may hold its credential: the first non-empty one wins."""

    id: str
    base_url: str
    api: str
    env: tuple[str, ...]
    default_model: str | None = None
    models: tuple[BuiltinModel, ...] = ()


@cache
def builtin_providers() -> Mapping[str, BuiltinProvider]:
    """Provider id -> provider, in the order of the file."""
    table = tomllib.loads(Path(__file__).with_name("builtin.toml").read_text("utf-8"))
    return MappingProxyType({name: _provider(name, entry) for name, entry in table.items()})


def _provider(name: str, entry: dict[str, Any]) -> BuiltinProvider:
    models = tuple(
        BuiltinModel(**{**model, "inputs": tuple(model.get("inputs", ()))}) for model in entry.get("models", ())
    )
    return BuiltinProvider(**{**entry, "id": name, "env": tuple(entry["env"]), "models": models})


def declared_variables() -> tuple[str, ...]:
    """The variables that the built-in providers declare for their keys, each once, in the order of the table."""
    return tuple(dict.fromkeys(name for provider in builtin_providers().values() for name in provider.env))
