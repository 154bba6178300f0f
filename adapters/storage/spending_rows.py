"""What answers have cost, in rows. They are kept with their session, also when a conversation begins anew."""

from collections.abc import Sequence

from sqlalchemy import Connection, bindparam, func, insert, select

from adapters.storage.columns import to_micros
from adapters.storage.tables import spending
from core.sessions.key import SessionKey
from core.sessions.spending import Spent, Total

_TOTALS = (
    select(
        spending.c.model,
        spending.c.profile,
        func.count().label("answers"),
        func.sum(spending.c.input_tokens).label("input_tokens"),
        func.sum(spending.c.output_tokens).label("output_tokens"),
        func.coalesce(func.sum(spending.c.cost), 0).label("cost"),
        (func.count() - func.count(spending.c.cost)).label("unpriced"),
    )
    .where(spending.c.session == bindparam("named"))
    .group_by(spending.c.model, spending.c.profile)
    .order_by(func.max(spending.c.id).desc())
)


def store_spending(connection: Connection, key: SessionKey, spent: Sequence[Spent]) -> None:
    """Add what a turn has spent."""
    rows = [
        {
            "session": str(key),
            "at": to_micros(one.at),
            "model": one.model,
            "profile": one.profile,
            "input_tokens": one.input_tokens,
            "output_tokens": one.output_tokens,
            "cache_read_tokens": one.cache_read_tokens,
            "cache_write_tokens": one.cache_write_tokens,
            "cost": one.cost,
        }
        for one in spent
    ]
    if rows:
        connection.execute(insert(spending), rows)


def read_totals(connection: Connection, key: SessionKey) -> tuple[Total, ...]:
    """By model and credential, the most recently used first."""
    rows = connection.execute(_TOTALS, {"named": str(key)}).mappings()
    return tuple(Total(**{name: row[name] for name in row}) for row in rows)
