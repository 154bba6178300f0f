"""What a snapshot reads, from the other fakes."""

from collections.abc import Sequence

from core.resolution.ports import State
from core.sessions.key import SessionKey
from tests.fakes.health_store import FakeHealthStore
from tests.fakes.session_store import FakeSessionStore


class FakeStateReader:
    """`core.resolution.ports.StateReader` over what `sessions` and `health` hold."""

    def __init__(self, sessions: FakeSessionStore | None = None, health: FakeHealthStore | None = None) -> None:
        self.sessions = sessions or FakeSessionStore()
        self.health = health or FakeHealthStore()

    def read(self, keys: Sequence[SessionKey]) -> State:
        known = sorted(self.health.health)
        return State({key: self.sessions.session(key) for key in keys}, tuple(self.health.health[one] for one in known))
