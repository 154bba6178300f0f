"""Choices that have ended, or can no longer hold, are told once and removed, before anything else is answered."""

from dataclasses import replace

from core.chat.notices import ended
from core.errors import LostRace
from core.messages import Reply, ReplyKind
from core.resolution import words
from core.resolution.resolver import resolve
from core.resolution.snapshot import Snapshot
from core.resolution.source import SnapshotSource
from core.sessions.key import SessionKey
from core.sessions.ports import SessionStore


async def settle(snapshots: SnapshotSource, sessions: SessionStore, key: SessionKey) -> tuple[list[Reply], Snapshot]:
    """Tell of choices that have ended or can no longer hold, and remove them. Whoever is first tells."""
    snapshot = snapshots.take(key)
    session, now = snapshot.session, snapshot.now
    over = session.ended(now)
    dropped = resolve(snapshot).selected.dropped
    own = session.current(now)
    if not over and (dropped is None or own is None):
        return [], snapshot
    settled = session.settled(now)
    if dropped is not None and own is not None:
        settled = replace(settled, choices=(*settled.choices[:-1], replace(own, model=None)))
    after = resolve(replace(snapshot, session=settled))
    name = words.choice_name(after.selected.choice, snapshot.agent.default)
    text, decisions = ended(snapshot, over, name)
    if dropped is not None and own is not None:
        text = f"{text}\n{dropped} can no longer be used here (policy or configuration). Now {name}.".strip()
    try:
        await sessions.save_choice(settled, decisions)
    except LostRace:
        return [], snapshots.take(key)
    return [Reply(kind=ReplyKind.NOTICE, text=text)], snapshots.take(key)
