"""The clock of a gateway on a machine whose clock is set: nothing ends by mistake, nothing lasts for ever, each jump is said."""

import logging
from datetime import timedelta

import pytest

from bot.steady_clock import SteadyClock
from core.auth.health import ProfileHealth, after_failure
from core.errors import Failure, FailureReason
from core.sessions.session import Choice
from tests.fakes.clock import START

HOUR, MINUTE, SECOND = timedelta(hours=1), timedelta(minutes=1), timedelta(seconds=1)


class Machine:
    """A machine whose clock is wrong by `off`."""

    def __init__(self) -> None:
        self.gone = timedelta(0)
        self.off = timedelta(0)
        self.clock = SteadyClock(lambda: START + self.gone + self.off, lambda: self.gone.total_seconds())

    def passes(self, span: timedelta, every: timedelta = MINUTE) -> None:
        """Time goes by, and the clock is asked now and then."""
        end = self.gone + span
        while self.gone < end:
            self.gone = min(end, self.gone + every)
            self.clock.now()

    @property
    def error(self) -> timedelta:
        """How wrong the clock is that the gateway goes by."""
        return self.clock.now() - (START + self.gone)


@pytest.fixture
def machine(caplog: pytest.LogCaptureFixture) -> Machine:
    caplog.set_level(logging.INFO, "bot.steady_clock")
    return Machine()


@pytest.mark.parametrize("jump", [5 * HOUR, -5 * HOUR, timedelta(days=-20_000), 3 * MINUTE], ids=str)
def test_a_jump_that_is_put_right_is_never_seen_and_said_twice(
    machine: Machine, jump: timedelta, caplog: pytest.LogCaptureFixture
) -> None:
    machine.passes(HOUR)
    machine.off = jump
    machine.passes(9 * MINUTE, every=SECOND)
    assert machine.error == timedelta(0)
    (note,) = machine.clock.notes()
    assert caplog.messages == [note]
    assert note.startswith(
        "The clock of this machine was set " + ("forward by " if jump > timedelta(0) else "back by ")
    )
    machine.off = timedelta(0)
    machine.passes(MINUTE)
    assert len(caplog.messages) == 2
    assert machine.clock.notes() == (caplog.messages[1],)
    assert "is right again" in caplog.messages[1]
    machine.passes(HOUR)
    assert (machine.clock.notes(), machine.error, len(caplog.messages)) == ((), timedelta(0), 2)


@pytest.mark.parametrize("jump", [5 * HOUR, -5 * HOUR], ids=str)
def test_a_jump_that_stays_is_taken_over_after_ten_minutes(
    machine: Machine, jump: timedelta, caplog: pytest.LogCaptureFixture
) -> None:
    machine.off = jump
    machine.passes(10 * MINUTE)
    assert machine.error == timedelta(0)
    machine.passes(MINUTE)
    assert machine.error == jump
    assert len(caplog.messages) == 2
    assert "has stayed set" in caplog.messages[1]
    assert machine.clock.notes() == (caplog.messages[1],)
    machine.passes(2 * HOUR)
    assert machine.clock.notes() == ()
    machine.off = timedelta(0)
    machine.passes(MINUTE)
    assert machine.error == jump, "the way back is a jump as well"


def test_small_corrections_are_followed_at_once_and_not_said(
    machine: Machine, caplog: pytest.LogCaptureFixture
) -> None:
    for off in (90, -20, 45, -70):
        machine.off = off * SECOND
        machine.passes(SECOND)
        assert machine.error == off * SECOND
    assert caplog.messages == []


def test_a_clock_that_runs_a_little_fast_for_months_never_jumps(
    machine: Machine, caplog: pytest.LogCaptureFixture
) -> None:
    for _ in range(2000):
        machine.off += 2 * SECOND
        machine.passes(HOUR, every=HOUR)
    assert machine.error == 4000 * SECOND
    assert caplog.messages == []


def test_a_machine_that_slept_has_not_jumped(machine: Machine, caplog: pytest.LogCaptureFixture) -> None:
    machine.passes(timedelta(days=3), every=timedelta(days=3))
    assert machine.error == timedelta(0)
    assert caplog.messages == []


def test_a_clock_that_is_set_again_before_it_is_believed_begins_its_ten_minutes_anew(
    machine: Machine, caplog: pytest.LogCaptureFixture
) -> None:
    machine.off = 5 * HOUR
    machine.passes(8 * MINUTE)
    machine.off = 3 * HOUR
    machine.passes(8 * MINUTE)
    assert machine.error == timedelta(0)
    machine.passes(3 * MINUTE)
    assert machine.error == 3 * HOUR
    assert len(caplog.messages) == 2


def test_a_choice_for_two_hours_outlives_a_wrong_clock_and_not_its_own_time(machine: Machine) -> None:
    now = machine.clock.now()
    choice = Choice(model=None, pin=None, set_by="telegram:1", set_at=now, expires_at=now + 2 * HOUR)
    machine.off = 5 * HOUR
    machine.passes(5 * MINUTE)
    assert not choice.ended(machine.clock.now())
    machine.off = timedelta(0)
    machine.passes(114 * MINUTE)
    assert not choice.ended(machine.clock.now())
    machine.passes(MINUTE)
    assert choice.ended(machine.clock.now())


def test_a_cooldown_from_before_the_clock_was_set_back_ends_by_its_own_time(machine: Machine) -> None:
    empty = ProfileHealth(profile="acme:work", fingerprint="f")
    limited = after_failure(empty, Failure(reason=FailureReason.RATE_LIMIT), "m", machine.clock.now())
    machine.off = -20 * HOUR
    machine.passes(29 * SECOND, every=SECOND)
    assert limited.block("m", machine.clock.now()) is not None
    machine.passes(SECOND)
    assert limited.block("m", machine.clock.now()) is None
    machine.passes(HOUR)
    assert limited.block("m", machine.clock.now()) is None, "also when the new time is taken over"
