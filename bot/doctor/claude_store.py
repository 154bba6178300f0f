"""Profiles of the Claude CLI in a credential store, turned back into Anthropic's: pure changes (credentials.md 9.5)."""

from collections.abc import Mapping
from typing import Any

from core.auth.provider_names import provider_id

CLI, ANTHROPIC = "claude-cli", "anthropic"
CLI_PROFILE = "anthropic:claude-cli"
_BYTES = {"oauth": ("access", "refresh"), "token": ("token", "tokenRef")}
"""By type, what there must be something of. An API key is nobody's login, so one is never converted."""

Renamed = Mapping[str, str | None]
"""Old ids to new ones; None: the id goes, because nothing is stored for it."""


def stale_profiles(document: Mapping[str, Any]) -> Renamed:
    """The profiles of a store that belong to the CLI, each with the id that it would have as Anthropic's."""
    entries = document.get("profiles")
    found: dict[str, str | None] = {}
    for name, entry in entries.items() if isinstance(entries, dict) else ():
        if _is_login(entry) and (name == CLI_PROFILE or _provider(entry) == CLI):
            found[name] = _target(entry) if _has_bytes(entry) else None
    return found


def converted(document: dict[str, Any], renamed: Renamed) -> dict[str, Any]:
    """The store with its own such profiles under their new ids, and with the ids of all stores in its orders and older bookkeeping.
    A profile that has the new id already is kept, and the stale one goes."""
    entries = document.get("profiles")
    held = entries if isinstance(entries, dict) else {}
    own = stale_profiles(document)
    kept = {name: entry for name, entry in held.items() if name not in own}
    for name, target in own.items():
        if target is not None:
            kept.setdefault(target, {**document["profiles"][name], "provider": ANTHROPIC})
    changed = {**document, **({"profiles": kept} if isinstance(entries, dict) else {})}
    if isinstance(document.get("order"), dict):
        changed["order"] = _orders(document["order"], renamed)
        if not changed["order"] and document["order"]:
            del changed["order"]
    if isinstance(document.get("usageStats"), dict):
        changed["usageStats"] = _stats(document["usageStats"], renamed)
    if isinstance(document.get("lastGood"), dict):
        last = {_own(p): renamed.get(i, i) if isinstance(i, str) else i for p, i in document["lastGood"].items()}
        changed["lastGood"] = {provider: name for provider, name in last.items() if name is not None}
    return changed


def renamed_ids(ids: list[Any], renamed: Renamed) -> list[Any]:
    """The ids of an order under their new names, each once."""
    fresh = [renamed.get(i, i) if isinstance(i, str) else i for i in ids]
    return [name for n, name in enumerate(fresh) if name is not None and name not in fresh[:n]]


def _orders(orders: dict[str, Any], renamed: Renamed) -> dict[str, Any]:
    """Those of the CLI are joined to Anthropic's, behind it. An order that loses its last id goes."""
    joined: dict[str, Any] = {}
    for provider, ids in sorted(orders.items(), key=lambda one: provider_id(one[0]) == CLI):
        if not isinstance(ids, list):
            joined.setdefault(provider, ids)
            continue
        before = joined.get(_own(provider), [])
        fresh = renamed_ids([*before, *ids] if isinstance(before, list) else ids, renamed)
        if fresh or not ids:
            joined[_own(provider)] = fresh
    return joined


def _stats(stats: dict[str, Any], renamed: Renamed) -> dict[str, Any]:
    kept = {name: value for name, value in stats.items() if name not in renamed}
    for name, target in renamed.items():
        if target is not None and name in stats:
            kept.setdefault(target, stats[name])
    return kept


def _is_login(entry: object) -> bool:
    return isinstance(entry, dict) and _kind(entry) in _BYTES


def _own(provider: str) -> str:
    return ANTHROPIC if provider_id(provider) == CLI else provider


def _kind(entry: Mapping[str, Any]) -> object:
    return entry.get("type", entry.get("mode"))


def _provider(entry: Mapping[str, Any]) -> str:
    provider = entry.get("provider")
    return provider_id(provider) if isinstance(provider, str) else ""


def _has_bytes(entry: Mapping[str, Any]) -> bool:
    values = (entry.get(field) for field in _BYTES[str(_kind(entry))])
    return any(value.strip() if isinstance(value, str) else isinstance(value, dict) for value in values)


def _target(entry: Mapping[str, Any]) -> str:
    email = entry.get("email")
    return f"{ANTHROPIC}:{email.strip() if isinstance(email, str) and email.strip() else 'default'}"
