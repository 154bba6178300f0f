"""Reading JSON that anybody may have written: what has a wrong shape is as if it were not there."""

from collections.abc import Mapping
from typing import Any


def mapping(raw: object) -> Mapping[str, Any]:
    """An object, or an empty one."""
    return raw if isinstance(raw, Mapping) else {}


def number(raw: object) -> int | None:
    """An integer; true and false are none."""
    return raw if isinstance(raw, int) and not isinstance(raw, bool) else None


def words(raw: object) -> str:
    """A text, or an empty one."""
    return raw if isinstance(raw, str) else ""
