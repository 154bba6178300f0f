"""A pinned profile is gone. The pin stands, and nothing else is tried without a person's word: they are asked for it."""

from collections.abc import Iterable
from datetime import timedelta

from core.announcements import Announcer
from core.auth.profiles import PinMode
from core.clock import Clock
from core.durations import iso
from core.messages import Button, Reply, ReplyKind
from core.models.lookup import quote
from core.ports import Inbox
from core.resolution import words
from core.resolution.resolver import resolve
from core.resolution.snapshot import Snapshot
from core.resolution.source import SnapshotSource
from core.resolution.view import Sees
from core.sessions.key import SessionKey
from core.sessions.session import Pin
from core.sessions.watched import WatchedSessions
from core.watch.audience import audience
from core.watch.returns import OUT_CODES
from core.watch.rounds import one_by_one

_MARKS = "announced"
"""Where the inbox keeps which lost pin a session was told of: it may stand there for months."""
_JUST_NOW = timedelta(minutes=1)
_MOST_OFFERED = 5


class LostPins:
    """Tells of each lost pin once, to whoever pinned, with the profiles that there are."""

    def __init__(
        self,
        announcer: Announcer,
        snapshots: SnapshotSource,
        watched: WatchedSessions,
        marks: Inbox,
        clock: Clock,
    ) -> None:
        self._announcer = announcer
        self._snapshots = snapshots
        self._watched = watched
        self._marks = marks
        self._clock = clock
        self._told: dict[SessionKey, str] = {}

    async def tell(self, agents: Iterable[str]) -> None:
        """One round. `agents` are all that are configured."""
        pinned = await self._watched.pinned()
        held = [self._snapshots.take(SessionKey(agent, "main")).credentials.profiles.keys() for agent in agents]
        gone = {name for name in pinned if any(name not in names for names in held)}
        sessions = await self._watched.pinning(gone) if gone else ()
        self._told = {key: fact for key, fact in self._told.items() if key in sessions}
        if all(key in self._told for key in sessions):
            return
        # Whoever has just asked something was told by the card under it.
        cards = {card.session for card in await self._watched.waiting(OUT_CODES, self._clock.now() - _JUST_NOW)}
        for key in sessions:
            await one_by_one(self._look(key, said=key in cards), key)

    async def _look(self, key: SessionKey, *, said: bool) -> None:
        snapshot = self._snapshots.take(key)
        pin = _lost_pin(snapshot)
        if pin is not None and self._told.get(key) != _fact(pin):
            await self._tell_once(snapshot, pin, said=said)
            self._told[key] = _fact(pin)

    async def _tell_once(self, snapshot: Snapshot, pin: Pin, *, said: bool) -> None:
        """A chat that cannot be reached is told with its next message, by a card."""
        key = snapshot.session.key
        if await self._marks.get_mark(_MARKS, str(key)) == _fact(pin):
            return
        readers = await audience(self._announcer, snapshot, pin.set_by)
        if readers is None:
            return
        if not said:
            reply = _lost(snapshot, pin, readers.sees)
            name = f"lost pin:{key}:{_fact(pin)}"
            if not await self._announcer.tell_chat(key, name, reply, readers.person, hidden=readers.hidden):
                return
        await self._marks.set_mark(_MARKS, str(key), _fact(pin))


def _lost_pin(snapshot: Snapshot) -> Pin | None:
    """The session's own pin in force, if its profile is gone. One that merely cannot be read is not."""
    choice = snapshot.session.current(snapshot.now)
    if choice is None or choice.pin is None or snapshot.is_locked:
        return None
    if choice.pin.profile in snapshot.credentials.profiles:
        return None
    return None if snapshot.is_blind(resolve(snapshot).selected.ref.provider) else choice.pin


def _fact(pin: Pin) -> str:
    return f"{pin.profile} {iso(pin.set_at)}"


def _lost(snapshot: Snapshot, pin: Pin, sees: Sees) -> Reply:
    ref = resolve(snapshot).selected.ref
    there = [p for p in snapshot.placed(ref) if p.profile is not None and sees(p.profile)]
    there.sort(key=lambda placed: not placed.usable)
    offered = there[:_MOST_OFFERED]
    choices = [
        (f"{p.id} · {words.state(p, snapshot.now)}", f"/model {quote(str(ref), p.id)}", ref.provider) for p in offered
    ]
    choices.append(("Release pin", "/model auto", "action"))
    buttons = tuple(
        Button(n=n, label=label, command="", press=press, group=group)
        for n, (label, press, group) in enumerate(choices, 1)
    )
    strict = "nothing is answered until you choose"
    effect = strict if pin.mode is PinMode.STRICT else "others serve in its place until you choose"
    more = len(there) - len(offered)
    lines = [
        f"{pin.profile} is pinned here, and there is no such profile any more: {effect}.",
        *(f"  {label}" for label, _, _ in choices[:-1]),
        *([f"  and {more} more; see /model"] if more else []),
        "Choose with a button, or write /model @<profile>, or /model auto to release the pin.",
    ]
    return Reply(kind=ReplyKind.NOTICE, code="pinned_profile_gone", text="\n".join(lines), buttons=buttons)
