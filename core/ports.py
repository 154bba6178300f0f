"""The inbox: every update is committed here before its platform is told that it was seen (product.md principle 5)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any, Protocol


class InboxState(StrEnum):
    """new: to be handled. answered: its replies are stored and may be not delivered yet. done: delivered, or nothing to say."""

    NEW = "new"
    ANSWERED = "answered"
    DONE = "done"


@dataclass(frozen=True, slots=True, kw_only=True)
class Update:
    """One update as its platform sent it. `key` is unique within (platform, account): the same update twice is one."""

    platform: str
    account: str
    key: str
    lane: str
    """Updates of one lane (a chat) are handled in their order."""
    payload: Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class InboxItem:
    """A stored update. `replies` is what was decided to answer; of one that is still new, what a command that came with a message
    has answered: that command is done. `delivery` is the platform's notes on what it has sent."""

    id: int
    update: Update
    state: InboxState
    received_at: datetime
    replies: tuple[Mapping[str, Any], ...] = ()
    delivery: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Backlog:
    """How much of one platform waits in one state (new, answered). `since`: when the oldest of it came."""

    platform: str
    state: InboxState
    items: int
    since: datetime


class Inbox(Protocol):
    """The only queue between a platform and core. Every method returns when its write is durable."""

    async def receive(self, updates: Sequence[Update], now: datetime) -> tuple[InboxItem, ...]:
        """Store new updates in one transaction; those already known are left out of the answer."""
        ...

    async def unfinished(self, platform: str, account: str) -> tuple[InboxItem, ...]:
        """What is not done yet, oldest first: what a start has to finish."""
        ...

    async def backlog(self) -> tuple[Backlog, ...]:
        """How much of every platform is not done yet, in numbers only; nothing of a platform and state of which nothing waits."""
        ...

    async def note_delivery(self, item: int, delivery: Mapping[str, Any]) -> None:
        """Remember what was sent so far (message ids), so that a restart edits instead of sending again."""
        ...

    async def answered(self, item: int, replies: Sequence[Mapping[str, Any]]) -> None: ...

    async def done(self, item: int) -> None:
        """Delivered. Its payload and replies are erased; the key stays for de-duplication."""
        ...

    async def get_mark(self, platform: str, account: str) -> str | None:
        """The platform's own position (Telegram's offset, Discord's session), as last stored."""
        ...

    async def set_mark(self, platform: str, account: str, mark: str) -> None: ...
