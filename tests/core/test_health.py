"""Profile health as a pure state machine (product.md 6)."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.auth.health import LONGEST_RESET, Lane, ProfileHealth, after_failure, after_success
from core.errors import Failure, FailureReason

NOW = datetime(2026, 5, 4, 12, tzinfo=UTC)
FRESH = ProfileHealth(profile="p:x", fingerprint="f")
A, B = "p/a", "p/b"
LIMIT, BILLING, AUTH = FailureReason.RATE_LIMIT, FailureReason.BILLING, FailureReason.AUTH


def fail(
    health: ProfileHealth, reason: FailureReason = LIMIT, model: str = A, at: datetime = NOW, retry: float | None = None
) -> ProfileHealth:
    retry_at = at + timedelta(seconds=retry) if retry is not None else None
    return after_failure(health, Failure(reason=reason, retry_at=retry_at), model, at)


def out(health: ProfileHealth, model: str = A, at: datetime = NOW) -> float | None:
    block = health.block(model, at)
    return None if block is None or block.until is None else (block.until - at).total_seconds()


@pytest.mark.parametrize(
    ("reason", "seconds"), [(LIMIT, 30), (BILLING, 5 * 3600), (AUTH, 600)], ids=["rate limit", "billing", "auth"]
)
def test_the_first_window_of_each_ladder(reason: FailureReason, seconds: float) -> None:
    assert out(fail(FRESH, reason)) == seconds


def test_a_provider_reset_time_wins_and_is_clamped() -> None:
    assert out(fail(FRESH, retry=7)) == 7
    assert out(fail(FRESH, BILLING, retry=60)) == 60
    assert out(fail(FRESH, retry=1e9)) == LONGEST_RESET.total_seconds()
    assert out(fail(FRESH, retry=-5)) == 30


def test_a_rate_limit_concerns_one_model_and_billing_all() -> None:
    assert out(fail(FRESH), B) is None
    assert out(fail(FRESH, BILLING), B) == 5 * 3600


def test_a_withdrawn_credential_is_out_until_it_changes() -> None:
    block = fail(FRESH, FailureReason.AUTH_PERMANENT).block(B, NOW + timedelta(days=4000))
    assert block is not None
    assert (block.lane, block.until) == (Lane.DISABLED, None)


@pytest.mark.parametrize(
    "reason", [r for r in FailureReason if r not in (LIMIT, BILLING, AUTH, FailureReason.AUTH_PERMANENT)]
)
def test_nothing_else_is_held_against_a_credential(reason: FailureReason) -> None:
    assert fail(FRESH, reason) == FRESH


def test_the_instant_of_the_end_is_outside() -> None:
    health = fail(FRESH, retry=10)
    assert health.block(A, NOW + timedelta(seconds=9.999)) is not None
    assert health.block(A, NOW + timedelta(seconds=10)) is None


def test_the_ladder_rises_only_for_a_failure_soon_after_the_return() -> None:
    back = NOW + timedelta(seconds=30)
    assert out(fail(fail(FRESH), at=back), at=back) == 60
    late = back + timedelta(seconds=60)
    assert out(fail(fail(FRESH), at=late), at=late) == 30


def test_the_ladder_has_a_top() -> None:
    health, at = FRESH, NOW
    spans = []
    for _ in range(5):
        health = fail(health, at=at)
        spans.append(out(health, at=at))
        at += timedelta(seconds=spans[-1] or 0)
    assert spans == [30, 60, 300, 300, 300]


def test_a_second_failure_under_way_neither_shortens_nor_escalates() -> None:
    health = fail(FRESH, retry=300)
    again = fail(health, at=NOW + timedelta(seconds=1))
    assert out(again, at=NOW) == 300
    assert again.windows[0].step == 0


def test_a_success_clears_only_failures_older_than_its_own_beginning() -> None:
    health = fail(FRESH, at=NOW)
    began_before = after_success(health, A, NOW - timedelta(seconds=1), NOW + timedelta(seconds=5))
    assert out(began_before) == 30
    assert began_before.last_used == NOW + timedelta(seconds=5)
    began_after = after_success(health, A, NOW + timedelta(seconds=1), NOW + timedelta(seconds=5))
    assert out(began_after) is None


def test_a_success_with_one_model_says_nothing_of_another() -> None:
    health = fail(FRESH, model=B)
    assert out(after_success(health, A, NOW + timedelta(seconds=1), NOW + timedelta(seconds=2)), B) == 30


EVENTS = st.lists(
    st.tuples(
        st.sampled_from(list(FailureReason)),
        st.sampled_from([A, B]),
        st.integers(-100_000, 1_000_000),
        st.one_of(st.none(), st.floats(-1e6, 1e9)),
    ),
    max_size=20,
)


@given(EVENTS)
def test_whatever_happens_windows_are_few_and_bounded(
    events: list[tuple[FailureReason, str, int, float | None]],
) -> None:
    health = FRESH
    for reason, model, offset, retry in events:
        at = NOW + timedelta(seconds=offset)
        before = health
        health = fail(health, reason, model, at, retry)
        block = health.block(model, at)
        if reason in (LIMIT, BILLING, AUTH, FailureReason.AUTH_PERMANENT):
            assert block is not None
        else:
            assert health == before
        assert len(health.windows) <= 3
        assert all(w.model in ("", A, B) and (w.lane is Lane.COOLDOWN) == bool(w.model) for w in health.windows)
