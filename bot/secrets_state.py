"""The files of an installation that hold secrets or references, as one value: as they are, and as a plan would have them."""

import copy
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bot.config.edit import Tree, TreeChange
from bot.config.load import settings_from
from bot.config.secret_edit import put_provider, put_reference, remove_provider
from bot.environment import Environment
from bot.secret_places import takes_reference
from bot.secrets_audit import agents_of, modes_of
from bot.secrets_files import Unreadable, json_object, read_regular, toml_table
from bot.secrets_findings import Use
from bot.secrets_plan import InvalidPlan, Plan, ref_view
from bot.secrets_scan import scan_config, scan_store
from bot.secrets_stores import with_references
from core.auth.refs import DEFAULT_PROVIDER
from core.auth.secret import SecretRef

if TYPE_CHECKING:
    from bot.app import SecretTools
    from bot.config.settings import Settings
    from bot.paths import Paths


@dataclass(frozen=True, slots=True, kw_only=True)
class Workplace:
    """The installation that a plan is for. `allow_exec` lets commands be run; a `dry_run` may leave them out, and writes nothing.
    `learn` hides what references give from all that is written."""

    paths: "Paths"
    environ: Environment
    tools: "SecretTools"
    learn: Callable[[Iterable[str]], None]
    allow_exec: bool = False
    dry_run: bool = False

    def settings(self, tree: Mapping[str, Any]) -> "Settings":
        """What a tree means here. Raises ConfigError."""
        return settings_from(tree, self.environ.for_config, str(self.paths.config))


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class State:
    """The config and the stores, secrets and all. `contents` are their bytes, `unknown` the stores that cannot be read, with the
    reason."""

    tree: Mapping[str, Any]
    settings: "Settings"
    stores: Mapping[str, Mapping[str, Any]]
    contents: Mapping[Path, bytes]
    unknown: Mapping[str, str]

    def uses(self, paths: "Paths") -> list[Use]:
        """Every reference, with its place."""
        found = list(scan_config(str(paths.config), self.tree))
        for agent, document in self.stores.items():
            found += scan_store(str(paths.auth_store(agent)), document, modes_of(self.tree))
        return [use for use in found if isinstance(use, Use)]

    def alias(self, ref: SecretRef) -> str:
        """The provider of secrets that a reference means."""
        if ref.provider != DEFAULT_PROVIDER:
            return ref.provider
        return str(getattr(self.settings.secrets.defaults, ref.source))


def read_state(plan: Plan, place: Workplace) -> State:
    """The installation as it is. What older files hold for the stores of the plan is taken over first, unless nothing may be
    written. Raises BotError for a file of the plan that cannot be used, and for an agent that there is not."""
    path = place.paths.config
    try:
        content = read_regular(path) or b""
        tree = toml_table(content)
    except Unreadable as error:
        raise InvalidPlan(f"{path} {error}.") from None
    settings = place.settings(tree)
    agents = agents_of(place.paths, tree)
    contents, unknown = {path: content}, {}
    stores: dict[str, Mapping[str, Any]] = {}
    for agent in plan.agents:
        if agent not in agents:
            raise InvalidPlan(f'Unknown agent id "{agent}".', f"Known agents: {', '.join(agents)}.")
        _refuse_unusable(agent, plan, place)
    for agent in agents:
        store = place.paths.auth_store(agent)
        try:
            found = read_regular(store)
            stores[agent] = json_object(found) if found is not None else {}
        except Unreadable as error:
            if agent in plan.agents:
                raise InvalidPlan(f"{store} {error}.") from None
            unknown[agent] = f"{store} {error}"
        else:
            contents[store] = found or b""
    return State(tree=tree, settings=settings, stores=stores, contents=contents, unknown=unknown)


def _refuse_unusable(agent: str, plan: Plan, place: Workplace) -> None:
    """Raises StoreError for a store that the program itself would not change."""
    writer = place.tools.writer(agent)
    if not place.dry_run:
        writer.import_older()
    for target in plan.targets:
        if target.agent == agent:
            writer.own_provider(target.profile)


def planned(plan: Plan, state: State, place: Workplace) -> State:
    """The installation as the plan would have it. Raises BotError where the plan does not fit it."""
    for target in plan.targets:
        if target.agent is None and not takes_reference(target.path):
            raise InvalidPlan(f"{target}: the configuration has no secret there that may be a reference.")
    tree = copy.deepcopy(dict(state.tree))
    set_in_config(plan)(tree)
    delete_in_config(plan)(tree)
    settings = place.settings(tree)
    stores = dict(state.stores)
    for agent in plan.agents:
        targets = [target for target in plan.targets if target.agent == agent]
        stores[agent] = with_references(stores[agent], targets, modes_of(tree))
    return replace(state, tree=tree, settings=settings, stores=stores)


def set_in_config(plan: Plan) -> TreeChange:
    """What the plan puts into the config."""
    changes = [put_provider(alias, table) for alias, table in plan.upserts.items()]
    changes += [put_reference(t.path, ref_view(t.ref)) for t in plan.targets if t.agent is None]
    return lambda tree: _all(changes, tree)


def delete_in_config(plan: Plan) -> TreeChange:
    """What the plan takes out of the config, once nothing uses it any more."""
    changes = [remove_provider(alias) for alias in plan.deletes]
    return lambda tree: _all(changes, tree)


def _all(changes: Iterable[TreeChange], tree: Tree) -> None:
    for change in changes:
        change(tree)
