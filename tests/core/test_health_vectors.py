"""The cooldown vectors C70 to C100, as data. Where product.md decides otherwise the case names its section.

Times are seconds from a first failure. C71 and C73 tune the reference's ladders by settings; ours have none (product.md 6), and
the settings refuse them. C95's invalid times cannot be made here; the import of older stores is tested with them. C100 asks a
vendor about a login of its own, which this version cannot make.
"""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from bot.config.load import settings_from
from bot.config.problems import InvalidConfig
from core.auth.health import Lane, ProfileHealth, Window, after_failure, after_success
from core.auth.profiles import AuthProfile
from core.errors import Failure, FailureReason
from core.resolution.resolver import resolve
from core.resolution.view import standing
from tests.world import World, profile

NOW = datetime(2026, 5, 4, 12, tzinfo=UTC)
HOUR = 3600
A, B = "acme/small", "acme/large"
R = FailureReason

Failed = tuple[float, FailureReason, str]
"""When, why, with which model."""


def after(*failures: Failed, health: ProfileHealth | None = None) -> ProfileHealth:
    health = health or ProfileHealth(profile="acme:a", fingerprint="f")
    for at, reason, model in failures:
        health = after_failure(health, Failure(reason=reason), model, NOW + timedelta(seconds=at))
    return health


def left(health: ProfileHealth, at: float, model: str = A) -> float | None:
    """Seconds from the first failure to the return, as it stands then; None: usable."""
    block = health.block(model, NOW + timedelta(seconds=at))
    return None if block is None or block.until is None else (block.until - NOW).total_seconds()


@pytest.mark.parametrize(
    ("failures", "at", "model", "until"),
    [
        pytest.param([(0, R.BILLING, A)], 1, A, 5 * HOUR, id="C70"),
        pytest.param([(0, R.RATE_LIMIT, A), (10, R.RATE_LIMIT, A)], 11, A, 30, id="C74"),
        pytest.param([(0, R.BILLING, A), (48 * HOUR, R.BILLING, A)], 48 * HOUR, A, 53 * HOUR, id="C76"),
        pytest.param(
            [(0, R.RATE_LIMIT, A), (31, R.RATE_LIMIT, A)],
            32,
            A,
            91,
            id="C77: soon after its return it is out longer (6)",
        ),
        pytest.param(
            [(0, R.RATE_LIMIT, A), (91, R.RATE_LIMIT, A)], 92, A, 121, id="C77: after a calm it begins anew (6)"
        ),
        pytest.param([(0, R.BILLING, A), (HOUR, R.BILLING, A)], 2 * HOUR, A, 5 * HOUR, id="C79"),
        pytest.param([(0, R.AUTH, A), (60, R.AUTH, A)], 61, A, 600, id="C80"),
        pytest.param([(0, R.BILLING, A), (0, R.RATE_LIMIT, A)], 31, A, 5 * HOUR, id="C86"),
        pytest.param([(0, R.RATE_LIMIT, A), (0, R.BILLING, A)], 1, B, 5 * HOUR, id="C89"),
        pytest.param([(0, R.RATE_LIMIT, A), (10, R.RATE_LIMIT, B)], 11, B, 40, id="C91: a window for each model (6)"),
        pytest.param([(0, R.RATE_LIMIT, A), (10, R.RATE_LIMIT, B)], 31, A, None, id="C91: and each ends by itself (6)"),
        pytest.param([(0, R.RATE_LIMIT, A), (10, R.RATE_LIMIT, A)], 11, B, None, id="C92"),
        pytest.param([(0, R.RATE_LIMIT, A)], 29.9, A, 30, id="C95: active"),
        pytest.param([(0, R.RATE_LIMIT, A)], 30, A, None, id="C95: its end is outside"),
    ],
)
def test_windows_and_ladders(failures: Sequence[Failed], at: float, model: str, until: float | None) -> None:
    assert left(after(*failures), at, model) == until


@pytest.mark.parametrize("key", ["billingBackoffHours", "billingBackoffHoursByProvider", "billingMaxHours"])
def test_c71_and_c73_the_ladders_are_no_settings(key: str) -> None:
    with pytest.raises(InvalidConfig, match=r"auth\.cooldowns"):
        settings_from({"auth": {"cooldowns": {key: 1}}}, {})


def test_c88_a_limit_of_the_whole_profile_holds_for_every_model() -> None:
    failure = Failure(reason=R.RATE_LIMIT, whole_profile=True)
    health = after_failure(ProfileHealth(profile="acme:a", fingerprint="f"), failure, A, NOW)
    assert left(health, 1, A) == left(health, 1, B) == 30


@pytest.mark.parametrize("provider", ["openrouter", "kilocode"])
def test_c82_c83_c85_an_aggregators_key_has_health_like_any_other(provider: str) -> None:
    """product.md 6 makes no exception: a limit is held against one model, and an upstream's 429 against nobody."""
    health = after((0, R.RATE_LIMIT, f"{provider}/auto"), (1, R.BILLING, f"{provider}/auto"))
    assert [window.reason for window in health.windows] == [R.RATE_LIMIT, R.BILLING]


@pytest.mark.parametrize(
    ("failures", "at", "shown"),
    [
        pytest.param([(0, R.BILLING, A)], 1, ("disabled", "billing"), id="billing"),
        pytest.param([(0, R.AUTH_PERMANENT, A)], 1, ("disabled", "auth_permanent"), id="permanent"),
        pytest.param([(0, R.RATE_LIMIT, A), (1, R.AUTH, A)], 2, ("disabled", "auth"), id="the one that lasts longer"),
        pytest.param(
            [(0, R.TIMEOUT, A), (0, R.OVERLOADED, A)], 1, ("ready", None), id="transport is nobody's fault (6)"
        ),
        pytest.param([(0, R.RATE_LIMIT, A)], 31, ("ready", None), id="all over"),
    ],
)
def test_c94_why_it_is_out(failures: Sequence[Failed], at: float, shown: tuple[str, str | None]) -> None:
    world = World(profiles=[profile("acme:a", fingerprint="f")])
    world.health.health["acme:a", "f"] = after(*failures)
    world.clock.set(NOW + timedelta(seconds=at))
    (placed,) = resolve(world.snapshots.take(world.inbound("").session)).placed
    assert standing(placed)[:2] == shown


def window(until: float, model: str = "", lane: Lane = Lane.COOLDOWN) -> Window:
    end = NOW + timedelta(seconds=until)
    return Window(lane=lane, reason=R.RATE_LIMIT, model=model, since=NOW - timedelta(hours=1), until=end, step=0)


@pytest.mark.parametrize(
    ("windows", "until"),
    [
        pytest.param({}, None, id="C97: none"),
        pytest.param({"a": [2, 4], "b": [3], "c": [1]}, 1, id="C97: the soonest return"),
        pytest.param(
            {"a": [10], "b": [30]}, 10, id="C98: also of windows of one model, for its credential is usable (4.3)"
        ),
    ],
)
def test_the_soonest_return_is_told(windows: dict[str, list[float]], until: float | None) -> None:
    held: list[AuthProfile] = [profile(f"acme:{name}", fingerprint="f") for name in windows or ("a",)]
    world = World(profiles=held)
    for name, ends in windows.items():
        lanes = zip(ends, Lane, strict=False)
        record = ProfileHealth(profile=f"acme:{name}", fingerprint="f")
        found = tuple(window(end, lane=lane) for end, lane in lanes)
        world.health.health[f"acme:{name}", "f"] = replace(record, windows=found)
    world.clock.set(NOW)
    upcoming = resolve(world.snapshots.take(world.inbound("").session)).next
    assert upcoming.until == (None if until is None else NOW + timedelta(seconds=until))


def test_success_clears_windows_but_no_later_failure() -> None:
    health = after((0, R.RATE_LIMIT, A), (5, R.RATE_LIMIT, B))
    began = NOW + timedelta(seconds=1)
    done = after_success(health, A, began, began)
    assert left(done, 6, A) is None
    assert left(done, 6, B) == 35


def test_a_failure_in_an_open_window_outlasts_a_success_that_began_before_it() -> None:
    health = after((0, R.RATE_LIMIT, A), (10, R.RATE_LIMIT, A))
    began = NOW + timedelta(seconds=5)
    assert left(after_success(health, A, began, began), 11, A) == 30
