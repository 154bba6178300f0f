"""What a snapshot is read from."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from core.auth.health import ProfileHealth
from core.sessions.key import SessionKey
from core.sessions.session import Session


@dataclass(frozen=True, slots=True)
class State:
    """Sessions (an unknown key reads as an empty session), the health of every credential, and the sender keys of those who are
    paired (core.pairing), read at one moment."""

    sessions: Mapping[SessionKey, Session] = field(default_factory=dict)
    health: tuple[ProfileHealth, ...] = ()
    paired: frozenset[str] = frozenset()


class StateReader(Protocol):
    """Reads what a decision needs from the database. Synchronous, so that the command line can ask it without a loop."""

    def read(self, keys: Sequence[SessionKey]) -> State: ...
