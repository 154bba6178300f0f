"""Labels: one printable line each, short enough for a button, whatever a configuration or a store calls its things.

Names come from files that others may have written: line breaks, invisible characters and marks that turn the direction of
reading would make a label say something else than what it does. What a platform reads as markup is for the platform to escape.
"""

from collections.abc import Iterable
from datetime import datetime

from core.auth.order import Placed
from core.durations import format_duration
from core.errors import FailureReason
from core.resolution import words
from core.resolution.view import standing

LONGEST = 80
"""Characters of a label."""
_TONES = {"ready": "good", "cooling": "waiting", "disabled": "bad"}


def one_line(text: str) -> str:
    """The text in one line: blanks for every kind of white space, a mark for what cannot be seen."""
    return "".join(c if c.isprintable() else " " if c.isspace() else "\ufffd" for c in text)


def shorten(text: str, limit: int = LONGEST) -> str:
    """One line of at most `limit` characters that keeps the beginning and the end: ids often differ only there."""
    line = " ".join(one_line(text).split())
    if len(line) <= limit:
        return line
    head = (limit - 1) // 2
    return f"{line[:head]}…{line[len(line) - (limit - 1 - head) :]}"


def label(name: str, *facts: str, limit: int = LONGEST) -> str:
    """A name with what is said of it, joined by dots. Only the name is shortened, unless the facts alone are too long."""
    said = "".join(f" · {' '.join(one_line(fact).split())}" for fact in facts if fact)
    return shorten(f"{shorten(name, max(limit - len(said), limit // 2))}{said}", limit)


def brief_state(placed: Placed, now: datetime) -> str:
    """A credential's state as its button says it: `ready`, `back in 4m`, `back in 5h · billing`, `expired 2d ago`."""
    state, reason, until, _ = standing(placed)
    if state not in ("cooling", "disabled"):
        return words.state(placed, now)
    why = "" if reason == FailureReason.RATE_LIMIT.value else f" · {reason}"
    return f"back in {format_duration(until - now)}{why}" if until is not None else f"out{why}"


def best_state(line: Iterable[Placed], now: datetime) -> str:
    """The state of what serves first: `ready`, or when the first one of those that are out comes back, or why there is none."""
    placed = tuple(line)
    if any(one.usable for one in placed):
        return "ready"
    out = [one for one in placed if one.position is not None and one.block is not None]
    if out:
        return brief_state(min(out, key=_return), now)
    return "no usable credential" if any(one.profile is not None for one in placed) else "no credential"


def tone_of(placed: Placed) -> str:
    """How a credential's state is to be taken, as `core.messages.Tone` names it. What an order leaves out is neither."""
    if placed.left_out:
        return "plain"
    state = standing(placed)[0]
    return "waiting" if state == "ready" and placed.lapsed else _TONES.get(state, "bad")


def _return(placed: Placed) -> tuple[bool, float]:
    until = placed.block.until if placed.block is not None else None
    return until is None, until.timestamp() if until is not None else 0.0
