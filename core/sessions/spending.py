"""What answers have cost: tokens as the provider counted them, and money where the price is known."""

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Spent:
    """One answered request. `input_tokens` are all that were sent, those of the provider's cache included; `cost` is in millionths
    of a US dollar, None where nobody knows the price."""

    at: datetime
    model: str
    profile: str
    input_tokens: int = 0
    output_tokens: int = 0
    cache_read_tokens: int = 0
    cache_write_tokens: int = 0
    cost: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Total:
    """All answers of one model with one credential in a session. `unpriced` of them have no known cost."""

    model: str
    profile: str
    answers: int
    input_tokens: int
    output_tokens: int
    cost: int
    unpriced: int
