"""What an answer has cost."""

from datetime import datetime

from core.chat.completion import Usage
from core.models.catalog import Price
from core.resolution.resolver import METERED, Candidate
from core.resolution.snapshot import Snapshot
from core.sessions.spending import Spent


def spent_on(snapshot: Snapshot, candidate: Candidate, usage: Usage, now: datetime) -> Spent:
    """The record of one answer, with its cost at the prices of the catalogue."""
    billing = candidate.profile.billing
    is_paid_already = billing is not None and billing != METERED
    entry = snapshot.rules.catalog.entry(candidate.model)
    price = entry.price if entry is not None else None
    return Spent(
        at=now,
        model=str(candidate.model),
        profile=candidate.profile.id,
        input_tokens=usage.input_tokens,
        output_tokens=usage.output_tokens,
        cache_read_tokens=usage.cache_read_tokens,
        cache_write_tokens=usage.cache_write_tokens,
        cost=0 if is_paid_already else cost_of(usage, price),
    )


def cost_of(usage: Usage, price: Price | None) -> int | None:
    """Millionths of a US dollar, rounded; None where a price that is needed is not known. Where the cache has no price of its own
    its tokens cost what others cost."""
    if price is None or price.input is None or price.output is None:
        return None
    read = price.input if price.cache_read is None else price.cache_read
    written = price.input if price.cache_write is None else price.cache_write
    plain = max(0, usage.input_tokens - usage.cache_read_tokens - usage.cache_write_tokens)
    # A price for a million tokens in dollars is the price of one token in millionths of a dollar.
    return round(
        plain * price.input
        + usage.cache_read_tokens * read
        + usage.cache_write_tokens * written
        + usage.output_tokens * price.output
    )
