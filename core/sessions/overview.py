"""A session in numbers, for who looks over all of them: no word of what was said."""

from dataclasses import dataclass
from datetime import datetime

from core.sessions.key import SessionKey


@dataclass(frozen=True, slots=True, kw_only=True)
class Overview:
    """What a session holds and has used. `messages` are those of its present conversation; `cost` is in millionths of a US
    dollar, and `unpriced` of the `answers` have none. `last_seen`: when anything last happened in it, as far as that is stored."""

    key: SessionKey
    platform: str
    """Where its chat is; empty where nobody knows."""
    messages: int
    answers: int
    input_tokens: int
    output_tokens: int
    cost: int
    unpriced: int
    last_seen: datetime | None
