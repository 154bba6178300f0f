"""What a snapshot reads, from the other fakes."""

from collections.abc import Sequence

from core.resolution.ports import State
from core.sessions.key import SessionKey
from tests.fakes.health_store import FakeHealthStore
from tests.fakes.pairing_store import FakePairingStore
from tests.fakes.session_store import FakeSessionStore


class FakeStateReader:
    """`core.resolution.ports.StateReader` over what `sessions`, `health` and `pairings` hold."""

    def __init__(
        self,
        sessions: FakeSessionStore | None = None,
        health: FakeHealthStore | None = None,
        pairings: FakePairingStore | None = None,
    ) -> None:
        self.sessions = sessions or FakeSessionStore()
        self.health = health or FakeHealthStore()
        self.pairings = pairings or FakePairingStore()

    def read(self, keys: Sequence[SessionKey]) -> State:
        known = sorted(self.health.health)
        health = tuple(self.health.health[one] for one in known)
        return State({key: self.sessions.session(key) for key in keys}, health, self.pairings.paired())
