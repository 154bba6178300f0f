"""The import of older stores when a gateway or a chat starts (product.md 2).

Credentials and orders of older files go into each agent's store. The bookkeeping of older versions (`usageStats`) becomes
health in the database, bound to the credential as it is now. Each goes from where it was once it is safe where it belongs, so
it comes once; killed in between, the same is done again and changes nothing.
"""

import asyncio
from collections.abc import Coroutine, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from adapters.storage.older_import import named
from adapters.storage.profile_document import Document
from adapters.storage.profile_writer import ProfileWriter
from core.auth.health import ProfileHealth, from_usage_stats
from core.auth.ports import HealthStore, ProfileSource
from core.auth.profiles import AuthProfile
from core.clock import Clock
from core.errors import BotError, StoreError
from core.sessions.key import DEFAULT_AGENT, agent_id

_ATTEMPTS = 5
"""How often a lock is tried: three seconds at most. Until the import succeeds the older files are read as they are, so a start
need not wait longer for it."""


async def import_older_stores(
    state_dir: Path,
    agents: Iterable[str],
    oauth_dir: Path | None,
    clock: Clock,
    health: HealthStore,
    credentials: ProfileSource,
) -> tuple[str, ...]:
    """Import what older files of these agents and of `main` hold. Returns sentences for the log, without any secret.

    Never raises BotError: whatever cannot be imported now is told, left as it is, and tried again at the next start.
    `credentials` gives every profile with its fingerprint, as it is after the stores have changed.
    """
    said: list[str] = []
    for agent in dict.fromkeys([DEFAULT_AGENT, *map(agent_id, agents)]):
        writer = ProfileWriter(state_dir, agent, clock, oauth_dir=oauth_dir, attempts=_ATTEMPTS)
        try:
            said += await asyncio.to_thread(writer.import_older)
        except StoreError as error:
            said.append(f"Older files of agent {agent} are not imported: {error}")
            continue
        stats = await asyncio.to_thread(writer.older_stats)
        if stats:
            said += await _import_stats(_Bookkeeping(agent, writer, stats), clock, health, credentials)
    return tuple(said)


@dataclass(frozen=True, slots=True)
class _Bookkeeping:
    """What older versions kept of an agent's credentials."""

    agent: str
    writer: ProfileWriter
    stats: Document


async def _import_stats(
    older: _Bookkeeping, clock: Clock, health: HealthStore, credentials: ProfileSource
) -> tuple[str, ...]:
    found = credentials.load(older.agent)
    known = {name: found.profiles[name] for name in older.stats if name in found.profiles}
    bound = [profile for profile in known.values() if profile.fingerprint is not None]
    # Of a credential that cannot be seen today nobody knows that it is gone.
    gone = [] if found.unreadable or found.damaged else [name for name in older.stats if name not in known]
    try:
        done = await _all(_import_one(profile, older.stats[profile.id], clock, health) for profile in bound)
        if bound or gone:
            await asyncio.to_thread(older.writer.forget_older_stats, [*gone, *(profile.id for profile in bound)])
    except BotError as error:
        return (f"The bookkeeping of older versions (agent {older.agent}) is not imported: {error}",)
    taken = [profile.id for profile, is_new in zip(bound, done, strict=True) if is_new]
    return (f"Imported cooldowns and last use of {named(taken)} (agent {older.agent}).",) if taken else ()


async def _all(tasks: Iterable[Coroutine[None, None, bool]]) -> list[bool]:
    """Their results once every one of them has ended. Raises what the first one raised."""
    results = await asyncio.gather(*tasks, return_exceptions=True)
    for result in results:
        if isinstance(result, BaseException):
            raise result
    return [result is True for result in results]


async def _import_one(profile: AuthProfile, stats: object, clock: Clock, health: HealthStore) -> bool:
    """Store what is known of one credential, unless the database knows more already. Whether it did not."""
    fingerprint = profile.fingerprint or ""
    fresh = ProfileHealth(profile=profile.id, fingerprint=fingerprint)
    older = from_usage_stats(profile, stats, clock.now()) if isinstance(stats, Mapping) else fresh
    is_new = False

    def import_unless_known(stored: ProfileHealth) -> ProfileHealth:
        nonlocal is_new
        is_new = stored == fresh and older != fresh
        return older if is_new else stored

    await health.update_health(profile.id, fingerprint, import_unless_known)
    return is_new
