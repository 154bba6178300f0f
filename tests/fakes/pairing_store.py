"""Pairing requests in memory."""

from dataclasses import replace
from datetime import datetime

from core.pairing import MOST_OPEN, QUIET, PairingRequest, PairingState
from core.sessions.ports import Answered
from tests.fakes.inbox import FakeInbox


class FakePairingStore:
    """`core.pairing.PairingStore`. Look at `requests` (by person). `inbox` is where `answered` items are marked."""

    def __init__(self, inbox: FakeInbox | None = None) -> None:
        self.inbox = inbox or FakeInbox()
        self.requests: dict[str, PairingRequest] = {}

    async def ask(self, request: PairingRequest, answered: Answered | None = None) -> bool:
        kept = {name: one for name, one in self.requests.items() if not _is_over(one, request.asked_at)}
        self.requests = kept
        waiting = [one for one in kept.values() if one.state is PairingState.WAITING]
        if request.person in kept or len(waiting) >= MOST_OPEN or request.code in {one.code for one in kept.values()}:
            return False
        kept[request.person] = request
        if answered is not None and answered.item is not None:
            self.inbox.mark_answered(answered.item, answered.replies)
        return True

    async def waiting(self, now: datetime) -> tuple[PairingRequest, ...]:
        found = [one for one in self.requests.values() if one.state is PairingState.WAITING and one.expires_at > now]
        return tuple(sorted(found, key=lambda one: (one.asked_at, one.person)))

    async def approved(self) -> tuple[PairingRequest, ...]:
        found = sorted(self.requests.values(), key=lambda one: one.person)
        found = [one for one in found if one.state is PairingState.APPROVED]
        return tuple(sorted(found, key=lambda one: one.decided_at or one.asked_at, reverse=True))

    async def decide(self, named: str, state: PairingState, by: str, now: datetime) -> PairingRequest | None:
        found = next((one for one in self.requests.values() if named in (one.person, one.code)), None)
        if found is None or (found.state is PairingState.WAITING and found.expires_at <= now):
            return None
        mends = found.state is PairingState.DENIED and state is PairingState.APPROVED and named == found.person
        if found.state is PairingState.WAITING or mends:
            found = replace(found, state=state, decided_by=by, decided_at=now)
            self.requests[found.person] = found
        return found

    async def revoke(self, person: str, by: str, now: datetime) -> PairingRequest | None:
        found = self.requests.get(person)
        if found is None or found.state is not PairingState.APPROVED:
            return None
        self.requests[person] = replace(found, state=PairingState.DENIED, decided_by=by, decided_at=now)
        return self.requests[person]

    def paired(self) -> frozenset[str]:
        """The sender keys of those who are let in."""
        return frozenset(name for name, one in self.requests.items() if one.state is PairingState.APPROVED)


def _is_over(request: PairingRequest, now: datetime) -> bool:
    if request.state is PairingState.WAITING:
        return request.expires_at <= now
    denied = request.state is PairingState.DENIED and request.decided_at is not None
    return denied and request.decided_at is not None and request.decided_at <= now - QUIET
