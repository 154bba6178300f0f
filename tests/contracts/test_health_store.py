"""What core may rely on from a store of credential health."""

import asyncio
from dataclasses import replace
from datetime import timedelta

import pytest

from core.auth.health import Lane, ProfileHealth, after_failure, after_success
from core.errors import Failure, FailureReason
from tests.contracts.conftest import Stores
from tests.contracts.values import NOW, window

SICK = ProfileHealth(
    profile="acme:wörk",
    fingerprint="0a0b0c0d",
    last_used=NOW,
    windows=(
        window("large", NOW + timedelta(minutes=5)),
        window("", None, Lane.DISABLED),
        window("small", NOW - timedelta(days=1, microseconds=1)),
    ),
)


async def test_an_unknown_credential_begins_with_a_clean_record(stores: Stores):
    seen = []
    await stores.health.update_health("acme:work", "ff", lambda health: seen.append(health) or health)
    assert seen == [ProfileHealth(profile="acme:work", fingerprint="ff")]
    assert stores.state.read([]).health == ()


@pytest.mark.parametrize(
    "health",
    [
        pytest.param(SICK, id="windows in their order"),
        pytest.param(replace(SICK, last_used=None), id="never used"),
        pytest.param(replace(SICK, windows=()), id="well"),
        pytest.param(replace(SICK, fingerprint=""), id="without a fingerprint"),
    ],
)
async def test_stored_health_comes_back_equal(stores: Stores, health):
    await stores.health.update_health(health.profile, health.fingerprint, lambda _: health)
    assert stores.state.read([]).health == (health,)


async def test_a_change_sees_what_is_stored_and_replaces_it(stores: Stores):
    await stores.health.update_health(SICK.profile, SICK.fingerprint, lambda _: SICK)
    well = replace(SICK, windows=(), last_used=NOW + timedelta(hours=1))
    seen = []
    await stores.health.update_health(SICK.profile, SICK.fingerprint, lambda health: seen.append(health) or well)
    assert seen == [SICK]
    assert stores.state.read([]).health == (well,)


async def test_a_replaced_key_of_the_same_profile_has_its_own_record(stores: Stores):
    replaced = replace(SICK, fingerprint="99")
    for health in (SICK, replaced):
        await stores.health.update_health(health.profile, health.fingerprint, lambda _, health=health: health)
    await stores.health.update_health(SICK.profile, "99", lambda health: replace(health, windows=()))
    assert stores.state.read([]).health == (SICK, replace(replaced, windows=()))


async def test_changes_at_the_same_time_are_all_applied(stores: Stores):
    def failing(model: str):
        failure = Failure(reason=FailureReason.RATE_LIMIT)
        return lambda health: after_failure(health, failure, model, NOW)

    await asyncio.gather(*(stores.health.update_health("acme:work", "ff", failing(f"m{n}")) for n in range(12)))
    (health,) = stores.state.read([]).health
    assert {one.model for one in health.windows} == {f"m{n}" for n in range(12)}
    await stores.health.update_health(
        "acme:work", "ff", lambda health: after_success(health, "m3", NOW + timedelta(seconds=1), NOW)
    )
    (health,) = stores.state.read([]).health
    assert (len(health.windows), health.last_used) == (11, NOW)


async def test_a_change_that_fails_leaves_the_record(stores: Stores):
    def broken(health: ProfileHealth) -> ProfileHealth:
        raise ZeroDivisionError

    await stores.health.update_health(SICK.profile, SICK.fingerprint, lambda _: SICK)
    with pytest.raises(ZeroDivisionError):
        await stores.health.update_health(SICK.profile, SICK.fingerprint, broken)
    assert stores.state.read([]).health == (SICK,)
