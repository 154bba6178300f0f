"""What a column may hold, and how values of core become it. Shared by both readers, so without SQLAlchemy.

A moment is an integer: microseconds since 1970 in UTC. It sorts, comes back exactly, and is the same in every database.
"""

import json
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, Protocol

from core.errors import StorageError

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


class Row(Protocol):
    """A row of either library, asked by column name."""

    def __getitem__(self, name: str, /) -> Any: ...

    def keys(self) -> Iterable[str]: ...


def to_micros(moment: datetime) -> int:
    """Exact. Raises ValueError for a moment without a time zone, which would mean another hour on another machine."""
    if moment.tzinfo is None:
        raise ValueError("a stored time needs a time zone")
    return (moment - _EPOCH) // _MICROSECOND


def from_micros(micros: int) -> datetime:
    """The aware UTC moment. Raises OverflowError beyond the year 9999."""
    return _EPOCH + micros * _MICROSECOND


def maybe_to_micros(moment: datetime | None) -> int | None:
    """`to_micros` of a moment that may be missing."""
    return None if moment is None else to_micros(moment)


def maybe_from_micros(micros: int | None) -> datetime | None:
    """`from_micros` of a moment that may be missing."""
    return None if micros is None else from_micros(micros)


def storable(text: str) -> str:
    """The text with halves of surrogate pairs replaced: chats send them, and no database takes them."""
    return text.encode("utf-8", "replace").decode("utf-8")


def to_json(value: object) -> str:
    """JSON of a reply, a payload, a list. ASCII only, so that any text survives. Raises TypeError for what is not JSON."""
    return json.dumps(value, default=_plain, separators=(",", ":"))


def _plain(value: object) -> dict[str, Any]:
    if isinstance(value, Mapping):
        return dict(value)
    raise TypeError(f"{type(value).__name__} is not JSON")


def senseless(what: str, error: Exception) -> StorageError:
    """For rows that no version of this program can have written."""
    return StorageError(
        "storage",
        f"The database's rows about the {what} make no sense ({type(error).__name__}: {error}).",
        "Run `remoteclaw doctor`, or restore a backup.",
    )
