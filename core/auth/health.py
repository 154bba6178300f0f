"""Profile health: how long a credential is out, for which model, and why. A pure state machine (product.md 6).

A window is a span in which a credential is not tried. A cooldown is short (rate limit); it may be bound to one model.
Disabled is long (billing, a refused credential); it always holds for the whole profile, and `until` None means: until the
credential itself changes. Health is kept per profile *and* fingerprint, so a replaced key starts with a clean record.

Ended windows stay in the record: the step of a ladder goes up only if the profile fails again within twice its last window
after coming back. Failures of transport (overloaded, timeout, network) and of the request (format, context overflow,
unknown model) are never held against a profile.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum

from core.auth.eligibility import expiry_moment
from core.auth.profiles import AuthProfile
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
    """One span in which a credential is out. `model` empty: for all of them. `until` None: until the credential changes.

    `failed_at` is a further failure while it was open, which has not moved it; a success or a check that began before does not
    end it.
    """

    lane: Lane
    reason: FailureReason
    model: str
    since: datetime
    until: datetime | None
    step: int
    failed_at: datetime | None = None

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

    def concerning(self, model: str, lane: Lane | None = None) -> tuple[Window, ...]:
        """The windows, open or ended, that count for `model` (empty: for whichever), of a lane or of any."""
        return tuple(w for w in self.windows if (not model or w.model in ("", model)) and lane in (None, w.lane))


def _end(window: Window) -> tuple[bool, float]:
    return _when(window.until)


def _when(until: datetime | None) -> tuple[bool, float]:
    return (until is None, until.timestamp() if until else 0.0)


def after_failure(health: ProfileHealth, failure: Failure, model: str, now: datetime) -> ProfileHealth:
    """The health after a failed attempt at `now` with `model`. Unchanged for reasons that are not the credential's fault."""
    ladder: tuple[timedelta, ...]
    match failure.reason:
        case FailureReason.RATE_LIMIT:
            lane, scope, ladder = Lane.COOLDOWN, "" if failure.whole_profile else model, _COOLDOWN_STEPS
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
    since, failed_at = now, None
    if before is not None and before.is_open(now) and (_end(before) > _when(until) or not _says_when(failure, now)):
        # A second failure that was under way: it never shortens what stands, and lengthens it only by the provider's own word.
        since, until, failed_at = before.since, before.until, now
    window = Window(
        lane=lane, reason=failure.reason, model=scope, since=since, until=until, step=step, failed_at=failed_at
    )
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
    if failure.retry_at is not None and _says_when(failure, now):
        return min(failure.retry_at, now + LONGEST_RESET)
    return now + ladder[step] if ladder else None


def _says_when(failure: Failure, now: datetime) -> bool:
    """Whether the provider has said when to come back, of a limit that has such a time."""
    timed = failure.reason in (FailureReason.RATE_LIMIT, FailureReason.BILLING)
    return timed and failure.retry_at is not None and failure.retry_at > now


def after_success(health: ProfileHealth, model: str, started: datetime, now: datetime) -> ProfileHealth:
    """The health after an attempt that began at `started` and succeeded.

    It clears what concerns this model, but only failures older than its own beginning: a 429 that another turn met meanwhile
    stands.
    """
    kept = tuple(w for w in health.windows if w.model not in ("", model) or (w.failed_at or w.since) > started)
    return replace(health, last_used=max(now, health.last_used) if health.last_used else now, windows=kept)


def cleared(health: ProfileHealth, seen: Collection[Window]) -> ProfileHealth:
    """The health after a person's word that the windows in `seen` are over.

    They are forgotten, and with them the steps that their ladders had reached: the next failure is a first one. Only what was
    seen goes: a failure that was recorded meanwhile has a window of its own, or has changed one that was seen, and it stays.
    `last_used` is as it was, for nothing was served.
    """
    return replace(health, windows=tuple(window for window in health.windows if window not in seen))


_LADDERS = {
    FailureReason.RATE_LIMIT: _COOLDOWN_STEPS,
    FailureReason.BILLING: _BILLING_STEPS,
    FailureReason.AUTH: _AUTH_STEPS,
    FailureReason.AUTH_PERMANENT: (),
}
"""The reasons that are held against a credential."""


def from_usage_stats(profile: AuthProfile, stats: Mapping[str, object], now: datetime) -> ProfileHealth:
    """The health that older versions kept beside a credential (`usageStats`, credentials.md 1.3), times in milliseconds.

    Only a window that still lasts is opened, for no longer than a provider's own reset time is believed, and only for a reason
    that is held against a credential here. Whatever is no moment or no number says nothing.
    """
    used = expiry_moment(stats.get("lastUsed"))
    windows = (_older_window(lane, profile, stats, now) for lane in Lane)
    return ProfileHealth(
        profile=profile.id,
        fingerprint=profile.fingerprint or "",
        last_used=None if used is None else min(used, now),
        windows=tuple(window for window in windows if window is not None),
    )


def _older_window(lane: Lane, profile: AuthProfile, stats: Mapping[str, object], now: datetime) -> Window | None:
    until = expiry_moment(stats.get(f"{lane.value}Until"))
    reason = _older_reason(stats.get(f"{lane.value}Reason"), stats)
    if until is None or until <= now or reason is None:
        return None
    failed = expiry_moment(stats.get("lastFailureAt"))
    model = stats.get("cooldownModel") if (lane, reason) == (Lane.COOLDOWN, FailureReason.RATE_LIMIT) else None
    count = stats.get("errorCount") if lane is Lane.COOLDOWN else _counts(stats).get(reason.value)
    return Window(
        lane=lane,
        reason=reason,
        model=_scope(profile.provider, model.strip()) if isinstance(model, str) and model.strip() else "",
        since=failed if failed is not None and now - LONGEST_RESET <= failed <= now else now,
        until=min(until, now + LONGEST_RESET),
        step=max(0, min(_count(count), len(_LADDERS.get(reason, ()))) - 1),
    )


def _older_reason(named: object, stats: Mapping[str, object]) -> FailureReason | None:
    """The reason of a window; None: it is not held against a credential. The oldest stores name none, only how often each came."""
    if not isinstance(named, str):
        counts = {reason: _count(_counts(stats).get(reason.value)) for reason in _LADDERS}
        most = max(counts, key=lambda reason: counts[reason])
        return most if counts[most] else FailureReason.UNKNOWN
    try:
        reason = FailureReason(named)
    except ValueError:
        return FailureReason.UNKNOWN
    return reason if reason in _LADDERS or reason is FailureReason.UNKNOWN else None


def _counts(stats: Mapping[str, object]) -> Mapping[object, object]:
    counts = stats.get("failureCounts")
    return counts if isinstance(counts, Mapping) else {}


def _count(value: object) -> int:
    return max(0, value) if isinstance(value, int) and not isinstance(value, bool) else 0


def _scope(provider: str, model: str) -> str:
    """Older stores name the model as its provider does; windows name `provider/model`."""
    return model if model.startswith(f"{provider}/") else f"{provider}/{model}"
