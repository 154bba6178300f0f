"""Time, as an argument. Everything in core that depends on the hour takes a `datetime` or this port."""

from datetime import datetime
from typing import Protocol


class Clock(Protocol):
    """The time of day and waiting. `now` is always aware and in UTC."""

    def now(self) -> datetime: ...

    async def sleep(self, seconds: float) -> None: ...
