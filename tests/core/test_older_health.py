"""What older versions remembered of a credential, as health (credentials.md 1.3; vectors C65-C68 and C95)."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.auth.health import Lane, ProfileHealth, Window, after_failure, from_usage_stats
from core.auth.profiles import AuthProfile, CredentialKind
from core.errors import Failure, FailureReason

NOW_MS = 1_700_000_000_000
NOW = datetime.fromtimestamp(NOW_MS / 1000, UTC)
PROFILE = AuthProfile(id="acme:work", provider="acme", kind=CredentialKind.API_KEY, fingerprint="0a0b0c0d")
MINUTE, HOUR, DAY = 60_000, 3_600_000, 86_400_000
LIMIT, BILLING, AUTH = FailureReason.RATE_LIMIT, FailureReason.BILLING, FailureReason.AUTH


def read(**stats: Any) -> ProfileHealth:
    return from_usage_stats(PROFILE, stats, NOW)


def cooling(**more: Any) -> dict[str, Any]:
    return {"cooldownUntil": NOW_MS + MINUTE, "cooldownReason": "rate_limit", **more}


def only(health: ProfileHealth) -> Window:
    (window,) = health.windows
    return window


def test_everything_that_still_holds_is_kept_for_the_credential_as_it_is_now() -> None:
    found = read(
        lastUsed=NOW_MS - HOUR,
        lastFailureAt=NOW_MS - MINUTE,
        cooldownModel="large",
        errorCount=2,
        disabledUntil=NOW_MS + HOUR,
        disabledReason="billing",
        failureCounts={"billing": 3},
        **cooling(),
    )
    minute_ago, until = NOW - timedelta(minutes=1), NOW + timedelta(minutes=1)
    cooldown = Window(lane=Lane.COOLDOWN, reason=LIMIT, model="acme/large", since=minute_ago, until=until, step=1)
    disabled = Window(
        lane=Lane.DISABLED, reason=BILLING, model="", since=minute_ago, until=NOW + timedelta(hours=1), step=2
    )
    assert found == ProfileHealth(
        profile="acme:work", fingerprint="0a0b0c0d", last_used=NOW - timedelta(hours=1), windows=(cooldown, disabled)
    )


@pytest.mark.parametrize(
    "value",
    [
        pytest.param(NOW_MS - 1, id="C65 past"),
        pytest.param(NOW_MS, id="C95 now"),
        *(pytest.param(v, id=f"C95 {v}") for v in (float("nan"), float("inf"), float("-inf"), 0, -1)),
        *(pytest.param(v, id=f"no moment: {v!r}") for v in (True, None, "1700000060000", [], {}, 10**400, 1e300)),
    ],
)
@pytest.mark.parametrize("name", ["cooldownUntil", "disabledUntil"])
def test_no_window_is_opened_by_what_is_over_or_no_moment(name: str, value: object) -> None:
    assert read(**{name: value, "errorCount": 4, "disabledReason": "billing"}).windows == ()


def test_c67_one_that_lasts_still_holds() -> None:
    assert read(**cooling()).block("acme/large", NOW) is not None
    assert read(**cooling()).block("acme/large", NOW + timedelta(minutes=1)) is None


@pytest.mark.parametrize(
    ("stats", "reason"),
    [
        pytest.param({"cooldownReason": "rate_limit"}, LIMIT, id="named"),
        pytest.param({"cooldownReason": "auth"}, AUTH, id="auth"),
        pytest.param({"cooldownReason": "session_went_away"}, FailureReason.UNKNOWN, id="a reason of others"),
        pytest.param({"cooldownReason": "unknown"}, FailureReason.UNKNOWN, id="unknown"),
        pytest.param({}, FailureReason.UNKNOWN, id="none"),
        pytest.param({"failureCounts": {"auth": 3, "rate_limit": 1}}, AUTH, id="C94 the most frequent one"),
        pytest.param({"failureCounts": {"timeout": 9, "billing": 1}}, BILLING, id="of those that are held against it"),
        pytest.param({"failureCounts": {"auth": "many", "billing": True}}, FailureReason.UNKNOWN, id="no numbers"),
        pytest.param({"failureCounts": [1]}, FailureReason.UNKNOWN, id="no counts"),
        pytest.param({"cooldownReason": ["auth"]}, FailureReason.UNKNOWN, id="no text"),
    ],
)
def test_the_reason_is_the_one_that_was_noted_or_counted(stats: dict[str, Any], reason: FailureReason) -> None:
    assert only(read(cooldownUntil=NOW_MS + MINUTE, **stats)).reason is reason


@pytest.mark.parametrize("reason", ["overloaded", "timeout", "format", "model_not_found", "network"])
def test_what_is_never_held_against_a_credential_holds_none_back(reason: str) -> None:
    assert read(cooldownUntil=NOW_MS + MINUTE, cooldownReason=reason).windows == ()


@pytest.mark.parametrize(
    ("stats", "model"),
    [
        pytest.param({"cooldownModel": " large "}, "acme/large", id="as its provider names it"),
        pytest.param({"cooldownModel": "acme/large"}, "acme/large", id="with the provider"),
        pytest.param({"cooldownModel": "other/large"}, "acme/other/large", id="a name with a slash"),
        pytest.param({"cooldownModel": " "}, "", id="blank"),
        pytest.param({"cooldownModel": 5}, "", id="no text"),
        pytest.param({}, "", id="C88 none: all of them"),
        pytest.param({"cooldownModel": "large", "cooldownReason": "auth"}, "", id="only a rate limit is of one model"),
    ],
)
def test_a_rate_limit_is_of_the_model_that_met_it(stats: dict[str, Any], model: str) -> None:
    assert only(read(**{**cooling(), **stats})).model == model


def test_nothing_holds_longer_than_a_reset_time_is_believed() -> None:
    assert only(read(disabledUntil=8_640_000_000_000_000)).until == NOW + timedelta(days=7)


@pytest.mark.parametrize(
    ("value", "since"),
    [(NOW_MS - MINUTE, NOW - timedelta(minutes=1)), (NOW_MS + 1, NOW), (1, NOW), ("x", NOW), (float("nan"), NOW)],
)
def test_a_window_begins_with_the_last_failure_if_that_can_be(value: object, since: datetime) -> None:
    assert only(read(**cooling(lastFailureAt=value))).since == since


def test_a_use_in_the_future_was_now() -> None:
    assert read(lastUsed=NOW_MS + DAY).last_used == NOW
    assert read(lastUsed=-5).last_used is None


@pytest.mark.parametrize(
    ("count", "step"), [(1, 0), (3, 2), (10**30, 2), (0, 0), (-7, 0), ("3", 0), (True, 0), (2.0, 0)]
)
def test_the_ladder_goes_on_where_it_was(count: object, step: int) -> None:
    health = read(**cooling(errorCount=count))
    assert only(health).step == step
    again = after_failure(health, Failure(reason=LIMIT), "acme/large", NOW + timedelta(seconds=61))
    assert all(window.step <= 2 for window in again.windows)


_VALUES = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=5), st.lists(st.none(), max_size=1),
    st.integers(NOW_MS - DAY, NOW_MS + DAY), st.sampled_from(["rate_limit", "billing", "auth_permanent", "unknown"]),
    st.dictionaries(st.sampled_from(["billing", "auth"]), st.integers() | st.floats() | st.text(max_size=2)),
)  # fmt: skip
_NAMES = st.sampled_from(
    ["lastUsed", "cooldownUntil", "cooldownReason", "cooldownModel", "disabledUntil", "disabledReason", "errorCount"]
)


@given(st.dictionaries(_NAMES, _VALUES), _VALUES, _VALUES)
def test_whatever_was_noted_it_is_a_health_that_the_rules_can_go_on_with(
    stats: dict[str, Any], counts: object, failed: object
) -> None:
    health = read(**stats, failureCounts=counts, lastFailureAt=failed)
    assert all(w.is_open(NOW) and w.until is not None and w.since <= NOW < w.until for w in health.windows)
    for reason in (LIMIT, BILLING, AUTH, FailureReason.AUTH_PERMANENT):
        after_failure(health, Failure(reason=reason), "acme/large", NOW + timedelta(minutes=2))
