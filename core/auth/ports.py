"""What core needs from outside to know credentials and their health."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from core.auth.health import ProfileHealth
from core.auth.profiles import ProfileSet


class ProfileSource(Protocol):
    """The credentials of an agent as they are now: its own store, read through to `main`, environment, config.

    Called for every snapshot: a change on disk is seen by the very next call. Never raises for a bad file; see `problems`.
    """

    def load(self, agent: str) -> ProfileSet: ...


@dataclass(frozen=True, slots=True)
class HealthChange:
    """A pure change of what is stored of one credential, for whoever writes it together with something else."""

    profile: str
    fingerprint: str
    change: Callable[[ProfileHealth], ProfileHealth]


class HealthStore(Protocol):
    """Profile health, shared by every process on the same database."""

    async def update_health(
        self, profile: str, fingerprint: str, change: Callable[[ProfileHealth], ProfileHealth]
    ) -> None:
        """Apply a pure change to the stored health inside one write transaction. Returns when it is durable."""
        ...
