"""Orders of credentials, of the config and of each agent: ids that nobody has, and orders that leave nothing to serve.

Taking an order away would let credentials serve that it kept out, so a repair only removes ids from an order that keeps others.
"""

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

from bot.doctor.check import Check, Keep, Repair, note, warning
from bot.doctor.documents import is_known
from bot.doctor.edits import edit_config, edit_store
from bot.doctor.renamed import renamed_login
from bot.doctor.scene import Scene
from core.auth.provider_names import credential_provider
from core.errors import shown

if TYPE_CHECKING:
    from bot.config.edit import Tree

_SURROUNDINGS = ("env:", "config:", "models.json:", "none:")
"""Ids of what this shell may lack and a service has: they are named and left alone."""
CLAUDE_CLI = "anthropic:claude-cli"


def order_checks(scene: Scene) -> Iterator[Check]:
    """Of every agent's own orders, then of the config's, which concern all agents."""
    for agent in scene.agents:
        yield from _judge(_own_orders(agent, scene), (agent,), _of_agent(agent, scene), scene)
    if scene.settings is not None and scene.agents == scene.every_agent:
        yield from _judge(scene.settings.auth.order, scene.every_agent, _of_config(scene), scene)


@dataclass(frozen=True, slots=True)
class _Owner:
    """Whose an order is: how it and its place are called, the next step, and how ids are taken out of the order of a provider."""

    name: str
    place: str
    step: str
    remove: Callable[[str, Collection[str], Keep], None]


def _judge(orders: Mapping[str, Sequence[str]], agents: Sequence[str], owner: _Owner, scene: Scene) -> Iterator[Check]:
    for provider, ids in orders.items():
        about = f"{owner.place}:{provider}"
        unknown = [
            n for n in ids if not (_is_elsewhere(n, scene) or any(is_known(n, agent, scene) for agent in agents))
        ]
        gone = [name for name in unknown if not name.startswith(_SURROUNDINGS)]
        absent = [name for name in unknown if name.startswith(_SURROUNDINGS)]
        if len(gone) == len(ids):
            what = "names only credentials that nobody has" if ids else "is empty"
            told = f"The order of {provider} in {owner.name} {what}, so it keeps every credential out of service."
            yield warning("order.excludes_all", about, told, owner.step.format(provider=provider))
        elif gone:
            named = ", ".join(map(shown, gone))
            told = f"The order of {provider} in {owner.name} names {named}, which nobody has."
            repair = Repair(
                id="order.remove", text=f"take {named} out of it", run=partial(owner.remove, provider, gone)
            )
            yield warning("order.unknown", about, told, owner.step.format(provider=provider), repair)
        if absent:
            told = (
                f"The order of {provider} in {owner.name} names {', '.join(map(shown, absent))}, which is not set here."
            )
            yield note("order.not_here", about, told, "Set it, also where the service reads it.")


def _is_elsewhere(name: str, scene: Scene) -> bool:
    """Whether another check tells of this id: the Claude CLI's, or one that is stored under another id by now."""
    entry = scene.settings.auth.profiles.get(name) if scene.settings is not None else None
    return name == CLAUDE_CLI or (entry is not None and renamed_login(name, entry, scene) is not None)


def _own_orders(agent: str, scene: Scene) -> Mapping[str, Sequence[str]]:
    """Those that stand in the agent's own store: what it reads through is told for `main`."""
    held = scene.profiles(agent).order
    if agent == "main":
        return held
    inherited = scene.profiles("main").order
    return {provider: ids for provider, ids in held.items() if inherited.get(provider) != ids}


def _of_agent(agent: str, scene: Scene) -> _Owner:
    def remove(provider: str, gone: Collection[str], keep: Keep) -> None:
        edit_store(scene, agent, lambda document: _without(document, provider, gone), keep)

    step = f"Run: remoteclaw models auth order set --agent {agent} --provider {{provider}} <profile>..."
    return _Owner(f"the store of {agent}", str(scene.paths.auth_store(agent)), step, remove)


def _without(document: dict[str, Any], provider: str, gone: Collection[str]) -> dict[str, Any]:
    """The store with these ids out of a provider's order, unless none would be left."""
    order = document.get("order")
    if not isinstance(order, dict):
        return document
    changed = dict(order)
    for name, ids in order.items():
        if isinstance(ids, list) and credential_provider(name) == credential_provider(provider):
            changed[name] = [i for i in ids if i not in gone] or ids
    return {**document, "order": changed}


def _of_config(scene: Scene) -> _Owner:
    def remove(provider: str, gone: Collection[str], keep: Keep) -> None:
        edit_config(scene, lambda tree: _take_out(tree, provider, gone), keep)

    step = f"Correct auth.order.{{provider}} in {scene.paths.config}."
    return _Owner("the config", str(scene.paths.config), step, remove)


def _take_out(tree: "Tree", provider: str, gone: Collection[str]) -> None:
    """The same in the config, item by item, so that the lines of the others stay as they are."""
    for name, ids in tree.get("auth", {}).get("order", {}).items():
        for one in gone if credential_provider(name) == credential_provider(provider) else ():
            while one in ids and len(ids) > 1:
                ids.remove(one)
