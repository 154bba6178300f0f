"""How often the gateway is connected to: discord.py pauses after a try that failed, but not after a session that ended at once."""

from datetime import datetime

from core.clock import Clock

SHORT = 60.0
"""Seconds. A connection that lasted so long was a good one, and the next may follow at once."""
_INTERVALS = (0, 1, 2, 5, 10, 20, 30)
"""Seconds from one try to the next, the first after a single short one. discord.py gives a connection a minute, this included."""


class Pace:
    """Keeps the tries to connect apart, the further the more short ones there were in a row."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._tried_at: datetime | None = None
        self._short = 0

    async def keep(self) -> None:
        """Return when the next try may begin. The time since the last one counts, whatever it was spent with."""
        if self._tried_at is not None:
            passed = (self._clock.now() - self._tried_at).total_seconds()
            # A clock that was set back says nothing about the length: it counts as none, and the pause is bounded.
            passed = max(0.0, passed)
            self._short = self._short + 1 if passed < SHORT else 0
            if self._short and (rest := _INTERVALS[min(self._short, len(_INTERVALS)) - 1] - passed) > 0:
                await self._clock.sleep(rest)
        self._tried_at = self._clock.now()
