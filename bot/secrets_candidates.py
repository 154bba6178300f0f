"""The credentials of an installation that may be moved to a provider of secrets, and what is said of each."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from bot.confidential import is_confidential_header
from bot.config.problems import dotted
from bot.secret_places import secret_fields
from bot.secrets_audit import modes_of
from bot.secrets_plan import STORE_FIELDS
from bot.secrets_state import State
from core.auth.environment import base_name
from core.auth.refs import is_ref, read_ref

_REF_FIELD = {kind: field for field, kind in STORE_FIELDS.items()}
_VALUE_FIELD = {"keyRef": ("key", "apiKey"), "tokenRef": ("token",)}


@dataclass(frozen=True, slots=True)
class Candidate:
    """A place that may get a reference. `agent` None: in the config. `now` says what stands there, without a secret."""

    path: tuple[str, ...]
    agent: str | None
    now: str
    variable: str
    """The name that a variable for it would usually have."""

    def __str__(self) -> str:
        return f"{dotted(self.path)} ({self.now})"


def candidates(state: State, agent: str) -> Iterator[Candidate]:
    """Those of the config and of the store of one agent. OAuth profiles take no references."""
    for field in secret_fields(state.tree):
        path = tuple(map(str, field.path))
        is_header = "headers" in path and not is_confidential_header(path[-1]) and not is_ref(field.value)
        if field.takes_ref and not is_header:
            yield Candidate(path, None, _now(field.value), _variable_of_field(path))
    profiles = state.stores.get(agent, {}).get("profiles")
    modes = modes_of(state.tree)
    for name, entry in profiles.items() if isinstance(profiles, Mapping) else ():
        kind = entry.get("type", entry.get("mode")) if isinstance(entry, Mapping) else None
        if kind in _REF_FIELD and modes.get(name) != "oauth":
            field_name = _REF_FIELD[kind]
            value = entry.get(field_name) or next((entry[k] for k in _VALUE_FIELD[field_name] if entry.get(k)), None)
            yield Candidate(("profiles", name, field_name), agent, _now(value), _variable_of_profile(entry))


def _now(value: object) -> str:
    if not is_ref(value):
        return "a secret as it is" if isinstance(value, str) and value.strip() else "nothing"
    try:
        ref = read_ref(value)
    except ValueError:
        return "a wrong reference"
    return f"{ref.source}:{ref.provider}:{ref.id}"


def _variable_of_field(path: tuple[str, ...]) -> str:
    if path[:2] == ("models", "providers"):
        return f"{base_name(path[2])}_API_KEY"
    return f"{path[1].upper()}_BOT_TOKEN" if path[0] == "channels" and path[-1] == "token" else ""


def _variable_of_profile(entry: Mapping[str, Any]) -> str:
    provider = entry.get("provider")
    return f"{base_name(provider)}_API_KEY" if isinstance(provider, str) and provider.strip() else ""
