"""What the operator has configured, as core needs it: one frozen value, replaced as a whole when the config changes."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import timedelta
from enum import StrEnum

from core.models.catalog import Catalog
from core.models.ref import ModelRef
from core.sessions.session import Footer


class OnReset(StrEnum):
    """What `/new` does with selection and pin."""

    RELEASE = "release"
    KEEP = "keep"


class CrossBilling(StrEnum):
    """What a move from a subscription to a metered credential needs: a person's word, an announcement, or it is not made."""

    ASK = "ask"
    ANNOUNCE = "announce"
    NEVER = "never"


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentRules:
    """One agent. `own_default`: the default is the agent's own setting and not `agents.defaults.model`.

    `image_model` is for what the default does not see, None where nobody named one; `image_fallbacks` stand in for it.
    `allow` is its model policy (empty: everything), `allow_path` the dotted name of the setting that it came from.
    """

    id: str
    default: ModelRef
    own_default: bool = False
    fallbacks: tuple[ModelRef, ...] = ()
    image_model: ModelRef | None = None
    image_fallbacks: tuple[ModelRef, ...] = ()
    allow: tuple[str, ...] = ()
    allow_path: str = "model_policy.allow"


@dataclass(frozen=True, slots=True, kw_only=True)
class AccessRules:
    """Sender keys `platform:id` that own the installation or may use it, and groups whose members may chat (product.md 8).

    `allow` may also name a role of Discord, `discord:role:<id>`. `paired` are those whom an owner has let in by a pairing code:
    in private chats only. `pairing`: whether a stranger is given such a code.
    """

    owners: frozenset[str] = frozenset()
    allow: frozenset[str] = frozenset()
    groups: frozenset[str] = frozenset()
    paired: frozenset[str] = frozenset()
    pairing: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """Everything configured that a decision may depend on. `main` is always among the agents."""

    agents: Mapping[str, AgentRules]
    catalog: Catalog
    own_catalogs: Mapping[str, Catalog] = field(default_factory=dict)
    """The catalogues of agents that have one of their own; `catalog` is that of all others."""
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
    cross_billing: CrossBilling = CrossBilling.ASK
    history_messages: int = 200
    footer: Footer = Footer.OFF
    """What stands under answers where neither the chat nor its parent has said."""

    def of(self, agent: str) -> "Rules":
        """What holds for one agent: the same rules with its own catalogue."""
        own = self.own_catalogs.get(agent)
        return self if own is None else replace(self, catalog=own, own_catalogs={})

    def with_catalogs(self, change: Callable[[Catalog], Catalog]) -> "Rules":
        """The same rules with a change in every catalogue."""
        own = {agent: change(catalog) for agent, catalog in self.own_catalogs.items()}
        return replace(self, catalog=change(self.catalog), own_catalogs=own)
