"""The credential stores as files: whether they can be read, what of them cannot be used, older layouts, and orders."""

import json
from collections.abc import Iterator, Mapping
from typing import Any

from bot import doctor_wiring as wiring
from bot.doctor.check import Check, Repair, error, note, ok, warning
from bot.doctor.edits import import_older
from bot.doctor.orders import order_checks
from bot.doctor.scene import Scene
from bot.doctor.steps import typed
from bot.secrets_files import Unreadable, json_object, read_regular
from core.auth.secret import clean_secret, unsendable
from core.errors import shown

_VERSION = 1
_SENT = ("key", "apiKey", "token", "access")


def checks(scene: Scene) -> Iterator[Check]:
    """Every agent's store. Orders are judged where the store can be read."""
    found = [check for agent in scene.agents for check in _agent(agent, scene)]
    yield from found
    yield from order_checks(scene)
    stored = [agent for agent in scene.agents if scene.paths.auth_store(agent).exists()]
    if stored and not any(check.verdict.rank > 1 for check in found):
        yield ok("stores", "agents", f"The store of {', '.join(stored)} can be read.")


def _agent(agent: str, scene: Scene) -> Iterator[Check]:
    path = scene.paths.auth_store(agent)
    step = typed(
        "Restore it from a backup, or move it away: mv {path} {away}",
        "Restore it from a backup, or move it away.",
        path=path,
        away=f"{path}.broken",
    )
    try:
        content = read_regular(path)
        document = {} if content is None else json_object(content)
    except Unreadable as failure:
        yield error("store.unreadable", path, f"{path} {failure}, so none of its credentials serves.", step)
        return
    if not isinstance(document.get("profiles", {}), dict):
        yield error("store.unreadable", path, f"{path}: 'profiles' is not an object, so nothing of it serves.", step)
        return
    yield from _shape(agent, document, content or b"", scene)
    yield from _older(agent, document, scene)


def _shape(agent: str, document: Mapping[str, Any], content: bytes, scene: Scene) -> Iterator[Check]:
    path = scene.paths.auth_store(agent)
    version = document.get("version", _VERSION)
    if version != _VERSION:
        told = f"{path} says that it has version {shown(str(version))}; this program knows {_VERSION}."
        yield warning("store.version", path, told, "See which program wrote it.")
    for name in _twice(content):
        told = f"{path} has {shown(name)} twice in one object; the last one counts."
        yield warning("store.duplicate", path, told, "Remove one of them.")
    for name, entry in document.get("profiles", {}).items():
        about = f"{path}:{shown(name)}"
        fault = wiring.entry_fault(name, entry)
        if fault is not None:
            command = "Store it again, or remove it: remoteclaw models auth logout --agent {agent} {name}"
            step = typed(command, f"Remove it from {path}, in an editor.", agent=agent, name=name)
            yield error("store.entry", about, f"{path}: the profile {shown(name)} is not used: {fault}.", step)
        elif reason := _unsendable(entry):
            told = f"{path}: the secret of {shown(name)} {reason}."
            yield error("store.secret", about, told, "Store it again.")
    order = document.get("order")
    if order is not None and not isinstance(order, dict):
        yield warning(
            "store.order_shape", path, f"{path}: 'order' is not an object, so it has no effect.", "Remove it."
        )
    for provider, ids in order.items() if isinstance(order, dict) else ():
        if not isinstance(ids, list) or not any(isinstance(i, str) and i.strip() for i in ids):
            told = f"{path}: the order of {shown(provider)} names nothing, so it has no effect."
            command = "Run: remoteclaw models auth order clear --agent {agent} --provider {provider}"
            step = typed(command, f"Remove it from {path}.", agent=agent, provider=provider)
            yield note("store.order_shape", path, told, step)


def _twice(content: bytes) -> list[str]:
    """Keys that stand twice in one object: readers keep the last one and say nothing."""
    found: list[str] = []

    def notice(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        seen: dict[str, Any] = {}
        for key, value in pairs:
            if key in seen and key not in found:
                found.append(key)
            seen[key] = value
        return seen

    if content:
        json.loads(content.decode("utf-8-sig"), object_pairs_hook=notice)
    return found


def _unsendable(entry: Mapping[str, Any]) -> str | None:
    for field in _SENT:
        value = entry.get(field)
        if isinstance(value, str) and (reason := unsendable(clean_secret(value))) is not None:
            return reason
    return None


def _older(agent: str, document: dict[str, Any], scene: Scene) -> Iterator[Check]:
    """What older layouts hold for this store: a start takes it over, as does the repair."""
    plan = wiring.older_plan(scene.paths, agent, document)
    folder = scene.paths.agent(agent)
    if plan.is_due:
        names = ", ".join(str(path) for path in plan.left) or "an older file"
        store = scene.paths.auth_store(agent)
        told = f"Credentials or orders of an older layout wait to be taken over into {store}: {names}."
        repair = Repair(
            id="store.import",
            text=f"take them over into the store of {agent}",
            run=lambda keep: import_older(scene, agent, keep),
        )
        yield note("store.older", folder, told, "The next start of a gateway or chat takes them over.", repair)
    for sentence in plan.skipped:
        yield warning("store.older_unusable", folder, sentence, "Store it anew: remoteclaw models auth add")
    for failure in plan.refused.values():
        yield warning("store.older_unusable", folder, f"Not taken over: {failure.message}", failure.hint)
