"""The plan of moving credentials to providers of secrets: a JSON file that says what `secrets apply` shall do, and no secret.

    {"version": 1,
     "provider_upserts": {"vault": {"source": "file", "path": "/etc/keys.json"}},      a table of secrets.providers each
     "provider_deletes": ["old"],
     "targets": [
       {"path": ["models", "providers", "acme", "api_key"], "ref": {"source": "file", "provider": "vault", "id": "/acme"}},
       {"path": ["profiles", "acme:work", "keyRef"], "agent": "main", "ref": {...}}],   a store where `agent` is named
     "scrub_env": ["ACME_API_KEY"]}                                                    lines of `.env` that go

Only `version` has to be there, besides something to do. `generated_at` and `generated_by` mean nothing.
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from bot.confidential import is_confidential_variable
from bot.config.problems import dotted
from bot.config.substitution import variables
from core.auth.refs import read_ref
from core.auth.secret import SecretRef
from core.errors import BotError, shown
from core.sessions.key import agent_id

VERSION = 1
LARGEST = 5 * 1024 * 1024
STORE_FIELDS = {"keyRef": "api_key", "tokenRef": "token"}
"""The field of a stored profile that takes a reference, and the type of the profile that has it."""
_KEYS = {
    "version",
    "generated_at",
    "generated_by",
    "provider_upserts",
    "provider_deletes",
    "targets",
    "scrub_env",
}
_TARGET_KEYS = {"path", "agent", "ref"}


class InvalidPlan(BotError):
    """A plan that cannot be carried out. Nothing was changed."""

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__("secrets_plan", message, hint)


@dataclass(frozen=True, slots=True)
class Target:
    """A place that gets a reference: of the config, or of an agent's store."""

    path: tuple[str, ...]
    ref: SecretRef
    agent: str | None = None

    @property
    def profile(self) -> str:
        """The profile id; only of a target in a store."""
        return self.path[1]

    def __str__(self) -> str:
        return dotted(self.path) if self.agent is None else f"{dotted(self.path)} of agent {self.agent}"


@dataclass(frozen=True, slots=True)
class Plan:
    """What is to be done. The tables of `upserts` are as TOML has them, unjudged."""

    upserts: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    deletes: tuple[str, ...] = ()
    targets: tuple[Target, ...] = ()
    scrub_env: tuple[str, ...] = ()

    @property
    def agents(self) -> tuple[str, ...]:
        """The agents whose stores change."""
        return tuple(dict.fromkeys(target.agent for target in self.targets if target.agent is not None))


def read_plan(content: bytes) -> Plan:
    """A plan out of an untrusted file. Raises InvalidPlan, naming the part that is wrong."""
    if len(content) > LARGEST:
        raise InvalidPlan(f"The plan is larger than {LARGEST // (1024 * 1024)} MiB.")
    try:
        document = json.loads(content.decode("utf-8-sig"), object_pairs_hook=_distinct)
    except RecursionError:
        raise InvalidPlan("The plan is nested too deeply.") from None
    except ValueError as error:
        where = f" (line {error.lineno})" if isinstance(error, json.JSONDecodeError) else ""
        raise InvalidPlan(f"The plan is not valid JSON{where}.") from None
    if not isinstance(document, dict):
        raise InvalidPlan("The plan must be a JSON object.")
    _refuse_unknown(document, _KEYS, "The plan")
    version = document.get("version")
    if isinstance(version, bool) or version != VERSION:
        raise InvalidPlan(f"The version of the plan must be {VERSION}.")
    plan = Plan(
        _upserts(document.get("provider_upserts", {})),
        _names(document.get("provider_deletes", []), "provider_deletes"),
        _targets(document.get("targets", [])),
        _names(document.get("scrub_env", []), "scrub_env"),
    )
    both = sorted(set(plan.upserts) & set(plan.deletes))
    if both:
        raise InvalidPlan(f"The plan both sets and deletes the provider {shown(both[0])}.")
    return plan


def encode_plan(plan: Plan, generated_at: str) -> bytes:
    """The plan as `read_plan` reads it."""
    document = {
        "version": VERSION,
        "generated_at": generated_at,
        "generated_by": "remoteclaw secrets configure",
        "provider_upserts": plan.upserts,
        "provider_deletes": list(plan.deletes),
        "targets": [_target_view(target) for target in plan.targets],
        "scrub_env": list(plan.scrub_env),
    }
    return f"{json.dumps(document, indent=2)}\n".encode()


def ref_view(ref: SecretRef) -> dict[str, str]:
    """A reference as it is written into files."""
    return {"source": ref.source, "provider": ref.provider, "id": ref.id}


def _target_view(target: Target) -> dict[str, Any]:
    owner = {} if target.agent is None else {"agent": target.agent}
    return {"path": list(target.path), **owner, "ref": ref_view(target.ref)}


def _distinct(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """An object whose keys are there once: of two that mean different things nobody knows which was meant."""
    found = dict(pairs)
    if len(found) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise InvalidPlan(f"The plan has the key {shown(twice)} twice.")
    return found


def _refuse_unknown(table: Mapping[str, Any], known: set[str], name: str) -> None:
    unknown = [key for key in table if key not in known]
    if unknown:
        raise InvalidPlan(f"{name} has an unknown key {shown(unknown[0])}.", f"Known are: {', '.join(sorted(known))}.")


def _upserts(given: object) -> dict[str, dict[str, Any]]:
    if not isinstance(given, dict) or not all(isinstance(table, dict) for table in given.values()):
        raise InvalidPlan("provider_upserts of the plan must be an object of objects.")
    for alias, table in given.items():
        if None in table.values():
            raise InvalidPlan(f"provider_upserts.{shown(alias)} holds null.", "Leave out what is not set.")
        env = table.get("env", {})
        for name, value in env.items() if isinstance(env, dict) else ():
            if isinstance(value, str) and not variables(value) and is_confidential_variable(name, value):
                raise InvalidPlan(
                    f"provider_upserts.{shown(alias)}.env.{shown(name)} holds a secret, and a plan must hold none.",
                    'Write "${NAME}" and set that variable.',
                )
    return given


def _names(given: object, key: str) -> tuple[str, ...]:
    if not isinstance(given, list) or not all(isinstance(name, str) and name.strip() for name in given):
        raise InvalidPlan(f"{key} of the plan must be a list of names.")
    _refuse_repeated(given, key)
    return tuple(given)


def _targets(given: object) -> tuple[Target, ...]:
    if not isinstance(given, list):
        raise InvalidPlan("targets of the plan must be a list.")
    targets = tuple(_target(value, f"targets[{n}]") for n, value in enumerate(given))
    _refuse_repeated([str(target) for target in targets], "targets")
    return targets


def _target(value: object, name: str) -> Target:
    if not isinstance(value, dict):
        raise InvalidPlan(f"{name} must be an object.")
    _refuse_unknown(value, _TARGET_KEYS, name)
    path, agent = value.get("path"), value.get("agent")
    if not isinstance(path, list) or not path or not all(isinstance(part, str) and part for part in path):
        raise InvalidPlan(f"{name}.path must be a list of names, from the outermost to the innermost.")
    if agent is not None and (not isinstance(agent, str) or agent_id(agent) != agent):
        raise InvalidPlan(f"{name}.agent must be an agent id.")
    if agent is not None and (len(path) != 3 or path[0] != "profiles" or path[2] not in STORE_FIELDS):
        raise InvalidPlan(
            f'{name}.path must be ["profiles", <profile id>, "keyRef" or "tokenRef"] where an agent is named.'
        )
    if not isinstance(value.get("ref"), dict):
        raise InvalidPlan(f"{name}.ref must be an object of source, provider and id.")
    try:
        return Target(tuple(path), read_ref(value["ref"]), agent)
    except ValueError as error:
        raise InvalidPlan(f"{name}.ref is wrong: {error}.") from None


def _refuse_repeated(names: Iterable[str], key: str) -> None:
    seen: set[str] = set()
    for name in names:
        if name in seen:
            raise InvalidPlan(f"{key} of the plan names {shown(name)} twice.")
        seen.add(name)
