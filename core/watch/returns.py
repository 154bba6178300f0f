"""A message could not be answered because every credential was out, and waits on its card: told when it can be."""

import asyncio
from collections.abc import Callable
from datetime import timedelta

from core.announcements import Announcer
from core.clock import Clock
from core.messages import Button, Reply, ReplyKind
from core.resolution.resolver import resolve
from core.resolution.snapshot import Snapshot
from core.resolution.source import SnapshotSource
from core.sessions.key import SessionKey
from core.sessions.watched import Waiting, WatchedSessions
from core.watch.audience import Audience, audience
from core.watch.rounds import one_by_one

OUT_CODES = ("pinned_unavailable", "all_unavailable", "no_credentials", "cross_billing")
"""Cards that say that nobody can serve. Those of other failures wait for no credential."""
_MOST_AT_ONCE = 500
_HOLDS = timedelta(days=1)
"""How long a card can be used (core.commands.presses)."""


class Returns:
    """Tells of each card once. What is offered is the card's own choice to try again: the message runs once, whichever of the two
    is pressed. `busy`: whether a session is being answered just now."""

    def __init__(
        self,
        announcer: Announcer,
        snapshots: SnapshotSource,
        watched: WatchedSessions,
        busy: Callable[[SessionKey], bool],
        clock: Clock,
    ) -> None:
        self._announcer = announcer
        self._snapshots = snapshots
        self._watched = watched
        self._busy = busy
        self._clock = clock
        self._looked_at: set[str] = set()
        self._over: set[str] = set()
        """Cards that were told of, or never will be."""

    async def tell(self) -> None:
        """One round."""
        cards = await self._watched.waiting(OUT_CODES, self._clock.now() - _HOLDS)
        self._over &= {card.token for card in cards}
        for card in self._some([card for card in cards if card.token not in self._over]):
            await one_by_one(self._look(card), card.session)
            await asyncio.sleep(0)  # people are answered meanwhile

    def _some(self, cards: list[Waiting]) -> list[Waiting]:
        """Those whose turn it is, where a whole provider is out and there are thousands."""
        if len(cards) <= _MOST_AT_ONCE:
            return cards
        fresh = [card for card in cards if card.token not in self._looked_at]
        if not fresh:
            self._looked_at.clear()
        turn = (fresh or cards)[:_MOST_AT_ONCE]
        self._looked_at |= {card.token for card in turn}
        return turn

    async def _look(self, card: Waiting) -> None:
        if "" not in card.commands or self._busy(card.session):
            return
        snapshot = self._snapshots.take(card.session)
        if resolve(snapshot).next.profile is None:
            return
        readers = await audience(self._announcer, snapshot, card.sender)
        if readers is not None and readers.person == card.sender:
            reply = _back(snapshot, card, readers)
            key = f"back:{card.token}"
            await self._announcer.tell_chat(card.session, key, reply, card.sender, hidden=readers.hidden)
        self._over.add(card.token)


def _back(snapshot: Snapshot, card: Waiting, readers: Audience) -> Reply:
    upcoming = resolve(snapshot).next
    profile = snapshot.credentials.profiles.get(upcoming.profile or "")
    who = profile.id if profile is not None and readers.sees(profile) else str(upcoming.model)
    text = f"{who} can answer now. The message that was kept here at {card.at:%H:%M} UTC was not asked yet."
    retry = Button(n=card.commands.index("") + 1, label="Ask now", command="", group="action")
    return Reply(kind=ReplyKind.NOTICE, code="back_again", text=text, buttons=(retry,), token=card.token)
