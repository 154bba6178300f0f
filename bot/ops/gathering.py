"""How an installation stands at one moment, in numbers, for `/metrics`: credentials by provider, and what waits in the inbox."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from core.auth.eligibility import Eligibility, expiry_moment, judge, may_expire
from core.auth.health import Lane
from core.auth.profiles import AuthProfile, CredentialKind
from core.errors import BotError
from core.ports import Backlog
from core.sessions.key import SessionKey

if TYPE_CHECKING:
    from bot.served import ServedApp
    from core.resolution.snapshot import Snapshot

STATES = ("ready", "cooling", "disabled", "ineligible")


@dataclass(frozen=True, slots=True)
class Outage:
    """A credential that is out, for some model or for all. `until` None: until the credential changes."""

    provider: str
    fingerprint: str
    state: str
    reason: str
    until: datetime | None


@dataclass(frozen=True, slots=True)
class Standing:
    """One moment. Credentials are told apart by their fingerprint: an id may hold a person's address."""

    now: datetime
    counts: Mapping[tuple[str, str], int]
    """How many credentials of a provider are in a state."""
    outages: tuple[Outage, ...]
    expiries: Mapping[tuple[str, str], datetime]
    """When a token or login ends, by provider and fingerprint."""
    connected: Mapping[str, bool]
    """Whether each platform is connected."""
    backlog: tuple[Backlog, ...] | None
    """None: the database does not answer."""
    refreshes: Mapping[tuple[str, str], int]
    """How many refreshes of logins were sent since the start, by provider and outcome: "ok" or the reason of a failure."""


async def gather(app: "ServedApp", connected: Mapping[str, bool]) -> Standing:
    """Look once. A database that does not answer is part of the answer."""
    now = app.clock.now()
    snapshots: list[Snapshot] = []
    backlog: tuple[Backlog, ...] | None = None
    try:
        snapshots = [app.snapshots.take(SessionKey(agent, "main")) for agent in app.rules.agents]
        backlog = await app.inbox.backlog()
    except BotError:
        pass  # /readyz says which; here it is a number
    counts: dict[tuple[str, str], int] = {}
    outages: list[Outage] = []
    expiries: dict[tuple[str, str], datetime] = {}
    for profile, snapshot in _distinct(snapshots):
        found = tuple(_outages(profile, snapshot))
        state = _state(profile, found, now)
        for known in STATES:
            counts.setdefault((profile.provider, known), 0)
        counts[profile.provider, state] += 1
        outages += found
        ends = expiry_moment(profile.expires) if may_expire(profile) else None
        if ends is not None and profile.fingerprint:
            expiries[profile.provider, profile.fingerprint] = ends
    return Standing(now, counts, tuple(outages), expiries, connected, backlog, dict(app.refreshes))


def _distinct(snapshots: "Iterable[Snapshot]") -> "Iterable[tuple[AuthProfile, Snapshot]]":
    """Every credential once, whichever agents share it."""
    seen: set[tuple[str, str]] = set()
    for snapshot in snapshots:
        for profile in snapshot.credentials.profiles.values():
            name = (profile.id, profile.fingerprint or "")
            if name not in seen and profile.kind is not CredentialKind.NONE:
                seen.add(name)
                yield profile, snapshot


def _outages(profile: AuthProfile, snapshot: "Snapshot") -> Iterable[Outage]:
    for window in snapshot.open_windows().get(profile.id, ()):
        state = "cooling" if window.lane is Lane.COOLDOWN else "disabled"
        yield Outage(profile.provider, profile.fingerprint or "", state, window.reason.value, window.until)


def _state(profile: AuthProfile, outages: Iterable[Outage], now: datetime) -> str:
    """The gravest. What cools down for one model only is counted as cooling."""
    if judge(profile, profile.provider, now) is not Eligibility.OK:
        return "ineligible"
    states = {outage.state for outage in outages}
    return next((state for state in ("disabled", "cooling") if state in states), "ready")
