"""Never silent: what is said when a credential or a model changes and the user did not just ask for it."""

from collections.abc import Sequence

from core.chat.attempts import Attempt
from core.chat.stop import Stop
from core.messages import Reply, ReplyKind
from core.models.lookup import quote
from core.resolution import words
from core.resolution.resolver import METERED, SUBSCRIPTION, Candidate, PinSource, Resolution, costs, pin_is_out
from core.resolution.snapshot import Snapshot
from core.sessions.session import Choice, Decision, Served, auto_pin_is_idle


def unasked_change(
    snapshot: Snapshot, resolution: Resolution, served: Candidate, attempts: Sequence[Attempt]
) -> tuple[str, Decision] | None:
    """What to tell about who served this turn, or None if it is whom the user expects.

    `snapshot` and `resolution` are as the turn found them before it succeeded, its own failures included.
    """
    because = _because(snapshot, resolution, served, attempts)
    if because is None:
        return None
    before, reason = because
    after = f"{served.model}@{served.profile.id}"
    other_model = served.model != resolution.selected.ref
    carried = f"{served.profile.id} with {served.model}" if other_model else served.profile.id
    if resolution.pinned is not None and resolution.pinned.pin is not None:
        undo = "The pin stays, and is used again when it is back."
    else:
        undo = f"To choose yourself: /model {quote(str(resolution.selected.ref))}@<profile>; see /model status."
    action = "fallback" if other_model else "rotate"
    decision = Decision(at=snapshot.now, actor="gateway", action=action, before=before, after=after, reason=reason)
    cost = f" {served.profile.id} is metered: each message costs." if served.profile.billing == METERED else ""
    return f"Answered by {carried}, because {reason}.{cost} {undo}", decision


def _because(
    snapshot: Snapshot, resolution: Resolution, served: Candidate, attempts: Sequence[Attempt]
) -> tuple[str, str] | None:
    """From what, and why."""
    passed = (served.model, served.profile.id)
    failed = [a for a in attempts if a.failure is not None and (a.model, a.profile.id) != passed]
    if failed:
        reasons = dict.fromkeys(_failure(snapshot, attempt) for attempt in failed)
        return f"{failed[0].model}@{failed[0].profile.id}", "; ".join(reasons)
    pinned = resolution.pinned
    if pinned is not None and pinned.pin is not None:
        if pin_is_out(pinned):
            return (
                f"{resolution.selected.ref}@{pinned.profile}",
                f"{pinned.profile} is {words.state(pinned.placed, snapshot.now)}",
            )
        if pinned.source is not PinSource.INHERITED:
            return None
    elif served.model != resolution.selected.ref:
        return str(resolution.selected.ref), f"{resolution.selected.ref} has no credential that can serve now"
    last = snapshot.session.served
    if last is None or last.profile is None or (last.model, last.profile) == (served.model, served.profile.id):
        return None
    return f"{last.model}@{last.profile}", _moved_on(snapshot, resolution, last, last.profile)


def _failure(snapshot: Snapshot, attempt: Attempt) -> str:
    """Why a tried credential did not serve, with its return."""
    block = snapshot.block(attempt.profile, attempt.model)
    failure = attempt.failure
    reason = failure.reason.value if failure else "unknown"
    until = f" until {words.moment(block.until, snapshot.now)}" if block is not None and block.until is not None else ""
    status = f" (HTTP {failure.status})" if failure and failure.status else ""
    return (
        f"{attempt.profile.id} answered {reason}{status} and is out{until}"
        if block
        else f"{attempt.profile.id} failed with {reason}{status}"
    )


def _moved_on(snapshot: Snapshot, resolution: Resolution, last: Served, profile: str) -> str:
    """Why what served last does not serve now, although nothing was chosen here since."""
    if last.model != resolution.selected.ref:
        whose = f"the choice of {snapshot.parent.key}" if snapshot.parent is not None else "the configuration"
        return f"the model of this chat is now {resolution.selected.ref} by {whose}"
    if (
        resolution.pinned is not None
        and resolution.pinned.source is PinSource.INHERITED
        and snapshot.parent is not None
    ):
        return f"{snapshot.parent.key} pins it"
    before = snapshot.credentials.profiles.get(profile)
    now = resolution.next.profile
    serving = snapshot.credentials.profiles.get(now) if now is not None else None
    if before is not None and costs(before) and serving is not None and serving.billing == SUBSCRIPTION:
        return f"{serving.id} is back, and {profile} costs"
    if before is None:
        blind = snapshot.is_blind(last.model.provider)
        return f"{profile} could not be read from its store" if blind else f"{profile} is gone"
    placed = next((p for p in resolution.placed if p.id == profile), None)
    if placed is not None and not placed.usable:
        return f"{profile} is {words.state(placed, snapshot.now)}"
    auto = snapshot.session.auto(last.model.provider)
    if auto is not None and auto_pin_is_idle(auto, snapshot.now, snapshot.rules.sticky_idle):
        return "this chat has rested, so the order begins anew"
    return "the order, or the choice of the chat above, was changed" if snapshot.parent else "the order was changed"


def stopped_early(stop: Stop, is_begun: bool = False) -> Reply:
    """What is told of an answer that a person has ended, after what of it had been said."""
    if stop.forgets:
        return Reply(kind=ReplyKind.NOTICE, text="The message was deleted, so its answer ends here.")
    text = "Stopped here." if is_begun else "Stopped. Nothing had been said yet."
    return Reply(kind=ReplyKind.NOTICE, text=text)


def ended(snapshot: Snapshot, choices: Sequence[Choice], now_chosen: str) -> tuple[str, tuple[Decision, ...]]:
    """What is told of choices that have ended: one line each, and what holds now. The decisions are those that nobody has made:
    whoever clears a choice from outside leaves one with their name."""
    default = snapshot.agent.default
    decisions = tuple(
        Decision(
            at=snapshot.now,
            actor="gateway",
            action="ended",
            before=words.choice_name(choice, default),
            after=now_chosen,
            reason=_why_ended(choice),
        )
        for choice in choices
    )
    lines = [f"{d.before} has ended: {d.reason}. Now {d.after}." for d in decisions]
    if any(choice.is_cleared for choice in choices):
        lines.append("/model undo brings it back; /model why says who has cleared it.")
    made = zip(choices, decisions, strict=True)
    return "\n".join(lines), tuple(decision for choice, decision in made if not choice.is_cleared)


def _why_ended(choice: Choice) -> str:
    if choice.is_cleared:
        return "the operator has cleared it on the host"
    return "its time is over" if choice.expires_at is not None else "it was for one turn"
