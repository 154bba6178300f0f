"""Durations as people write them: "90s", "1h30m", "2d"; and as people read them: "4m", "3h"."""

import re
from datetime import datetime, timedelta

_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0, "w": 604800.0}
_PART = re.compile(r"(\d+(?:\.\d+)?)(ms|s|m|h|d|w)")
LONGEST = timedelta(days=3650)


def parse_duration(text: str) -> timedelta:
    """Parse `<number><unit>` parts, largest meaning added up. Raises ValueError for anything else, zero, or over ten years."""
    compact = text.strip().lower()
    end = 0
    seconds = 0.0
    for part in _PART.finditer(compact):
        if part.start() != end:
            break
        end = part.end()
        seconds += float(part[1]) * _UNITS[part[2]]
    if not compact or end != len(compact) or not 0 < seconds <= LONGEST.total_seconds():
        raise ValueError(f"{text!r} is not a duration such as 90s, 1h30m or 2d")
    return timedelta(seconds=seconds)


def format_duration(span: timedelta) -> str:
    """The largest two units that matter: 45s, 4m, 1h 30m, 5d. Rounded up to the second, so that it never promises too early."""
    seconds = max(0, -int(-span.total_seconds() // 1))
    if seconds < 60:
        return f"{seconds}s"
    minutes = -(-seconds // 60)
    if minutes < 60:
        return f"{minutes}m"
    hours, minutes = divmod(minutes, 60)
    if hours < 48:
        return f"{hours}h {minutes}m" if minutes else f"{hours}h"
    days, hours = divmod(hours, 24)
    return f"{days}d {hours}h" if hours and days < 7 else f"{days}d"


def span_is_over(since: datetime, until: datetime, now: datetime) -> bool:
    """Whether a span that began at `since` is over. A clock that was set back by more than the span's length ends it too:
    nothing that was meant for a minute may hold for a year."""
    return now >= until or since - now > until - since


def iso(moment: datetime | None) -> str | None:
    """ISO 8601 in UTC with a `Z`, to the second, as interfaces.md asks."""
    return None if moment is None else moment.strftime("%Y-%m-%dT%H:%M:%SZ")
