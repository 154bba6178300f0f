"""What a session has chosen: model and pin, for how long, by whom, and what stood there before. Pure changes only.

Choices are a stack: at the bottom what holds for good, above it choices that end by themselves (`for 2h`, `once`). When one
ends, the one below it holds again. A session with an empty stack has nothing of its own: it follows its parent chat, or the
agent's default.
"""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum

from core.auth.profiles import PinMode
from core.durations import span_is_over
from core.models.ref import ModelRef
from core.sessions.key import SessionKey

DEEPEST = 8
"""Temporary choices kept above one another; more than a person can follow, and a bound on what one row can grow to."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pin:
    """A user's promise to this session: this profile. `order_fingerprint` is the order that was in force when it was given."""

    profile: str
    mode: PinMode
    set_by: str
    set_at: datetime
    order_fingerprint: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """One choice. `model` None means the agent's default. Ends at `expires_at` or after `turns_left` turns, if either is set."""

    model: ModelRef | None
    pin: Pin | None
    set_by: str
    set_at: datetime
    expires_at: datetime | None = None
    turns_left: int | None = None

    @property
    def is_temporary(self) -> bool:
        """Whether it ends by itself."""
        return self.expires_at is not None or self.turns_left is not None

    @property
    def is_cleared(self) -> bool:
        """Whether it was ended from outside of its chat: a choice for turns is removed with its last one, and never stored
        without any."""
        return self.turns_left == 0

    def cleared(self, now: datetime) -> "Choice":
        """With an end that has come. Who is in its chat is told as of any other end."""
        return replace(self, expires_at=now, turns_left=0)

    def ended(self, now: datetime) -> bool:
        """Whether its time or its turns are over."""
        if self.turns_left is not None and self.turns_left <= 0:
            return True
        return self.expires_at is not None and span_is_over(self.set_at, self.expires_at, now)


@dataclass(frozen=True, slots=True, kw_only=True)
class AutoPin:
    """The credential that served last, kept so that the provider's prompt cache stays warm. Nobody's promise."""

    profile: str
    provider: str
    set_at: datetime
    used_at: datetime
    order_fingerprint: str


@dataclass(frozen=True, slots=True)
class Served:
    """What served the last turn that succeeded, unless something was chosen since: then a change is what was asked for."""

    model: ModelRef
    profile: str | None
    at: datetime


class Footer(StrEnum):
    """What stands under an answer: nothing, the tokens, or model, credential, tokens and cost."""

    OFF = "off"
    TOKENS = "tokens"
    FULL = "full"


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """One conversation's state. `version` counts changes of `choices` (compare-and-swap); `epoch` counts `/new`."""

    key: SessionKey
    choices: tuple[Choice, ...] = ()
    undo: tuple[Choice, ...] | None = None
    autos: tuple[AutoPin, ...] = ()
    """The automatic pins, one for a provider, the latest last: a short visit to another model must not cool a cache."""
    served: Served | None = None
    epoch: int = 0
    version: int = 0
    footer: Footer | None = None
    """None: as its parent has it, or the configuration."""

    def standing(self, now: datetime) -> tuple[Choice, ...]:
        """The choices that have not ended, bottom to top."""
        return tuple(choice for choice in self.choices if not choice.ended(now))

    def current(self, now: datetime) -> Choice | None:
        """The choice in force, or None if the session has none of its own."""
        standing = self.standing(now)
        return standing[-1] if standing else None

    def ended(self, now: datetime) -> tuple[Choice, ...]:
        """Choices that have ended and whose end was not told yet (telling removes them: see `settled`)."""
        return tuple(choice for choice in self.choices if choice.ended(now))

    def settled(self, now: datetime) -> "Session":
        """Without the choices that have ended. What they served is no measure for what comes: their end is told by itself."""
        return replace(self, choices=self.standing(now), served=None)

    def auto(self, provider: str) -> AutoPin | None:
        """The automatic pin for a provider's models."""
        return next((pin for pin in self.autos if pin.provider == provider), None)

    def sticking(self, pin: AutoPin) -> "Session":
        """With this automatic pin in place of its provider's earlier one."""
        others = tuple(held for held in self.autos if held.provider != pin.provider)
        return replace(self, autos=(*others, pin)[-DEEPEST:])

    def chosen(self, choice: Choice, now: datetime) -> "Session":
        """A temporary choice goes on top; a lasting one replaces everything. What stood before can be undone."""
        before = self.standing(now)
        after = _bounded((*before, choice)) if choice.is_temporary else (choice,)
        return replace(self, choices=after, undo=before, served=None)

    def amended(self, choice: Choice, now: datetime) -> "Session":
        """The choice in force is replaced by this one; what lies below it stays."""
        before = self.standing(now)
        return replace(self, choices=(*before[:-1], choice), undo=before, served=None)

    def released(self, now: datetime) -> "Session":
        """Nothing of its own any more."""
        return replace(self, choices=(), undo=self.standing(now), served=None)

    def undone(self, now: datetime) -> "Session":
        """What stood before the last change, and the other way round the next time. Raises LookupError if nothing did."""
        if self.undo is None:
            raise LookupError
        back = tuple(choice for choice in self.undo if not choice.ended(now))
        return replace(self, choices=back, undo=self.standing(now), served=None)

    def reset(self, keep: bool, now: datetime) -> "Session":
        """A new conversation: no history, no automatic pin; without `keep` no choice either, but it can be undone."""
        fresh = replace(self, epoch=self.epoch + 1, autos=(), served=None)
        stood = self.standing(now)
        return fresh if keep else replace(fresh, choices=(), undo=stood or self.undo)


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """An audited change of model or credential, for `/model why`. `actor` is a sender key or `gateway`."""

    at: datetime
    actor: str
    action: str
    """select, pin, mode, release, default, undo, ended, reset, keep, rotate, fallback, served, clear, footer"""
    before: str
    after: str
    """`provider/model@profile`, either half may be missing; of `clear`: a profile and its state; of `footer`: a Footer."""
    reason: str


def _bounded(choices: tuple[Choice, ...]) -> tuple[Choice, ...]:
    """At most DEEPEST: the oldest of those that end by themselves goes, never the one that holds for good."""
    if len(choices) <= DEEPEST:
        return choices
    oldest = next(n for n, choice in enumerate(choices) if choice.is_temporary)
    return choices[:oldest] + choices[oldest + 1 :]


def auto_pin_is_idle(pin: AutoPin, now: datetime, sticky_idle: timedelta) -> bool:
    """Whether the session has rested so long that the provider's cache is cold anyway. A use in the far future is a clock
    that was corrected, and says nothing."""
    return abs(now - pin.used_at) >= sticky_idle
