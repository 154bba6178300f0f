"""What answers have cost, in rows. They are kept with their session, also when a conversation begins anew."""

from collections.abc import Iterable, Sequence

from sqlalchemy import Connection, RowMapping, bindparam, func, insert, select

from adapters.storage.columns import to_micros
from adapters.storage.tables import spending
from core.sessions.key import SessionKey
from core.sessions.spending import Spent, Total

_ALL_TOTALS = (
    select(
        spending.c.model,
        spending.c.profile,
        func.count().label("answers"),
        func.sum(spending.c.input_tokens).label("input_tokens"),
        func.sum(spending.c.output_tokens).label("output_tokens"),
        func.coalesce(func.sum(spending.c.cost), 0).label("cost"),
        (func.count() - func.count(spending.c.cost)).label("unpriced"),
    )
    .group_by(spending.c.model, spending.c.profile)
    .order_by(func.max(spending.c.id).desc())
)
_TOTALS = _ALL_TOTALS.where(spending.c.session == bindparam("named"))


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
    return _totals(connection.execute(_TOTALS, {"named": str(key)}).mappings())


def read_all_totals(connection: Connection) -> tuple[Total, ...]:
    """Those of all sessions together."""
    return _totals(connection.execute(_ALL_TOTALS).mappings())


def _totals(rows: Iterable[RowMapping]) -> tuple[Total, ...]:
    return tuple(Total(**{name: row[name] for name in row}) for row in rows)
