"""What the conversion would change, in full, before anything is: made when it is offered, and once more when it is carried out."""

import copy
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from bot import doctor_wiring as wiring
from bot.config.load import read_toml, settings_from
from bot.config.problems import dotted
from bot.doctor.claude_config import conversion, in_config
from bot.doctor.claude_store import ANTHROPIC, CLI_PROFILE, Renamed, converted, stale_profiles
from bot.doctor.scene import Scene
from core.auth.profiles import CredentialKind
from core.auth.provider_names import credential_provider
from core.errors import BotError, shown

if TYPE_CHECKING:
    from bot.config.edit import TreeChange

_THEN = (
    "Anthropic's models need a credential now: remoteclaw models auth add --provider anthropic "
    "(an API key; else the token of `claude setup-token`)"
)
_OF_PLACES = (("models",), ("auth", "profiles"), ("profiles",), ("usageStats",))
"""Tables of which only the places are told: a secret may stand in them."""
_LONGEST = 300


@dataclass(frozen=True, slots=True)
class Plan:
    """The change of the config, if it has one, the agents whose stores change, all of it in words, and what is left to do."""

    config: "TreeChange | None"
    agents: tuple[str, ...]
    renamed: Renamed
    changes: tuple[str, ...]
    then: str


def make_plan(scene: Scene) -> Plan:
    """By what config and stores hold now. Raises BotError where it cannot be made safely, or would not be whole."""
    tree = read_toml(scene.paths.config)
    documents = {agent: wiring.stored_document(scene.paths.auth_store(agent)) for agent in scene.every_agent}
    renamed = _renamed(documents)
    has_credential = any(renamed.values()) or _has_anthropic(renamed, scene)
    change = conversion(renamed, wiring.known_models(ANTHROPIC), has_credential) if any(in_config(tree)) else None
    changes = list(_changes_of_config(tree, change, scene))
    agents = []
    for agent, document in documents.items():
        after = converted(document, renamed)
        if after != document:
            agents.append(agent)
            changes += (f"the store of {agent}: {line}" for line in _differences(document, after))
    return Plan(change, tuple(agents), renamed, tuple(changes), "" if has_credential else _THEN)


def _renamed(documents: Mapping[str, Mapping[str, Any]]) -> Renamed:
    """One new id for each old one, whichever agent has it: orders name an id once for all. Raises BotError where two logins would
    become one, or one id is of two logins."""
    renamed: dict[str, str | None] = {CLI_PROFILE: None}
    for agent, document in documents.items():
        taken: dict[str, str] = {}
        for name, target in stale_profiles(document).items():
            before = renamed.get(name)
            if before is not None and target is not None and before != target:
                raise _unclear(f"{shown(name)} is {before} in one store and {target} in that of {agent}.")
            renamed[name] = target or before
            if target is not None and taken.setdefault(target, name) != name:
                raise _unclear(
                    f"{shown(taken[target])} and {shown(name)} in the store of {agent} would both become {target}."
                )
    return renamed


def _unclear(told: str) -> BotError:
    step = f"Log in anew to each account that is to stay, with an id of its own, and remove {CLI_PROFILE}."
    return BotError("unclear", told, step)


def _has_anthropic(renamed: Renamed, scene: Scene) -> bool:
    """Whether some other credential would serve Anthropic's models."""
    return any(
        credential_provider(profile.provider) == ANTHROPIC
        and profile.kind is not CredentialKind.CLI
        and profile.id not in renamed
        for agent in scene.every_agent
        for profile in scene.profiles(agent).profiles.values()
    )


def _changes_of_config(tree: Mapping[str, Any], change: "TreeChange | None", scene: Scene) -> Iterator[str]:
    """In words. Raises BotError where a gateway would not start any more with the config."""
    if change is None:
        return
    after = copy.deepcopy(dict(tree))
    change(after)
    settings = settings_from(after, scene.environment, str(scene.paths.config))
    if scene.rules is not None:
        wiring.rules_of(settings, scene.paths)
    yield from (f"{scene.paths.config.name}: {line}" for line in _differences(tree, after))


def _differences(before: Mapping[str, Any], after: Mapping[str, Any], path: tuple[str, ...] = ()) -> Iterator[str]:
    """Line by line what differs; of tables that hold secrets the places alone."""
    for key in [*before, *(key for key in after if key not in before)]:
        place, old, new = (*path, key), before.get(key), after.get(key)
        if old == new:
            continue
        if isinstance(old, Mapping) and isinstance(new, Mapping):
            yield from _differences(old, new, place)
        elif key not in after:
            yield f"{dotted(place)} goes"
        elif key not in before:
            yield f"{dotted(place)} comes{_value(place, new)}"
        else:
            yield f"{dotted(place)} becomes{_value(place, new) or ' another one'}"


def _value(place: Sequence[str], value: object) -> str:
    is_secret = any(tuple(place[: len(table)]) == table for table in _OF_PLACES)
    if is_secret or isinstance(value, Mapping):
        return ""
    text = str(value)
    return f" {text}" if len(text) <= _LONGEST else f" {text[:_LONGEST]}…"
