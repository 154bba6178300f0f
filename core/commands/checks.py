"""Putting a credential back into service: its provider is asked, and what keeps it out ends only if that accepts it."""

from collections.abc import Iterable
from datetime import timedelta
from functools import partial

from core.auth.health import Window, cleared
from core.auth.ports import HealthStore
from core.auth.profiles import AuthProfile
from core.commands.ports import CredentialCheck
from core.errors import Failure
from core.models.ref import ModelRef
from core.resolution.outage import Hold, needs_answer, recorded
from core.resolution.snapshot import Snapshot
from core.resolution.source import SnapshotSource
from core.sessions.key import SessionKey

PATIENCE = timedelta(seconds=15)
"""How long a person at a button waits for a provider."""


async def end_windows(store: HealthStore, holds: Iterable[Hold]) -> None:
    """End these windows, each in the record where it stands. A failure that came since they were seen is not wiped."""
    records: dict[tuple[str, str], list[Window]] = {}
    for hold in holds:
        records.setdefault((hold.profile.id, hold.profile.fingerprint or ""), []).append(hold.window)
    for (name, fingerprint), seen in records.items():
        await store.update_health(name, fingerprint, partial(cleared, seen=tuple(seen)))


class Checks:
    """One for the process: a credential that is being asked about is not asked about twice at a time."""

    def __init__(self, snapshots: SnapshotSource, health: HealthStore, check: CredentialCheck) -> None:
        self._snapshots = snapshots
        self._health = health
        self._check = check
        self._under_way: set[tuple[str, str | None]] = set()

    def is_under_way(self, profile: AuthProfile) -> bool:
        """Whether its provider is being asked now."""
        return (profile.id, profile.fingerprint) in self._under_way

    async def run(self, snapshot: Snapshot, profile: AuthProfile, model: ModelRef) -> Failure | None:
        """Ask, with `model`, and end what kept the credential from serving it if that goes well; else nothing is changed.

        `snapshot` is what was known before. Raises StorageError if the end cannot be stored.
        """
        mark = profile.id, profile.fingerprint
        self._under_way.add(mark)
        try:
            holds = recorded(snapshot, profile, str(model))
            failure = await self._check.check(
                profile,
                snapshot.rules.catalog.providers[model.provider],
                model,
                snapshot.now + min(PATIENCE, snapshot.rules.deadline),
                by_answer=needs_answer(hold.window for hold in holds if hold.window.is_open(snapshot.now)),
            )
            if failure is None:
                await end_windows(self._health, holds)
            return failure
        finally:
            self._under_way.discard(mark)

    def again(self, key: SessionKey) -> Snapshot:
        """Everything as it is now."""
        return self._snapshots.take(key)
