"""Choices that end by their time: told in their chat when it happens, and not only with the next message."""

from core.announcements import Announcer, Settled
from core.chat.settle import settling
from core.clock import Clock
from core.errors import LostRace
from core.resolution.source import SnapshotSource
from core.sessions.key import SessionKey
from core.sessions.watched import WatchedSessions
from core.watch.audience import audience
from core.watch.rounds import one_by_one


class EndedChoices:
    """`for 2h` is over. Whoever stores that it is tells it: this round, or the next message (core.chat.settle)."""

    def __init__(self, announcer: Announcer, snapshots: SnapshotSource, watched: WatchedSessions, clock: Clock) -> None:
        self._announcer = announcer
        self._snapshots = snapshots
        self._watched = watched
        self._clock = clock
        self._seen: set[SessionKey] = set()
        """Those that were looked at and are still there: they cannot be told, and their next message will be."""

    async def tell(self) -> None:
        """One round."""
        found = set(await self._watched.ended(self._clock.now()))
        self._seen &= found
        for key in found - self._seen:
            await one_by_one(self._settle(key), key)
            self._seen.add(key)

    async def _settle(self, key: SessionKey) -> None:
        snapshot = self._snapshots.take(key)
        session, found = snapshot.session, settling(snapshot)
        over = session.ended(snapshot.now)
        if found is None or not over:
            return
        readers = await audience(self._announcer, snapshot, over[-1].set_by)
        if readers is None:
            return
        try:
            await self._announcer.tell_chat(
                session.key,
                f"ended:{session.key}:{session.version}",
                found.reply,
                readers.person,
                hidden=readers.hidden,
                settled=Settled(found.session, found.decisions),
            )
        except LostRace:
            return  # somebody else has told it, or has chosen anew
