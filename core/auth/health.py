"""Profile health: how long a credential is out, for which model, and why. A pure state machine (product.md 6).

A window is a span in which a credential is not tried. A cooldown is short (rate limit); it may be bound to one model.
Disabled is long (billing, a refused credential); it always holds for the whole profile, and `until` None means: until the
credential itself changes. Health is kept per profile *and* fingerprint, so a replaced key starts with a clean record.

Ended windows stay in the record: the step of a ladder goes up only if the profile fails again within twice its last window
after coming back. Failures of transport (overloaded, timeout, network) and of the request (format, context overflow,
unknown model) are never held against a profile.
"""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum

from core.durations import span_is_over
from core.errors import Failure, FailureReason

LONGEST_RESET = timedelta(days=7)
"""A provider's own reset time is believed up to here."""

_COOLDOWN_STEPS = (timedelta(seconds=30), timedelta(minutes=1), timedelta(minutes=5))
_BILLING_STEPS = tuple(min(timedelta(hours=5) * 2**n, timedelta(hours=24)) for n in range(4))
_AUTH_STEPS = tuple(min(timedelta(minutes=10) * 2**n, timedelta(minutes=60)) for n in range(4))


class Lane(StrEnum):
    """The two kinds of window; each has its own ladder."""

    COOLDOWN = "cooldown"
    DISABLED = "disabled"


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """One span in which a credential is out. `model` empty: for all of them. `until` None: until the credential changes."""

    lane: Lane
    reason: FailureReason
    model: str
    since: datetime
    until: datetime | None
    step: int

    def is_open(self, now: datetime) -> bool:
        """Whether it holds now. The instant of its end is already outside."""
        return self.until is None or not span_is_over(self.since, self.until, now)


@dataclass(frozen=True, slots=True, kw_only=True)
class ProfileHealth:
    """What is remembered of one credential."""

    profile: str
    fingerprint: str
    last_used: datetime | None = None
    windows: tuple[Window, ...] = ()

    def block(self, model: str, now: datetime, lane: Lane | None = None) -> Window | None:
        """The open window (of a lane, or of any) that keeps this credential from serving `model`: the one that ends last."""
        holding = [w for w in self.windows if w.model in ("", model) and lane in (None, w.lane) and w.is_open(now)]
        return max(holding, key=_end) if holding else None


def _end(window: Window) -> tuple[bool, float]:
    return (window.until is None, window.until.timestamp() if window.until else 0.0)


def after_failure(health: ProfileHealth, failure: Failure, model: str, now: datetime) -> ProfileHealth:
    """The health after a failed attempt at `now` with `model`. Unchanged for reasons that are not the credential's fault."""
    ladder: tuple[timedelta, ...]
    match failure.reason:
        case FailureReason.RATE_LIMIT:
            lane, scope, ladder = Lane.COOLDOWN, model, _COOLDOWN_STEPS
        case FailureReason.BILLING:
            lane, scope, ladder = Lane.DISABLED, "", _BILLING_STEPS
        case FailureReason.AUTH:
            lane, scope, ladder = Lane.DISABLED, "", _AUTH_STEPS
        case FailureReason.AUTH_PERMANENT:
            lane, scope, ladder = Lane.DISABLED, "", ()
        case _:
            return health
    before = next((w for w in health.windows if (w.lane, w.model) == (lane, scope)), None)
    step = _next_step(before, failure.reason, now, len(ladder))
    until = _until(failure, ladder, step, now)
    if (
        before is not None
        and before.is_open(now)
        and _end(before) > (until is None, until.timestamp() if until else 0.0)
    ):
        until = before.until  # an open window is never shortened by a second failure that was under way
    window = Window(lane=lane, reason=failure.reason, model=scope, since=now, until=until, step=step)
    others = tuple(w for w in health.windows if (w.lane, w.model) != (lane, scope))
    return replace(health, windows=(*others, window))


def _next_step(before: Window | None, reason: FailureReason, now: datetime, steps: int) -> int:
    if before is None or before.reason is not reason or before.until is None:
        return 0
    if before.is_open(now):
        return before.step
    calm = now - before.until
    return min(before.step + 1, max(0, steps - 1)) if calm < 2 * (before.until - before.since) else 0


def _until(failure: Failure, ladder: tuple[timedelta, ...], step: int, now: datetime) -> datetime | None:
    if (
        failure.retry_at is not None
        and failure.retry_at > now
        and failure.reason in (FailureReason.RATE_LIMIT, FailureReason.BILLING)
    ):
        return min(failure.retry_at, now + LONGEST_RESET)
    return now + ladder[step] if ladder else None


def after_success(health: ProfileHealth, model: str, started: datetime, now: datetime) -> ProfileHealth:
    """The health after an attempt that began at `started` and succeeded.

    It clears what concerns this model, but only failures older than its own beginning: a 429 that another turn met meanwhile
    stands.
    """
    kept = tuple(w for w in health.windows if w.model not in ("", model) or w.since > started)
    return replace(health, last_used=max(now, health.last_used) if health.last_used else now, windows=kept)
