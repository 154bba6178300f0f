"""All that a decision about model and credential may know, at one moment."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from core.auth.health import Lane, ProfileHealth, Window
from core.auth.order import Line, Placed, explicit_order, line
from core.auth.profiles import AuthProfile, ProfileSet
from core.auth.provider_names import credential_provider
from core.errors import BotError
from core.models.lookup import Lookup
from core.models.ref import ModelRef
from core.resolution.rules import AgentRules, Rules
from core.sessions.session import Footer, Session

Accounts = Mapping[tuple[str | None, str], Sequence[AuthProfile]]
"""Profiles that share an account, by the account's name and its provider."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """Session, its parent chat, rules, credentials, their health, and the time. Everything is read before anything is decided."""

    now: datetime
    rules: Rules
    session: Session
    parent: Session | None
    credentials: ProfileSet
    health: Mapping[tuple[str, str], ProfileHealth] = field(default_factory=dict)
    _placed: dict[ModelRef, tuple[Placed, ...]] = field(default_factory=dict, init=False, repr=False, compare=False)
    """What `placed` has answered. Nothing in a snapshot changes, and one view asks for the same model many times."""
    _usable: dict[ModelRef, tuple[AuthProfile, ...]] = field(
        default_factory=dict, init=False, repr=False, compare=False
    )

    @property
    def agent(self) -> AgentRules:
        """The agent of the session. Raises BotError for one that is not configured."""
        try:
            return self.rules.agents[self.session.key.agent]
        except KeyError:
            raise unknown_agent(self.session.key.agent, self.rules) from None

    @property
    def is_locked(self) -> bool:
        """Whether only the config decides the model here (`session.locked` names the session or its chat)."""
        return not {str(self.session.key), str(self.session.key.parent)}.isdisjoint(self.rules.locked)

    @property
    def footer(self) -> Footer:
        """What stands under answers: as the session has it, its parent chat, or the configuration."""
        inherited = self.parent.footer if self.parent is not None else None
        return self.session.footer or inherited or self.rules.footer

    @property
    def offered(self) -> frozenset[str]:
        """Providers that the config names or the session's agent uses or that have a credential."""
        catalog = self.rules.catalog.providers
        used = {self.agent.default.provider, *(ref.provider for ref in self.agent.fallbacks)}
        served = {name for p in self.credentials.profiles.values() for name in (p.provider, *p.lends_to)}
        return frozenset(p for p, entry in catalog.items() if entry.is_configured or p in served or p in used)

    @property
    def lookup(self) -> Lookup:
        """How typed model texts are read for this session."""
        agent = self.agent
        return Lookup(
            catalog=self.rules.catalog,
            default=agent.default,
            offered=self.offered,
            fallbacks=agent.fallbacks,
            allow=agent.allow,
            allow_path=agent.allow_path,
        )

    def health_of(self, profile: AuthProfile) -> ProfileHealth:
        """What is remembered of this credential, as it is now: a replaced key has no past."""
        known = self.health.get((profile.id, profile.fingerprint or ""))
        return known or ProfileHealth(profile=profile.id, fingerprint=profile.fingerprint or "")

    def block(self, profile: AuthProfile, model: ModelRef) -> Window | None:
        """What keeps a credential from serving a model. A rate limit of one profile holds for all of its account."""
        return self._block(profile, str(model), self._accounts())

    def _block(self, profile: AuthProfile, model: str, accounts: Accounts) -> Window | None:
        known = self.health.get((profile.id, profile.fingerprint or ""))
        own = known.block(model, self.now) if known is not None and known.windows else None
        if profile.account is None:
            return own
        others = (other for other in accounts.get(_account(profile), ()) if other.id != profile.id)
        shared = [self.health_of(other).block(model, self.now, Lane.COOLDOWN) for other in others]
        windows = [w for w in (own, *shared) if w is not None]
        return max(windows, key=lambda w: (w.until is None, w.until or self.now)) if windows else None

    def open_windows(self) -> dict[str, tuple[Window, ...]]:
        """Everything that keeps credentials from serving now, for whichever model, by profile id."""
        accounts = self._accounts()
        found = {}
        for profile in self.credentials.profiles.values():
            windows = [w for w in self.health_of(profile).windows if w.is_open(self.now)]
            for other in accounts.get(_account(profile), ()) if profile.account is not None else ():
                if other.id != profile.id:
                    shared = (w for w in self.health_of(other).windows if w.lane is Lane.COOLDOWN)
                    windows += [w for w in shared if w.is_open(self.now)]
            if windows:
                found[profile.id] = tuple(windows)
        return found

    def _accounts(self) -> Accounts:
        """Found once for all credentials: looking for each one's neighbours by itself grows with their square."""
        return self.credentials.once("accounts", self._find_accounts)

    def _find_accounts(self) -> Accounts:
        found: dict[tuple[str | None, str], list[AuthProfile]] = {}
        for profile in self.credentials.profiles.values():
            if profile.account is not None:
                found.setdefault(_account(profile), []).append(profile)
        return found

    def order(self, provider: str) -> tuple[str, ...] | None:
        """The explicit order of a provider: the agent's own, else the config's; None if nobody gave one."""
        return explicit_order(provider, self.credentials.order, self.rules.order)

    def is_blind(self, provider: str) -> bool:
        """Whether the store may hold credentials of this provider that could not be read."""
        damaged = {credential_provider(name) for name in self.credentials.damaged}
        return self.credentials.unreadable or credential_provider(provider) in damaged

    def placed(self, model: ModelRef) -> tuple[Placed, ...]:
        """Every credential of the model's provider, as it stands for this model."""
        if model not in self._placed:
            self._placed[model] = self._line(model).placed()
        return self._placed[model]

    def usable(self, model: ModelRef) -> tuple[AuthProfile, ...]:
        """Those of `placed` that can serve now, in order: what a turn needs of it, and several times cheaper."""
        if model not in self._usable:
            self._usable[model] = self._line(model).usable()
        return self._usable[model]

    def stands(self, model: ModelRef, name: str) -> Placed | None:
        """One of `placed`, without its position. It costs the same however many there are."""
        return self._line(model).find(name)

    def _line(self, model: ModelRef) -> Line:
        accounts, name = self._accounts(), str(model)
        return line(
            model.provider,
            self.credentials,
            self.order(model.provider),
            explicit_order(model.provider, self.rules.configured_profiles) or (),
            lambda profile: self._block(profile, name, accounts),
            lambda profile: self.health_of(profile).last_used,
            self.now,
            surroundings=not self.is_blind(model.provider),
        )


def _account(profile: AuthProfile) -> tuple[str | None, str]:
    return profile.account, credential_provider(profile.provider)


def unknown_agent(agent: str, rules: Rules) -> BotError:
    """The error for an agent that the config does not have."""
    known = ", ".join(sorted(rules.agents))
    return BotError("unknown_agent", f'Unknown agent id "{agent}".', f"Configured agents: {known}.")


def health_by_credential(health: tuple[ProfileHealth, ...]) -> dict[tuple[str, str], ProfileHealth]:
    """The health records by (profile id, fingerprint)."""
    return {(record.profile, record.fingerprint): record for record in health}
