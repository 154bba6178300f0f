"""References in the place of secrets in the store of one agent, as pure changes of its document."""

import json
from collections.abc import Iterable, Mapping
from typing import Any

from bot.secrets_plan import STORE_FIELDS, InvalidPlan, Target, ref_view
from core.auth.oauth_guard import UNSUPPORTED
from core.errors import shown

_PLAIN = {"keyRef": ("key", "apiKey"), "tokenRef": ("token",)}


def with_references(
    document: Mapping[str, Any], targets: Iterable[Target], modes: Mapping[str, str | None]
) -> dict[str, Any]:
    """The store with these references and without the secrets that they stand for. `modes` are those of the config.

    Raises InvalidPlan for a profile that is not there, that is of another type, or that is oauth.
    """
    profiles = dict(_profiles(document))
    for target in targets:
        entry = profiles.get(target.profile)
        if not isinstance(entry, dict):
            known = ", ".join(sorted(shown(name) for name in profiles)) or "none"
            raise InvalidPlan(f"{target}: this agent stores no such profile.", f"Stored are: {known}.")
        _refuse_unfit(target, entry, modes)
        field = target.path[2]
        kept = {key: value for key, value in entry.items() if key not in (*_PLAIN[field], field)}
        profiles[target.profile] = {**kept, field: ref_view(target.ref)}
    return {**document, "profiles": profiles}


def plain_secrets(document: Mapping[str, Any], targets: Iterable[Target]) -> list[str]:
    """What stands in the places of these targets as it is."""
    profiles = _profiles(document)
    entries = [(profiles.get(target.profile), _PLAIN[target.path[2]]) for target in targets]
    values = [entry.get(key) for entry, keys in entries if isinstance(entry, dict) for key in keys]
    return [value for value in values if isinstance(value, str)]


def encoded(document: Mapping[str, Any]) -> bytes:
    """As the store is written."""
    return f"{json.dumps(document, indent=2)}\n".encode()


def _profiles(document: Mapping[str, Any]) -> Mapping[str, Any]:
    found = document.get("profiles")
    return found if isinstance(found, dict) else {}


def _refuse_unfit(target: Target, entry: Mapping[str, Any], modes: Mapping[str, str | None]) -> None:
    kind = entry.get("type", entry.get("mode"))
    if kind == "oauth" or modes.get(target.profile) == "oauth":
        raise InvalidPlan(f"{target}: {UNSUPPORTED}", "Its tokens are refreshed in the store, so they stay there.")
    wanted = STORE_FIELDS[target.path[2]]
    if kind != wanted:
        raise InvalidPlan(f"{target}: the profile is no {wanted}.", "keyRef goes with api_key, tokenRef with token.")
