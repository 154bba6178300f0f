"""The bookkeeping of older versions becomes health in the database, once."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from adapters.storage.engine import open_database
from adapters.storage.health import SqlHealthStore
from adapters.storage.migrate import ensure
from adapters.storage.state import SqlStateReader
from core.auth.health import Lane, ProfileHealth
from core.auth.secret import Secret
from core.errors import FailureReason, StorageError
from tests.adapters.older_child import FAR, KEY, OLDER, lay_out, printed
from tests.adapters.older_stage import STATE, STORE, bring_in, content
from tests.fakes.clock import START, FakeClock
from tests.fakes.health_store import FakeHealthStore


async def test_what_still_lasts_is_health_of_the_credential_as_it_is_now(state_dir: Path) -> None:
    lay_out(state_dir)
    health, clock = FakeHealthStore(), FakeClock()
    await bring_in(state_dir, health, clock)
    work = health.health["acme:work", printed(Secret(KEY["key"]))]
    assert (work.last_used, work.windows) == (datetime.fromtimestamp(1_700_000_000, UTC), ())
    (window,) = health.health["zeta:default", printed(Secret("sk-zeta-confidential"))].windows
    assert (window.lane, window.reason) == (Lane.DISABLED, FailureReason.BILLING)
    assert window.until == clock.now() + timedelta(days=7)


async def test_comes_into_a_real_database_once(state_dir: Path, tmp_path: Path) -> None:
    lay_out(state_dir)
    path = tmp_path / "remoteclaw.db"
    ensure(path)
    with open_database(path) as database:
        await bring_in(state_dir, SqlHealthStore(database))
        first = SqlStateReader(database).read([]).health
        assert {record.profile for record in first} == {"acme:work", "zeta:default"}
        lay_out(state_dir)
        await bring_in(state_dir, SqlHealthStore(database), FakeClock(START + timedelta(days=1)))
        assert SqlStateReader(database).read([]).health == first


async def test_the_state_file_wins_entry_by_entry(state_dir: Path) -> None:
    stats = {"acme:work": {"lastUsed": 1_000}}
    other = {"acme:work": {"lastUsed": 2_000}}
    store = {"profiles": {"acme:work": KEY}, "usageStats": stats}
    lay_out(state_dir, {STORE: store, STATE: {"usageStats": other}})
    health = FakeHealthStore()
    await bring_in(state_dir, health)
    (found,) = health.health.values()
    assert found.last_used == datetime.fromtimestamp(2, UTC)


async def test_what_the_database_knows_is_never_overwritten(state_dir: Path) -> None:
    lay_out(state_dir)
    fingerprint = printed(Secret("sk-zeta-confidential"))
    known = ProfileHealth(profile="zeta:default", fingerprint=fingerprint, last_used=FakeClock().now())
    health = FakeHealthStore(known)
    await bring_in(state_dir, health)
    assert health.health["zeta:default", fingerprint] == known
    assert not (state_dir / STATE).exists()


async def test_killed_before_the_files_are_cleared_the_next_start_changes_nothing(state_dir: Path) -> None:
    lay_out(state_dir)
    health = FakeHealthStore()
    await bring_in(state_dir, health)
    before = dict(health.health)
    stats = {"version": 1, "usageStats": {"zeta:default": {"disabledUntil": FAR}}}
    (state_dir / STATE).write_text(json.dumps(stats))
    (state_dir / STATE).chmod(0o600)
    assert await bring_in(state_dir, health) == ()
    assert health.health == before
    assert not (state_dir / STATE).exists()


async def test_of_a_credential_that_cannot_be_told_yet_it_waits(state_dir: Path) -> None:
    profiles = {"a": {**KEY, "key": "${NOT_SET}"}, "b": KEY}
    stats = {"a": {"lastUsed": 1}, "b": {"lastUsed": 1}, "gone": {"lastUsed": 1}}
    lay_out(state_dir, {STORE: {"profiles": profiles, "usageStats": stats, "lastGood": {"x": "a"}}})
    await bring_in(state_dir)
    assert content(state_dir)["usageStats"] == {"a": {"lastUsed": 1}}
    assert "lastGood" in content(state_dir)


async def test_of_a_credential_that_cannot_be_read_today_it_waits(state_dir: Path) -> None:
    stats = {"a": {"lastUsed": 1}}
    lay_out(state_dir, {STORE: {"profiles": {"a": {**KEY, "key": 5}}, "usageStats": stats}})
    await bring_in(state_dir)
    assert content(state_dir)["usageStats"] == stats


async def test_a_database_that_says_no_loses_nothing(state_dir: Path) -> None:
    lay_out(state_dir)

    class Broken(FakeHealthStore):
        async def update_health(self, *given: Any) -> None:
            raise StorageError("storage", "The disk is full.", "Free some space.")

    said = await bring_in(state_dir, Broken())
    assert "The bookkeeping of older versions (agent main) is not imported: The disk is full. Free some space." in said
    assert content(state_dir, STATE)["usageStats"] == OLDER[STATE]["usageStats"]
    assert content(state_dir)["usageStats"] == OLDER[STORE]["usageStats"]
    health = FakeHealthStore()
    await bring_in(state_dir, health)
    assert len(health.health) == 2


@pytest.mark.parametrize("stats", [5, [], {}, {"acme:work": 5}, {"acme:work": {"lastUsed": "x"}}, None])
async def test_what_is_no_bookkeeping_goes(state_dir: Path, stats: object) -> None:
    store = {"version": 1, "profiles": {"acme:work": KEY}}
    lay_out(state_dir, {STORE: {**store, "usageStats": stats, "lastGood": 7}})
    health = FakeHealthStore()
    assert await bring_in(state_dir, health) == ()
    assert content(state_dir) == store
    assert health.health == {}
