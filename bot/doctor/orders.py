"""Orders of credentials, of the config and of each agent: ids that nobody has, and orders that leave nothing to serve.

Taking an order away would let credentials serve that it kept out, so a repair only removes ids from an order that keeps others.
"""

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

from bot.doctor.check import Check, Keep, Repair, changed, note, warning
from bot.doctor.documents import is_known, is_of_surroundings
from bot.doctor.edits import edit_config, edit_store
from bot.doctor.renamed import renamed_login
from bot.doctor.scene import Scene
from bot.doctor.steps import typed
from core.auth.provider_names import credential_provider
from core.errors import shown
from core.sessions.key import DEFAULT_AGENT

if TYPE_CHECKING:
    from bot.config.edit import Tree

CLAUDE_CLI = "anthropic:claude-cli"


def order_checks(scene: Scene) -> Iterator[Check]:
    """Of every agent's own orders, then of the config's. The config's, and those of `main`, which others read through to, concern
    all agents."""
    for agent in scene.agents:
        agents = scene.every_agent if agent == DEFAULT_AGENT else (agent,)
        yield from _judge(_own_orders(agent, scene), _of_agent(agent, agents, scene), scene)
    if scene.settings is not None and scene.agents == scene.every_agent:
        yield from _judge(scene.settings.auth.order, _of_config(scene), scene)


@dataclass(frozen=True, slots=True)
class _Owner:
    """Whose an order is: how it and its place are called, whom it concerns, the next step for a provider, and how ids are taken out
    of its order."""

    name: str
    place: str
    agents: Sequence[str]
    step: Callable[[str], str]
    remove: Callable[[str, Collection[str], Keep], None]


def _judge(orders: Mapping[str, Sequence[str]], owner: _Owner, scene: Scene) -> Iterator[Check]:
    for provider, ids in orders.items():
        about = f"{owner.place}:{provider}"
        unknown = [n for n in ids if not (_is_elsewhere(n, scene) or _has(owner.agents, n, scene))]
        gone = [name for name in unknown if not is_of_surroundings(name)]
        absent = [name for name in unknown if is_of_surroundings(name)]
        if len(gone) == len(ids):
            what = "names only credentials that nobody has" if ids else "is empty"
            told = f"The order of {provider} in {owner.name} {what}, so it keeps every credential out of service."
            yield warning("order.excludes_all", about, told, owner.step(provider))
        elif gone := [name for name in gone if not _is_wanted(name, scene)]:
            named = ", ".join(map(shown, gone))
            told = f"The order of {provider} in {owner.name} names {named}, which nobody has."
            repair = Repair(
                id="order.remove", text=f"take {named} out of it", run=partial(owner.remove, provider, gone)
            )
            yield warning("order.unknown", about, told, owner.step(provider), repair)
        if absent:
            told = (
                f"The order of {provider} in {owner.name} names {', '.join(map(shown, absent))}, which is not set here."
            )
            yield note("order.not_here", about, told, "Set it, also where the service reads it.")


def _is_wanted(name: str, scene: Scene) -> bool:
    """Whether the config says what kind of credential this is to be: then it is missing, and its place in the order is right."""
    return scene.settings is not None and name in scene.settings.auth.profiles


def _has(agents: Sequence[str], name: str, scene: Scene) -> bool:
    return any(is_known(name, agent, scene) for agent in agents)


def _refuse_what_is_there(gone: Collection[str], agents: Sequence[str], scene: Scene) -> None:
    """The stores are asked as they are now: somebody may have stored one of them since."""
    for name in gone:
        if _has(agents, name, scene):
            raise changed(f"{shown(name)} is stored by now.")


def _is_elsewhere(name: str, scene: Scene) -> bool:
    """Whether another check tells of this id: the Claude CLI's, or one that is stored under another id by now."""
    entry = scene.settings.auth.profiles.get(name) if scene.settings is not None else None
    return name == CLAUDE_CLI or (entry is not None and renamed_login(name, entry, scene) is not None)


def _own_orders(agent: str, scene: Scene) -> Mapping[str, Sequence[str]]:
    """Those that stand in the agent's own store: what it reads through is told for `main`."""
    held = scene.profiles(agent).order
    if agent == DEFAULT_AGENT:
        return held
    inherited = scene.profiles(DEFAULT_AGENT).order
    return {provider: ids for provider, ids in held.items() if inherited.get(provider) != ids}


def _of_agent(agent: str, agents: Sequence[str], scene: Scene) -> _Owner:
    path = scene.paths.auth_store(agent)

    def remove(provider: str, gone: Collection[str], keep: Keep) -> None:
        def still() -> None:
            _refuse_what_is_there(gone, agents, scene)

        edit_store(scene, agent, lambda document: _without(document, provider, gone), keep, still)

    def step(provider: str) -> str:
        command = "Run: remoteclaw models auth order set --agent {agent} --provider {provider} <profile>..."
        return typed(command, f"Correct it in {path}.", agent=agent, provider=provider)

    return _Owner(f"the store of {agent}", str(path), agents, step, remove)


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
        def still(_: Mapping[str, Any]) -> None:
            _refuse_what_is_there(gone, scene.every_agent, scene)

        edit_config(scene, lambda tree: _take_out(tree, provider, gone), keep, still)

    def step(provider: str) -> str:
        return f"Correct auth.order.{provider} in {scene.paths.config}."

    return _Owner("the config", str(scene.paths.config), scene.every_agent, step, remove)


def _take_out(tree: "Tree", provider: str, gone: Collection[str]) -> None:
    """The same in the config, item by item, so that the lines of the others stay as they are."""
    for name, ids in tree.get("auth", {}).get("order", {}).items():
        for one in gone if credential_provider(name) == credential_provider(provider) else ():
            while one in ids and len(ids) > 1:
                ids.remove(one)
