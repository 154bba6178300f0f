"""All sessions in numbers, read over sqlite3 alone."""

import sqlite3

from adapters.storage.columns import Row, maybe_from_micros, senseless
from adapters.storage.session_rows import read_key
from core.sessions.overview import Overview

_PLATFORMS = ("telegram", "discord", "terminal")
_OVERVIEWS = """
SELECT
  s.key,
  c.platform,
  (SELECT count(*) FROM history h WHERE h.session = s.key AND h.epoch = s.epoch) AS messages,
  COALESCE(p.answers, 0) AS answers,
  COALESCE(p.input_tokens, 0) AS input_tokens,
  COALESCE(p.output_tokens, 0) AS output_tokens,
  COALESCE(p.cost, 0) AS cost,
  COALESCE(p.unpriced, 0) AS unpriced,
  NULLIF(MAX(COALESCE(s.served_at, 0), COALESCE(p.at, 0), COALESCE(d.at, 0), COALESCE(c.seen_at, 0)), 0) AS last_seen
FROM sessions s
LEFT JOIN chats c ON c.session = s.key
LEFT JOIN (
  SELECT session, count(*) AS answers, sum(input_tokens) AS input_tokens, sum(output_tokens) AS output_tokens,
    sum(cost) AS cost, count(*) - count(cost) AS unpriced, max(at) AS at
  FROM spending GROUP BY session
) p ON p.session = s.key
LEFT JOIN (SELECT session, max(at) AS at FROM decisions GROUP BY session) d ON d.session = s.key
ORDER BY last_seen DESC, s.key
"""


def read_overviews(connection: sqlite3.Connection) -> tuple[Overview, ...]:
    """Every session that is stored, the latest first. sqlite3's own errors pass through. Raises StorageError for senseless rows."""
    return tuple(map(_overview, connection.execute(_OVERVIEWS)))


def _overview(row: Row) -> Overview:
    try:
        key = read_key(row["key"])
        numbers = {
            name: int(row[name])
            for name in ("messages", "answers", "input_tokens", "output_tokens", "cost", "unpriced")
        }
        last_seen = maybe_from_micros(row["last_seen"])
    except (ValueError, TypeError, OverflowError) as error:
        raise senseless("sessions", error) from error
    named = key.chat.partition(":")[0]
    platform = row["platform"] or (named if named in _PLATFORMS else "")
    return Overview(key=key, platform=platform, last_seen=last_seen, **numbers)
