"""What core needs from a store of sessions. Every method that writes returns when the write is durable."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any, Protocol

from core.auth.ports import HealthChange
from core.sessions.history import Message
from core.sessions.key import SessionKey
from core.sessions.session import Decision, Session
from core.sessions.spending import Spent, Total


@dataclass(frozen=True, slots=True)
class Answered:
    """The inbox item that caused a write, and the replies to it. Stored in the same transaction, so that a restart delivers
    the answer and never does the work twice. `item` None: there is no inbox. `token`: the shown choices that the write uses up
    (see `Shown`); UsedUp is raised, and nothing stored, if they were already. `goes_on`: a command that came with a message is
    done, and the message is still to be answered; the replies stay with the item, and are the first of its answer."""

    item: int | None
    replies: tuple[Mapping[str, Any], ...]
    token: str = ""
    goes_on: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class TurnRecord:
    """What a turn leaves behind, written in one transaction.

    `epoch` and `version` are those of the session that the turn began with. A history of an older epoch is dropped: the
    conversation was reset while the provider answered. `session` is the session after the turn; its choices (a `once` that
    is used up, ended choices removed) and `served` are stored only if the version has not changed (a newer choice was asked
    for, so what it brings is no change to be told); its auto pin always within the same epoch.
    """

    key: SessionKey
    epoch: int
    version: int
    messages: tuple[Message, ...]
    session: Session
    decisions: tuple[Decision, ...]
    answered: Answered | None = None
    spent: tuple[Spent, ...] = ()
    """Stored in any case: it was paid for, whatever became of the conversation."""
    health: HealthChange | None = None
    """What the answer says of the credential that gave it. Stored in any case, as by HealthStore.update_health."""
    compacts: bool = False
    """The messages take the place of all that are there."""


class SessionStore(Protocol):
    """Sessions, their histories and decisions."""

    async def save_choice(
        self, session: Session, decisions: Sequence[Decision], answered: Answered | None = None
    ) -> Session:
        """Store choices, undo, epoch, auto, served with the decisions (and the answered inbox item) in one transaction.

        `session.version` is the version that was read; the stored and returned session has the next one.
        Raises LostRace, storing nothing, if the stored version is another.
        """
        ...

    async def finish_turn(self, record: TurnRecord) -> None:
        """Store what a turn leaves behind. Never raises LostRace: a newer choice simply stands. A question that was asked before
        (the same `source`) takes the place of its first asking and of the answer to that."""
        ...

    async def remembers(self, key: SessionKey, source: str) -> bool:
        """Whether the session's history has a question that came from `source`."""
        ...

    async def find_source(self, key: SessionKey, platform: str, message: str) -> str:
        """The source of the question in the session's history that this message of the platform was, whoever wrote it; empty if
        there is none."""
        ...

    async def amend(self, key: SessionKey, source: str, text: str, answered: Answered | None = None) -> bool:
        """Let the question that came from `source` read so; its pictures and its answer stay. False, and nothing is stored, if
        the session remembers no such question or it reads so already."""
        ...

    async def forget(self, key: SessionKey, source: str) -> bool:
        """Erase the question that came from `source` and its answer. False if the session remembers none."""
        ...

    async def history(self, key: SessionKey, epoch: int, limit: int) -> tuple[Message, ...]:
        """The last `limit` messages of this epoch, oldest first."""
        ...

    async def decisions(self, key: SessionKey, limit: int) -> tuple[Decision, ...]:
        """The last `limit` decisions, newest first."""
        ...

    async def totals(self, key: SessionKey) -> tuple[Total, ...]:
        """What the session has spent since it exists, by model and credential; the most recently used first."""
        ...

    async def all_totals(self) -> tuple[Total, ...]:
        """What all sessions have spent, by model and credential; the most recently used first."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """Choices that were shown to a sender in a session: what a number or a button press refers to.

    `commands[n - 1]` is what choice n does, `presses[n - 1]` what a press on it does where that is not empty. `message` is a kept
    message that runs after the choice (product.md 5.2). `prompt` is a question that the sender was asked, empty for choices: the
    message that replies to it completes `commands[0]`. `used`: a choice of them was made that changed something.
    """

    token: str
    session: SessionKey
    sender: str
    commands: tuple[str, ...]
    catalog: str
    """Fingerprint of the catalogue that the choices were made from."""
    at: datetime
    card: bool = False
    """A card's buttons resume the kept message and can be used once; a picker's until one of them has changed something."""
    message: Message | None = None
    presses: tuple[str, ...] = ()
    prompt: str = ""
    used: bool = False
    code: str = ""
    """Of a card: why its message could not be answered (`Reply.code`)."""


class Use(StrEnum):
    """What using a card came to. first: do it. again: the same inbox item has begun it before a restart. taken: too late."""

    FIRST = "first"
    AGAIN = "again"
    TAKEN = "taken"


class ShownStore(Protocol):
    """Choices that were shown, so that numbers and buttons survive a restart."""

    async def show(self, shown: Shown) -> None:
        """Remember it; it is now the newest of its sender in its session. Those older than a day are forgotten."""
        ...

    async def last_shown(self, session: SessionKey, sender: str) -> Shown | None:
        """The newest of the sender in the session that has `commands`: buttons that only stand beside something have none."""
        ...

    async def find_shown(self, token: str) -> Shown | None: ...

    async def use_shown(self, token: str, item: int | None) -> Use:
        """Mark as used by an inbox item: of two presses only one is FIRST. An unknown token is TAKEN."""
        ...

    async def keeps(self, session: SessionKey, source: str) -> bool:
        """Whether a message that came from `source` is kept somewhere and waits for a choice."""
        ...

    async def find_source(self, key: SessionKey, platform: str, message: str) -> str:
        """The source of this message of the platform if it is kept somewhere in the session, whoever wrote it; else empty."""
        ...

    async def amend_kept(self, session: SessionKey, source: str, text: str) -> None:
        """Let every kept message that came from `source` read so, where it waits for a choice."""
        ...

    async def drop_kept(self, session: SessionKey, source: str) -> None:
        """Forget the choices that keep a message which came from `source`."""
        ...
