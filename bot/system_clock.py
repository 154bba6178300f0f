"""The Clock of a running process."""

from datetime import UTC, datetime


class SystemClock:
    """The machine's time in UTC and the event loop's waiting."""

    def now(self) -> datetime:
        """The present moment, aware."""
        return datetime.now(UTC)

    async def sleep(self, seconds: float) -> None:
        """Wait that long; not at all for zero or less."""
        import asyncio  # a tenth of the start of `models status`, which only asks what time it is

        await asyncio.sleep(seconds)
