"""What the operator has configured, as core needs it: one frozen value, replaced as a whole when the config changes."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from enum import StrEnum

from core.models.catalog import Catalog
from core.models.ref import ModelRef


class OnReset(StrEnum):
    """What `/new` does with selection and pin."""

    RELEASE = "release"
    KEEP = "keep"


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentRules:
    """One agent. `own_default`: the default is the agent's own setting and not `agents.defaults.model`.

    `allow` is its model policy (empty: everything), `allow_path` the dotted name of the setting that it came from.
    """

    id: str
    default: ModelRef
    own_default: bool = False
    fallbacks: tuple[ModelRef, ...] = ()
    allow: tuple[str, ...] = ()
    allow_path: str = "model_policy.allow"


@dataclass(frozen=True, slots=True, kw_only=True)
class AccessRules:
    """Sender keys `platform:id` that own the installation or may use it, and groups whose members may chat (product.md 8)."""

    owners: frozenset[str] = frozenset()
    allow: frozenset[str] = frozenset()
    groups: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """Everything configured that a decision may depend on. `main` is always among the agents."""

    agents: Mapping[str, AgentRules]
    catalog: Catalog
    order: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """`auth.order` of the config: provider -> profile ids."""
    configured_profiles: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """`auth.profiles` of the config: provider -> profile ids, in their order."""
    access: AccessRules = field(default_factory=AccessRules)
    sticky_idle: timedelta = timedelta(hours=1)
    on_reset: OnReset = OnReset.RELEASE
    dm_scope: str = "per-account-channel-peer"
    locked: frozenset[str] = frozenset()
    """Session keys whose model only the config decides."""
    alias_commands: bool = False
    deadline: timedelta = timedelta(minutes=2)
    silence: timedelta = timedelta(minutes=1)
    history_messages: int = 200
