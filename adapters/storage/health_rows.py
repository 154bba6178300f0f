"""Profile health as rows, and back. Shared by both readers, so without SQLAlchemy."""

from collections.abc import Iterable
from typing import Any

from adapters.storage.columns import Row, from_micros, maybe_from_micros, maybe_to_micros, senseless, to_micros
from core.auth.health import Lane, ProfileHealth, Window
from core.errors import FailureReason


def window_values(health: ProfileHealth) -> list[dict[str, Any]]:
    """The rows of `windows`, in their order."""
    return [
        {
            "profile": health.profile,
            "fingerprint": health.fingerprint,
            "lane": window.lane.value,
            "model": window.model,
            "position": position,
            "reason": window.reason.value,
            "since": to_micros(window.since),
            "until": maybe_to_micros(window.until),
            "step": window.step,
            "failed_at": maybe_to_micros(window.failed_at),
        }
        for position, window in enumerate(health.windows)
    ]


def read_health(credentials: Iterable[Row], windows: Iterable[Row]) -> tuple[ProfileHealth, ...]:
    """The health of all credentials, from all their rows; windows in their order. Raises StorageError as `read_session`."""
    spans: dict[tuple[str, str], list[Window]] = {}
    try:
        for row in windows:
            spans.setdefault((row["profile"], row["fingerprint"]), []).append(_read_window(row))
        return tuple(
            ProfileHealth(
                profile=row["profile"],
                fingerprint=row["fingerprint"],
                last_used=maybe_from_micros(row["last_used"]),
                windows=tuple(spans.get((row["profile"], row["fingerprint"]), ())),
            )
            for row in credentials
        )
    except (ValueError, LookupError, OverflowError, TypeError) as error:
        raise senseless("health of the credentials", error) from error


def _read_window(row: Row) -> Window:
    return Window(
        lane=Lane(row["lane"]),
        reason=FailureReason(row["reason"]),
        model=row["model"],
        since=from_micros(row["since"]),
        until=maybe_from_micros(row["until"]),
        step=row["step"],
        failed_at=maybe_from_micros(_since_2(row, "failed_at")),
    )


def _since_2(row: Row, name: str) -> int | None:
    """A column that the second schema has brought: who only looks may find the first one."""
    try:
        found: int | None = row[name]
    except LookupError:
        return None
    return found
