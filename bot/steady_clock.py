"""The Clock of a process that runs for months, on a machine whose clock may be set."""

import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from bot.system_clock import SystemClock
from core.durations import format_duration

log = logging.getLogger(__name__)

_LARGEST_STEP = timedelta(minutes=2)
"""A larger deviation between the machine's clock and the time that has gone by is a jump; a smaller one is a correction."""
_HOLD = timedelta(minutes=10)
"""How long a jump has to last until it is believed. Whoever set the clock by mistake, or synchronises it, is done by then."""
_NOTED = timedelta(hours=1)
"""How long a jump is worth knowing after it is over."""


@dataclass(frozen=True, slots=True)
class _Jump:
    """`by` how much the clock was set, and how much time had gone by then."""

    by: timedelta
    at: datetime
    elapsed: float


class SteadyClock(SystemClock):
    """The machine's time, but not its jumps at once.

    When the clock jumps by more than two minutes, this one goes on by the time that really goes by, for ten minutes: what a wrong
    clock would end (a choice `for 2h`, a login) has not ended when it is put right. A jump that lasts is taken over then. Each is
    one line of the log when it begins and one when it is over. May be asked from any thread.

    `wall` and `elapsed` are for tests: the machine's clock, and seconds that go by, also while the machine sleeps.
    """

    def __init__(self, wall: Callable[[], datetime] | None = None, elapsed: Callable[[], float] | None = None) -> None:
        self._wall = wall or super().now
        self._elapsed = elapsed or _elapsed
        self._lock = threading.Lock()
        self._last = self._wall(), self._elapsed()
        """A moment and its place in the time that goes by: all others are counted from it."""
        self._jump: _Jump | None = None
        self._over = ("", 0.0)

    def now(self) -> datetime:
        """The present moment, aware: the machine's, unless that has jumped just now."""
        with self._lock:
            moment, elapsed, sentence = self._judge(self._wall(), self._elapsed())
            if sentence and self._jump is None:
                self._over = sentence, elapsed
        if sentence:
            log.warning("%s", sentence)
        return moment

    def notes(self) -> tuple[str, ...]:
        """What an operator should know of it: a jump that lasts, and for an hour one that is over."""
        self.now()
        with self._lock:
            if self._jump is not None:
                return (_begun(self._jump),)
            sentence, since = self._over
            return (sentence,) if sentence and self._elapsed() - since < _NOTED.total_seconds() else ()

    def _judge(self, wall: datetime, elapsed: float) -> tuple[datetime, float, str]:
        """The moment to go by, and what there is to say of it."""
        before, then = self._last
        expected = before + timedelta(seconds=elapsed - then)
        off = wall - expected
        jump = self._jump
        if abs(off) <= _LARGEST_STEP:
            self._last, self._jump = (wall, elapsed), None
            if jump is None:
                return wall, elapsed, ""
            return wall, elapsed, f"The clock of this machine is right again; it was {_words(jump.by)} for a while."
        if jump is None or abs(off - jump.by) > _LARGEST_STEP:
            self._jump = _Jump(off, expected, elapsed)
            return expected, elapsed, _begun(self._jump) if jump is None else ""
        if elapsed - jump.elapsed < _HOLD.total_seconds():
            return expected, elapsed, ""
        self._last, self._jump = (wall, elapsed), None
        return wall, elapsed, f"The clock of this machine has stayed {_words(jump.by)}: its time is taken over."


def _begun(jump: _Jump) -> str:
    return (
        f"The clock of this machine was {_words(jump.by)} at {jump.at:%H:%M:%S} UTC. The gateway goes on by the time that has"
        f" gone by, and takes the new one over if it stays for {format_duration(_HOLD)}."
    )


def _words(by: timedelta) -> str:
    minute = timedelta(minutes=1)
    return f"set {'forward' if by > timedelta(0) else 'back'} by {format_duration(round(abs(by) / minute) * minute)}"


def _elapsed() -> float:
    """Seconds that have gone by since some moment, also while the machine slept, where the system can tell."""
    return time.clock_gettime(getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC))
