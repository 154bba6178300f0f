"""What `models status --probe` asks, and what it need not ask: pure, snapshot -> plan (credentials.md 2.2, 2.3).

Order and eligibility are the resolver's own (`Snapshot.placed`). A credential that an order leaves out or that cannot be used is
a planned line with its reason; the others are targets, also while they are cooling: a probe is how one looks. Keys of the
environment and the config are probed where the resolver would use them: where the provider has no stored profile or where an
order names them, and besides where the wish names them.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

from core.auth.eligibility import Eligibility
from core.auth.order import Placed
from core.auth.profiles import AuthProfile
from core.auth.provider_names import provider_id
from core.errors import BotError, Failure, FailureReason, shown
from core.models.ref import ModelRef
from core.resolution.snapshot import Snapshot

_INELIGIBLE = (Eligibility.PROFILE_MISSING, Eligibility.PROVIDER_MISMATCH, Eligibility.MODE_MISMATCH)


class ProbeStatus(StrEnum):
    """How a probe ended. `unknown` also for what was not asked because of its reason."""

    OK = "ok"
    AUTH = "auth"
    RATE_LIMIT = "rate_limit"
    BILLING = "billing"
    TIMEOUT = "timeout"
    FORMAT = "format"
    NO_MODEL = "no_model"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True, kw_only=True)
class ProbeWish:
    """What to ask. `provider` None: all; `profiles` empty: all; `every_model`: each configured model and not one."""

    provider: str | None = None
    profiles: tuple[str, ...] = ()
    every_model: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Planned:
    """A credential that is not asked, and why. `model` is what it would have been asked for; `by_order`: an explicit order
    leaves it out."""

    provider: str
    model: ModelRef | None
    id: str
    profile: AuthProfile | None
    reason: Eligibility
    by_order: bool = False

    @property
    def code(self) -> str:
        """The reason as probes name it."""
        return "ineligible_profile" if self.reason in _INELIGIBLE else self.reason.value

    @property
    def status(self) -> ProbeStatus:
        """What stands in the place of a result."""
        return ProbeStatus.NO_MODEL if self.reason is Eligibility.NO_MODEL else ProbeStatus.UNKNOWN


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """One request to make: this model of the provider with this credential and no other."""

    provider: str
    model: ModelRef
    profile: AuthProfile


@dataclass(frozen=True, slots=True)
class ProbePlan:
    """Both by provider, then by profile id. `blind`: the providers of which nobody knows all credentials, because the store or an
    entry of it cannot be read."""

    planned: tuple[Planned, ...]
    targets: tuple[Target, ...]
    blind: tuple[str, ...] = ()


def plan_probe(snapshot: Snapshot, wish: ProbeWish) -> ProbePlan:
    """What to ask. Raises BotError for a provider or a profile that there is not, naming those that there are."""
    groups = {provider: _placed(snapshot, provider) for provider in _providers(snapshot, wish.provider)}
    _check_profiles(groups, wish)
    planned: list[Planned] = []
    targets: list[Target] = []
    for provider, placed in groups.items():
        models = probe_models(snapshot, provider)
        for one in sorted(_considered(snapshot, provider, placed, wish), key=lambda p: p.id):
            verdict = _verdict(snapshot, one, models[0] if models else ModelRef(provider, ""))
            if verdict is not None:
                planned.append(verdict)
            elif one.profile is not None:
                chosen = models if wish.every_model else models[:1]
                targets += [Target(provider=provider, model=model, profile=one.profile) for model in chosen]
    return ProbePlan(tuple(planned), tuple(targets), tuple(filter(snapshot.is_blind, groups)))


def probe_models(snapshot: Snapshot, provider: str) -> tuple[ModelRef, ...]:
    """The configured models of a provider: the agent's default, fallbacks and image models, what its policy names, what has an
    alias of the config's, what the provider lists. Where none is configured, the first that the catalogue knows; nothing for a
    provider that nobody can reach."""
    catalog, agent = snapshot.rules.catalog, snapshot.agent
    entry = catalog.providers.get(provider)
    if entry is None:
        return ()
    refs = [agent.default, *agent.fallbacks]
    refs += [*([agent.image_model] if agent.image_model is not None else []), *agent.image_fallbacks]
    refs += [ModelRef.parse(text) for text in agent.allow if not text.endswith("*")]
    own = {alias for model in entry.models for alias in model.aliases}
    refs += [ref for alias, ref in catalog.aliases.items() if alias not in own]
    refs += [] if entry.is_open else [model.ref for model in entry.models]
    found = [ref for ref in dict.fromkeys(refs) if ref.provider == provider]
    return tuple(found or [model.ref for model in entry.models[:1]])


def status_of(failure: Failure) -> ProbeStatus:
    """The class of a failed probe."""
    return _STATUSES.get(failure.reason, ProbeStatus.UNKNOWN)


_STATUSES = {
    FailureReason.AUTH: ProbeStatus.AUTH,
    FailureReason.AUTH_PERMANENT: ProbeStatus.AUTH,
    FailureReason.RATE_LIMIT: ProbeStatus.RATE_LIMIT,
    FailureReason.OVERLOADED: ProbeStatus.RATE_LIMIT,
    FailureReason.BILLING: ProbeStatus.BILLING,
    FailureReason.TIMEOUT: ProbeStatus.TIMEOUT,
    FailureReason.FORMAT: ProbeStatus.FORMAT,
}


def _providers(snapshot: Snapshot, wanted: str | None) -> list[str]:
    served = {provider_id(profile.provider) for profile in snapshot.credentials.profiles.values()}
    found = sorted(snapshot.offered | served)
    if wanted is None:
        return found
    name = provider_id(wanted)
    if name not in found and name not in snapshot.rules.catalog.providers:
        raise BotError("unknown_provider", f"There is no provider {shown(wanted)}.", f"There are: {_listed(found)}.")
    return [name]


def _placed(snapshot: Snapshot, provider: str) -> tuple[Placed, ...]:
    model = next(iter(probe_models(snapshot, provider)), ModelRef(provider, ""))
    return snapshot.placed(model)


def _check_profiles(groups: dict[str, tuple[Placed, ...]], wish: ProbeWish) -> None:
    known = {one.id for placed in groups.values() for one in placed}
    missing = [name for name in wish.profiles if name not in known]
    if missing:
        where = f" of {provider_id(wish.provider)}" if wish.provider is not None else ""
        names = ", ".join(map(shown, missing))
        there = sorted({one.id for placed in groups.values() for one in placed if one.profile is not None})
        raise BotError(
            "profile_not_found", f"There is no auth profile {names}{where}.", f"There are: {_listed(there)}."
        )


def _listed(names: list[str]) -> str:
    return ", ".join(names) or "none"


def _considered(snapshot: Snapshot, provider: str, placed: tuple[Placed, ...], wish: ProbeWish) -> Iterator[Placed]:
    """Without those that the wish does not name, and without keys of the surroundings that have no part to play here."""
    has_order = snapshot.order(provider) is not None
    has_stored = any(one.profile is not None and not one.profile.from_environment for one in placed)
    for one in placed:
        if wish.profiles and one.id not in wish.profiles:
            continue
        idle = one.profile is not None and one.profile.from_environment and one.left_out
        if not idle or wish.profiles or (has_order and not has_stored):
            yield one


def _verdict(snapshot: Snapshot, placed: Placed, model: ModelRef) -> Planned | None:
    """Why it is not asked; None if it is."""
    profile = placed.profile
    by_order = placed.left_out and snapshot.order(model.provider) is not None
    reason = placed.reason
    if placed.left_out and not by_order and profile is not None and profile.from_environment:
        reason = placed.eligibility  # the wish names it, and only stored profiles stand before it
    if reason is Eligibility.OK and not model.name:
        reason = Eligibility.NO_MODEL
    if reason is Eligibility.OK:
        return None
    known = model if model.name else None
    return Planned(
        provider=model.provider, model=known, id=placed.id, profile=profile, reason=reason, by_order=by_order
    )
