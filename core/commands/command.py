"""What a command is: a function of a context and its arguments that returns what to say and what to store.

A command never sends and never writes. The gateway stores `Outcome.change` with its decisions in one transaction, then hands
the replies to the platform; if the store says that somebody was faster, the replies are dropped and that is told instead.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from core.messages import Reply, Sender
from core.resolution.snapshot import Snapshot
from core.sessions.ports import SessionStore
from core.sessions.session import Decision, Session


@dataclass(frozen=True, slots=True)
class Change:
    """A new state of the session and the decisions that led to it."""

    session: Session
    decisions: tuple[Decision, ...]


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a command leads to. Without a change it has only looked."""

    replies: tuple[Reply, ...]
    change: Change | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Asker:
    """Who asks, about what: enough to choose a model and a profile."""

    snapshot: Snapshot
    sender: Sender


@dataclass(frozen=True, slots=True, kw_only=True)
class CommandContext(Asker):
    """Everything that a command may know and ask."""

    sessions: SessionStore
    busy: bool = False
    """A turn of this session is running: a change holds from the next one."""
    stop: Callable[[], None] | None = None
    """Ends the running turn."""


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
