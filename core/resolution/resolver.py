"""THE resolver: which model and which credential serve the next message, why, and until when. Pure: Snapshot -> Resolution.

A turn, `/model`, `/model status`, `models status` and `models explain` all ask it. What it calls `next` is the head of what
a turn tries.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from functools import cached_property

from core.auth.eligibility import Eligibility
from core.auth.order import Placed, order_fingerprint
from core.auth.profiles import AuthProfile, CredentialKind, PinMode
from core.models.ref import ModelRef
from core.resolution.rules import CrossBilling
from core.resolution.snapshot import Snapshot
from core.sessions.session import AutoPin, Choice, Pin, auto_pin_is_idle

SUBSCRIPTION, METERED = "subscription", "metered"
"""What `billing` of a profile says about a message more: it is paid for already, or it costs."""


class ModelSource(StrEnum):
    """Which layer gave the model."""

    SESSION = "session"
    INHERITED = "inherited"
    AGENT = "agent"
    DEFAULT = "default"


class PinSource(StrEnum):
    """Who pinned."""

    USER = "user"
    AUTO = "auto"
    INHERITED = "inherited"


class NextReason(StrEnum):
    """Why the next credential is the next one, or why there is none."""

    PINNED = "pinned"
    STICKY = "sticky"
    ORDER = "order"
    PINNED_UNAVAILABLE = "pinned_unavailable"
    NO_CREDENTIALS = "no_credentials"
    ALL_UNAVAILABLE = "all_unavailable"


@dataclass(frozen=True, slots=True)
class Candidate:
    """One model with one credential."""

    model: ModelRef
    profile: AuthProfile


@dataclass(frozen=True, slots=True)
class Selected:
    """The model in force. `dropped` is a selection that can no longer hold (policy or catalogue changed)."""

    ref: ModelRef
    source: ModelSource
    choice: Choice | None
    dropped: ModelRef | None = None


@dataclass(frozen=True, slots=True)
class Pinned:
    """The pin in force. Exactly one of `pin` and `auto` is set. `placed` is the profile as it stands, without a position."""

    profile: str
    source: PinSource
    mode: PinMode
    choice: Choice | None
    pin: Pin | None
    auto: AutoPin | None
    placed: Placed


@dataclass(frozen=True, slots=True)
class Next:
    """What the next request carries. `until`: when that ends, or when what is missing comes back."""

    model: ModelRef
    profile: str | None
    reason: NextReason
    until: datetime | None


@dataclass(frozen=True, kw_only=True)
class Resolution:
    """The answer. What a turn does not ask of it is not worked out: the one that it tries first is nearly always known without
    looking at the others."""

    selected: Selected
    pinned: Pinned | None
    next: Next
    _snapshot: Snapshot = field(repr=False)

    def each(self) -> Iterator[Candidate]:
        """`candidates`, one after the other."""
        return _candidates(self._snapshot, self.selected, self.pinned)

    @cached_property
    def candidates(self) -> tuple[Candidate, ...]:
        """What a turn tries now, in order."""
        return tuple(self.each())

    @cached_property
    def withheld(self) -> tuple[Candidate, ...]:
        """What would be tried too if it did not cost money (product.md 6)."""
        return _withheld(self._snapshot, self.selected, self.pinned)

    @property
    def placed(self) -> tuple[Placed, ...]:
        """Every credential of the model's provider."""
        return self._snapshot.placed(self.selected.ref)


def resolve(snapshot: Snapshot) -> Resolution:
    """Decide."""
    selected, choice, inherited = _select(snapshot)
    pinned = _user_pin(snapshot, selected.ref, choice, inherited) or _auto_pin(snapshot, selected.ref)
    return Resolution(selected=selected, pinned=pinned, next=_next(snapshot, selected, pinned), _snapshot=snapshot)


def _candidates(snapshot: Snapshot, selected: Selected, pinned: Pinned | None) -> Iterator[Candidate]:
    costs = _Costs(snapshot, selected.ref, pinned)
    return (candidate for candidate in _offers(snapshot, selected, pinned) if not costs.forbid(candidate))


def _withheld(snapshot: Snapshot, selected: Selected, pinned: Pinned | None) -> tuple[Candidate, ...]:
    costs = _Costs(snapshot, selected.ref, pinned)
    return tuple(candidate for candidate in _offers(snapshot, selected, pinned) if costs.forbid(candidate))


def _offers(snapshot: Snapshot, selected: Selected, pinned: Pinned | None) -> Iterator[Candidate]:
    """All that could serve now, whatever it costs: a pin's own credential, the others in order, then the fallback models."""
    model = selected.ref
    if pinned is not None and pinned.placed.profile is not None and not pin_is_out(pinned):
        yield Candidate(model, pinned.placed.profile)
    if pinned is None or pinned.mode is not PinMode.STRICT:
        yield from (Candidate(model, p) for p in snapshot.usable(model) if pinned is None or p.id != pinned.profile)
    is_users = pinned is not None and pinned.pin is not None
    if is_users or selected.source not in (ModelSource.AGENT, ModelSource.DEFAULT):
        return
    for fallback in snapshot.agent.fallbacks:
        if fallback != model:
            yield from (Candidate(fallback, profile) for profile in snapshot.usable(fallback))


class _Costs:
    """Which candidates would take the place of a subscription and cost money without anybody's word (product.md 6).

    Whether the subscription could serve now does not matter: that it cannot is what the money would be spent for. What a user
    has pinned is their word.
    """

    def __init__(self, snapshot: Snapshot, selected: ModelRef, pinned: Pinned | None) -> None:
        self._snapshot = snapshot
        self._chain = (selected, *snapshot.agent.fallbacks)
        self._word = pinned.profile if pinned is not None and pinned.pin is not None else None
        self._subscribed: dict[ModelRef, frozenset[str]] = {}

    def forbid(self, candidate: Candidate) -> bool:
        """Whether this one may not be tried."""
        if self._snapshot.rules.cross_billing is CrossBilling.ANNOUNCE or candidate.profile.id == self._word:
            return False
        return costs(candidate.profile) and self.follows_one(candidate)

    def follows_one(self, candidate: Candidate) -> bool:
        """Whether a subscription stands before it: in its own provider's order, or with a model that comes before."""
        if self._comes_after_one(candidate):
            return True
        earlier = self._chain[: self._chain.index(candidate.model)] if candidate.model in self._chain else ()
        return any(self._subscriptions(model) for model in earlier if model.provider != candidate.model.provider)

    def _comes_after_one(self, candidate: Candidate) -> bool:
        """Whether a subscription stands before it. Where nobody gave an order, every subscription does."""
        subscribed = self._subscriptions(candidate.model)
        order = self._snapshot.order(candidate.model.provider)
        if not order or not subscribed:
            return bool(subscribed)
        first = next((place for place, name in enumerate(order) if name in subscribed), None)
        return first is not None and candidate.profile.id not in order[:first]

    def _subscriptions(self, model: ModelRef) -> frozenset[str]:
        if model not in self._subscribed:
            self._subscribed[model] = frozenset(
                placed.id
                for placed in self._snapshot.placed(model)
                if placed.profile is not None and placed.profile.billing == SUBSCRIPTION and not placed.left_out
            )
        return self._subscribed[model]


def costs(profile: AuthProfile) -> bool:
    """Whether a message more costs money: it is labelled metered, or it is a key without a label, which is billed by use."""
    return profile.billing == METERED or (profile.billing is None and profile.kind in _KEYS)


_KEYS = (CredentialKind.API_KEY, CredentialKind.ENV, CredentialKind.CONFIG)


def _select(snapshot: Snapshot) -> tuple[Selected, Choice | None, bool]:
    """The model, the choice in force (own, else the parent's), and whether it is the parent's."""
    agent = snapshot.agent
    fallback = ModelSource.AGENT if agent.own_default else ModelSource.DEFAULT
    if snapshot.is_locked:
        return Selected(agent.default, fallback, None), None, False
    choice, inherited = snapshot.session.current(snapshot.now), False
    if choice is None and snapshot.parent is not None:
        choice, inherited = _inheritable(snapshot), True
    if choice is None:
        return Selected(agent.default, fallback, None), None, False
    if choice.model is None:
        return Selected(agent.default, fallback, choice), choice, inherited
    if not snapshot.lookup.holds(choice.model):
        return Selected(agent.default, fallback, choice, dropped=choice.model), choice, inherited
    source = ModelSource.INHERITED if inherited else ModelSource.SESSION
    return Selected(choice.model, source, choice), choice, inherited


def _inheritable(snapshot: Snapshot) -> Choice | None:
    """What a thread takes over from its chat. A choice for the next turn belongs to the chat's own next turn."""
    parent = snapshot.parent
    standing = parent.standing(snapshot.now) if parent is not None else ()
    return next((choice for choice in reversed(standing) if choice.turns_left is None), None)


def _user_pin(snapshot: Snapshot, model: ModelRef, choice: Choice | None, inherited: bool) -> Pinned | None:
    if choice is None or choice.pin is None:
        return None
    pin = choice.pin
    stands = snapshot.stands(model, pin.profile)
    if stands is None:
        profile = snapshot.credentials.profiles.get(pin.profile)
        verdict = Eligibility.PROFILE_MISSING if profile is None else Eligibility.PROVIDER_MISMATCH
        stands = Placed(pin.profile, profile, verdict, None, None)
    source = PinSource.INHERITED if inherited else PinSource.USER
    return Pinned(pin.profile, source, pin.mode, choice, pin, None, stands)


def _auto_pin(snapshot: Snapshot, model: ModelRef) -> Pinned | None:
    """The automatic pin, while it holds: the profile exists, is in the unchanged order, is not out, the session not idle, and no
    subscription has come back that it stood in for."""
    auto = snapshot.session.auto(model.provider)
    if auto is None:
        return None
    stands = snapshot.stands(model, auto.profile)
    if stands is None or not stands.usable or auto_pin_is_idle(auto, snapshot.now, snapshot.rules.sticky_idle):
        return None
    if auto.order_fingerprint != order_fingerprint(snapshot.order(model.provider)):
        return None
    if stands.profile is not None and costs(stands.profile) and _subscription_is_back(snapshot, model, stands.profile):
        return None
    return Pinned(auto.profile, PinSource.AUTO, PinMode.PREFER, None, None, auto, stands)


def _subscription_is_back(snapshot: Snapshot, model: ModelRef, metered: AuthProfile) -> bool:
    """Whether a subscription that comes before a metered credential can serve again: then that one was only a stand-in."""
    if not _Costs(snapshot, model, None).follows_one(Candidate(model, metered)):
        return False
    return any(profile.billing == SUBSCRIPTION for profile in snapshot.usable(model))


def pin_is_out(pinned: Pinned) -> bool:
    """Whether the pinned profile cannot serve now. Being left out of the order is no hindrance for a pin."""
    return pinned.placed.profile is None or pinned.placed.block is not None or not _pinnable(pinned.placed)


def insisted(resolution: Resolution) -> tuple[Candidate, ...]:
    """What a person's word adds to a turn: the strict pin's own credential, although it is cooling or disabled."""
    pinned = resolution.pinned
    if pinned is None or pinned.pin is None or pinned.mode is not PinMode.STRICT or pinned.placed.profile is None:
        return ()
    is_out = pinned.placed.block is not None and _pinnable(pinned.placed)
    return (Candidate(resolution.selected.ref, pinned.placed.profile),) if is_out else ()


def _pinnable(placed: Placed) -> bool:
    return placed.eligibility is Eligibility.OK


def _next(snapshot: Snapshot, selected: Selected, pinned: Pinned | None) -> Next:
    head = next(_candidates(snapshot, selected, pinned), None)
    model = selected.ref
    served = head.model if head else model
    profile = head.profile.id if head else None
    if pinned is not None and pinned.source is not PinSource.AUTO:
        if pin_is_out(pinned):
            block = pinned.placed.block
            return Next(served, profile, NextReason.PINNED_UNAVAILABLE, block.until if block else None)
        return Next(served, profile, NextReason.PINNED, pinned.choice.expires_at if pinned.choice else None)
    if head is not None:
        if pinned is not None and pinned.auto is not None and pinned.profile == profile:
            return Next(served, profile, NextReason.STICKY, pinned.auto.used_at + snapshot.rules.sticky_idle)
        return Next(served, profile, NextReason.ORDER, None)
    chain = [model]
    if selected.source in (ModelSource.AGENT, ModelSource.DEFAULT) and (pinned is None or pinned.pin is None):
        chain += snapshot.agent.fallbacks
    placed = [p for ref in chain for p in snapshot.placed(ref)]
    out = [p.block for p in placed if p.position is not None and p.block is not None]
    if out or _withheld(snapshot, selected, pinned):
        returns = [window.until for window in out if window.until is not None]
        return Next(model, None, NextReason.ALL_UNAVAILABLE, min(returns, default=None))
    return Next(model, None, NextReason.NO_CREDENTIALS, None)
