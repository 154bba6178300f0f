"""Which sessions there is something to tell of although nobody has written: questions over all of them, each cheap."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from core.sessions.key import SessionKey


@dataclass(frozen=True, slots=True)
class Waiting:
    """A card that stands unused, and the message that it keeps. `commands` are the choices on it."""

    token: str
    session: SessionKey
    sender: str
    at: datetime
    commands: tuple[str, ...]


class WatchedSessions(Protocol):
    """Asked several times a minute. Only sessions that can be told something are in the answers: their chat is known."""

    async def ended(self, now: datetime) -> tuple[SessionKey, ...]:
        """Sessions with a choice whose time is over by now and that was not settled yet."""
        ...

    async def pinned(self) -> frozenset[str]:
        """Every profile that some session pins."""
        ...

    async def pinning(self, profiles: Iterable[str]) -> tuple[SessionKey, ...]:
        """Sessions that pin one of these profiles, be it below another choice."""
        ...

    async def waiting(self, codes: Iterable[str], since: datetime) -> tuple[Waiting, ...]:
        """Cards that stand unused and were shown after `since` for one of these reasons. Of several for one message of one
        person the newest counts. Oldest first."""
        ...
