"""What a command is: a function of a context and its arguments that returns what to say and what to store.

A command never sends and never writes. The gateway stores `Outcome.change` with its decisions in one transaction, then hands
the replies to the platform; if the store says that somebody was faster, the replies are dropped and that is told instead.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from core.commands.checks import Checks
from core.commands.visibility import EVERYBODY, Reader
from core.messages import Reply, Sender
from core.pairing import Pairing
from core.resolution.snapshot import Snapshot
from core.sessions.ports import SessionStore
from core.sessions.session import Decision, Session


@dataclass(frozen=True, slots=True)
class Change:
    """A new state of the session and the decisions that led to it. Without a session only the decisions are stored."""

    session: Session | None
    decisions: tuple[Decision, ...]


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a command leads to. Without a change it has only looked.

    `later`: what takes time. The gateway says that it is working, lets other commands of the session go on, and answers with
    what comes of it. `goes_on`: a message that a card has kept may run now; else it stays kept.
    """

    replies: tuple[Reply, ...]
    change: Change | None = None
    later: "Callable[[], Awaitable[Outcome]] | None" = None
    goes_on: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Asker:
    """Who asks, about what: enough to choose a model and a profile."""

    snapshot: Snapshot
    sender: Sender
    reader: Reader = EVERYBODY
    """Who reads the answer, and so what it may name. What may be done depends on the sender."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CommandContext(Asker):
    """Everything that a command may know and ask."""

    sessions: SessionStore
    checks: Checks
    readers_there: Reader = EVERYBODY
    """Who reads what is told of a stored change."""
    busy: bool = False
    """A turn of this session is running: a change holds from the next one."""
    stop: Callable[[], None] | None = None
    """Ends the running turn."""
    on_card: bool = False
    """It was chosen on a card that has kept a message."""
    rows: int = 0
    """How many choices the platform shows under one message; 0: a terminal."""
    text: str = ""
    """What was typed into the question that the pressed button asks."""
    pairing: Pairing | None = None
    """Who is let in by a code, for owners to decide."""


Handler = Callable[[CommandContext, str], Awaitable[Outcome]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """An entry of the table. `argument` is the usage of what follows the name; empty: it takes none. Without a `handler` it is a
    turn: it waits for those before it and asks a provider."""

    name: str
    summary: str
    handler: Handler | None
    argument: str = ""
    aliases: tuple[str, ...] = field(default=())
    hidden: bool = False
    """Not in menus and help: what buttons do."""
    owners: bool = False
    """Hidden too, but owners can type it: to everybody else there is no such command."""
