"""When a provider says to come back: from headers, from the error body, from its sentence. Pure; nothing here raises.

The most exact word wins: retry-after-ms, retry-after, RetryInfo in the body, the reset headers of limits that are used up,
then "try again in 20s" or "resets in 4hr 5min". A time that has passed says nothing. What lies further ahead than health
believes is cut there.
"""

import math
import re
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime

from core.auth.health import LONGEST_RESET
from core.durations import parse_duration

_LONGEST_VALUE = 64
_LONGEST_TEXT = 4_000
_EPOCH_SECONDS = 1e9
_EPOCH_MILLISECONDS = 1e12
_LIMIT = re.compile(r"(?:x-ratelimit-reset(?P<openai>[a-z0-9-]*)|anthropic-ratelimit-(?P<anthropic>[a-z0-9-]+)-reset)")
_UNIT = r"(ms|milliseconds?|s|secs?|seconds?|m|mins?|minutes?|h|hrs?|hours?|d|days?)(?![a-z])"
_SPAN = re.compile(rf"(\d{{1,9}}(?:\.\d{{1,9}})?) ?{_UNIT} ?")
_SENTENCE = re.compile(rf"(?:try again|retry|resets?|available(?: again)?)(?: in| after) ((?:{_SPAN.pattern})+)")


def reset_time(headers: Mapping[str, str], body: object, now: datetime, text: str = "") -> datetime | None:
    """The provider's own reset time, after `now` and at most 7 days ahead, or None.

    `headers` have lower-case names; `body` is the parsed JSON of any shape; `text` is the provider's sentence.
    """
    for seconds in _said(headers, body, now, text):
        ahead = timedelta(seconds=min(max(seconds or 0.0, 0.0), LONGEST_RESET.total_seconds()))
        if ahead:
            return now + ahead
    return None


def _said(headers: Mapping[str, str], body: object, now: datetime, text: str) -> Iterator[float | None]:
    milliseconds = _number(headers.get("retry-after-ms", ""))
    yield None if milliseconds is None else milliseconds / 1000
    yield _seconds(headers.get("retry-after", ""), now)
    yield _retry_info(body, now)
    yield max((s for s in _used_up(headers, now) if s is not None), default=None)
    yield _in_sentence(text, now)


def _used_up(headers: Mapping[str, str], now: datetime) -> Iterator[float | None]:
    """Resets of limits with nothing left. OpenAI's come without a remainder at some vendors; then the reset counts too."""
    for name, value in headers.items():
        limit = _LIMIT.fullmatch(name)
        if limit is None:
            continue
        if limit["anthropic"] is not None:
            prefix = f"anthropic-ratelimit-{limit['anthropic']}"
            empty = _number(headers.get(f"{prefix}-remaining", "")) == 0
            empty = empty or headers.get(f"{prefix}-status", "").strip().lower() == "rejected"
        else:
            remaining = _number(headers.get(f"x-ratelimit-remaining{limit['openai']}", ""))
            empty = remaining is None or remaining <= 0
        if empty:
            yield _seconds(value, now)


def _retry_info(body: object, now: datetime) -> float | None:
    """Google's `error.details[].retryDelay`, also where the whole body is wrapped into a list."""
    if isinstance(body, list) and body:
        body = body[0]
    error = body.get("error") if isinstance(body, dict) else None
    details = error.get("details") if isinstance(error, dict) else None
    for detail in details if isinstance(details, list) else ():
        delay = detail.get("retryDelay") if isinstance(detail, dict) else None
        if isinstance(delay, str):
            return _seconds(delay, now)
    return None


def _in_sentence(text: str, now: datetime) -> float | None:
    said = _SENTENCE.search(text[:_LONGEST_TEXT].lower())
    if said is None:
        return None
    parts = (
        f"{count}{'ms' if unit.startswith(('ms', 'milli')) else unit[0]}" for count, unit in _SPAN.findall(said[1])
    )
    return _seconds("".join(parts), now)


def _seconds(value: str, now: datetime) -> float | None:
    """Seconds from `now`: of a number (seconds, or an epoch in seconds or milliseconds), a duration, or a date."""
    value = value.strip()
    if not value or len(value) > _LONGEST_VALUE:
        return None
    number = _number(value)
    if number is not None:
        if number >= _EPOCH_MILLISECONDS:
            return number / 1000 - now.timestamp()
        return number - now.timestamp() if number >= _EPOCH_SECONDS else number
    try:
        return parse_duration(value).total_seconds()
    except ValueError:
        moment = _moment(value)
        return None if moment is None else (moment - now).total_seconds()


def _number(value: str) -> float | None:
    try:
        number = float(value) if len(value) <= _LONGEST_VALUE else math.nan
    except ValueError:
        return None
    return number if math.isfinite(number) else None


def _moment(value: str) -> datetime | None:
    """RFC 3339 or an HTTP date; one without a zone is taken for UTC."""
    for parse in (datetime.fromisoformat, parsedate_to_datetime):
        try:
            moment = parse(value)
            return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
        except (ValueError, TypeError, OverflowError, IndexError):
            continue
    return None
