"""Choices that have ended, or can no longer hold, are told once and removed, before anything else is answered."""

from dataclasses import dataclass, replace

from core.auth.eligibility import serves
from core.chat.notices import ended
from core.errors import LostRace
from core.messages import Reply, ReplyKind
from core.resolution import words
from core.resolution.resolver import resolve
from core.resolution.snapshot import Snapshot
from core.resolution.source import SnapshotSource
from core.sessions.key import SessionKey
from core.sessions.ports import SessionStore
from core.sessions.session import Decision, Session


@dataclass(frozen=True, slots=True)
class Settling:
    """What is to be stored and told, in one."""

    session: Session
    decisions: tuple[Decision, ...]
    reply: Reply


def settling(snapshot: Snapshot) -> Settling | None:
    """What has ended here, or can no longer hold; None: nothing."""
    over = snapshot.session.ended(snapshot.now)
    settled, lost = _without_what_cannot_hold(snapshot, snapshot.session.settled(snapshot.now))
    if not over and not lost:
        return None
    after = resolve(replace(snapshot, session=settled))
    name = words.choice_name(after.selected.choice, snapshot.agent.default)
    text, decisions = ended(snapshot, over, name)
    told = "\n".join([*([text] if text else []), *(f"{line} Now {name}." for line in lost)])
    return Settling(settled, decisions, Reply(kind=ReplyKind.NOTICE, text=told))


async def settle(snapshots: SnapshotSource, sessions: SessionStore, key: SessionKey) -> tuple[list[Reply], Snapshot]:
    """Tell of choices that have ended or can no longer hold, and remove them. Whoever is first tells."""
    snapshot = snapshots.take(key)
    found = settling(snapshot)
    if found is None:
        return [], snapshot
    try:
        await sessions.save_choice(found.session, found.decisions)
    except LostRace:
        return [], snapshots.take(key)
    return [found.reply], snapshots.take(key)


def _without_what_cannot_hold(snapshot: Snapshot, session: Session) -> tuple[Session, list[str]]:
    """The session without choices that the configuration no longer allows, and a line about each."""
    own = session.current(snapshot.now)
    if own is None:
        return session, []
    if snapshot.is_locked:
        name = words.choice_name(own, snapshot.agent.default)
        return session.released(snapshot.now), [f"{name} is released: the configuration fixes the model of this chat."]
    dropped = resolve(snapshot).selected.dropped
    if dropped is None:
        return session, []
    lines = [f"{dropped} can no longer be used here (policy or configuration)."]
    pin = own.pin
    profile = snapshot.credentials.profiles.get(pin.profile) if pin is not None else None
    if pin is not None and (profile is None or not serves(profile, snapshot.agent.default.provider)):
        lines[0] += f" The pin on {pin.profile} is released with it."
        pin = None
    return replace(session, choices=(*session.choices[:-1], replace(own, model=None, pin=pin)), served=None), lines
