"""The words of replies: models, credentials, states and times as people read them."""

from dataclasses import replace
from datetime import datetime

from core.auth.eligibility import Eligibility, expiry_moment
from core.auth.order import Placed
from core.auth.profiles import PinMode
from core.durations import format_duration
from core.models.ref import ModelRef
from core.resolution.resolver import NextReason, Pinned, PinSource, Resolution
from core.resolution.snapshot import Snapshot
from core.resolution.view import standing
from core.sessions.session import Choice


def model_name(snapshot: Snapshot, ref: ModelRef) -> str:
    """`opus (anthropic/claude-opus-4-5)`, or the ref alone."""
    alias = next(iter(snapshot.rules.catalog.aliases_of(ref)), None)
    return f"{alias} ({ref})" if alias else str(ref)


def moment(at: datetime, now: datetime) -> str:
    """A time to come, absolute and relative: `14:05 UTC (in 2h)`; with the date if it is not today."""
    form = "%H:%M UTC" if at.date() == now.date() else "%d %b %H:%M UTC"
    return f"{at.strftime(form)} (in {format_duration(at - now)})"


def ago(at: datetime, now: datetime) -> str:
    """A time that has passed: `3h ago`."""
    return f"{format_duration(now - at)} ago"


def state(placed: Placed, now: datetime) -> str:
    """A credential's state with its reason and time: `ready`, `cooling 4m · rate_limit · acme/large`."""
    name, reason, until, scope = standing(placed)
    if name == "ready":
        return "expired, refreshable" if placed.lapsed else name
    if name == "ineligible":
        expiry = expiry_moment(placed.profile.expires) if placed.profile else None
        if placed.reason is Eligibility.EXPIRED and expiry is not None:
            return f"expired {ago(expiry, now)}"
        return reason or name
    span = f" {format_duration(until - now)}" if until is not None else " until the credential changes"
    return " · ".join(part for part in (name + span, reason, scope) if part)


def _hindrance(pinned: Pinned, now: datetime) -> str:
    """What keeps a pin's credential from serving. That an order leaves it out does not."""
    return state(replace(pinned.placed, left_out=False), now)


def pin_words(pinned: Pinned, now: datetime) -> str:
    """What kind of pin it is, by whom, how long: `pinned strict by telegram:1, ends 14:05 UTC (in 2h)`."""
    if pinned.source is PinSource.AUTO:
        return "automatic: it served last"
    by = f" by {pinned.pin.set_by}" if pinned.pin else ""
    inherited = "inherited, " if pinned.source is PinSource.INHERITED else ""
    return f"{inherited}pinned {pinned.mode.value}{by}{ending(pinned.choice, now)}"


def ending(choice: Choice | None, now: datetime) -> str:
    """When a choice ends by itself, or nothing."""
    if choice is not None and choice.expires_at is not None:
        return f", ends {moment(choice.expires_at, now)}"
    if choice is not None and choice.turns_left is not None:
        return ", for the next turn only" if choice.turns_left == 1 else f", for {choice.turns_left} turns"
    return ""


def choice_name(choice: Choice | None, default: ModelRef) -> str:
    """A choice as the decision log names it: `acme/large@acme:work`, `acme/small (default)`."""
    if choice is None:
        return f"{default} (default)"
    model = str(choice.model) if choice.model is not None else f"{default} (default)"
    return f"{model}@{choice.pin.profile}" if choice.pin is not None else model


def next_words(snapshot: Snapshot, resolution: Resolution) -> str:
    """One line: which credential the next message carries, and why; or why there is none."""
    upcoming = resolution.next
    now = snapshot.now
    until = f" until {moment(upcoming.until, now)}" if upcoming.until is not None and upcoming.until > now else ""
    carried = (
        f"{upcoming.profile}"
        if upcoming.model == resolution.selected.ref
        else f"{upcoming.profile} with {upcoming.model}"
    )
    match upcoming.reason:
        case NextReason.PINNED:
            return f"{carried}, because it is pinned{until}"
        case NextReason.STICKY:
            return f"{carried}, because it served last{until}"
        case NextReason.ORDER:
            return f"{carried}, the first in order that can serve"
        case NextReason.PINNED_UNAVAILABLE:
            pinned = resolution.pinned
            out = f"{pinned.profile} is {_hindrance(pinned, now)}" if pinned else "the pinned profile is out"
            if upcoming.profile is None and resolution.withheld:
                return f"none without your word: {out}, and {resolution.withheld[0].profile.id} is metered"
            if upcoming.profile is None:
                strict = ", and the pin is strict" if pinned is None or pinned.mode is PinMode.STRICT else ""
                return f"none: {out}{strict}"
            return f"{carried}, because {out}; the pin is kept"
        case NextReason.ALL_UNAVAILABLE if resolution.withheld:
            asked = resolution.withheld[0].profile.id
            return f"none without your word: the subscription is out{until}, and {asked} is metered"
        case NextReason.ALL_UNAVAILABLE:
            return f"none: every credential is out{until}"
        case NextReason.NO_CREDENTIALS:
            return f"none: {upcoming.model.provider} has no credential that may be used"
