"""Profile health, in tables: one row for a credential, one for each of its windows.

`touched_at` is the moment of a credential's last change, and later than that of any change before it, whatever the clock says:
so a reader asks for what was touched since it looked.
"""

from collections.abc import Callable
from typing import Any

from sqlalchemy import Connection, bindparam, delete, func, insert, select, tuple_, update

from adapters.storage.columns import to_micros
from adapters.storage.engine import Database
from adapters.storage.health_rows import read_health, window_values
from adapters.storage.tables import credentials, windows
from core.auth.health import ProfileHealth
from core.auth.ports import HealthChange

CREDENTIALS_KEPT = 10_000
"""Far more than anybody has in use: one that is forgotten while it cools would be asked again."""

_ONE = credentials.c.profile == bindparam("named"), credentials.c.fingerprint == bindparam("printed")
_ITS = windows.c.profile == bindparam("named"), windows.c.fingerprint == bindparam("printed")
_READ = select(credentials).where(*_ONE)
_READ_WINDOWS = select(windows).where(*_ITS).order_by(windows.c.position)
_TOUCH = update(credentials).where(*_ONE).values(last_used=bindparam("used"), touched_at=bindparam("touched"))
_CLEAR = delete(windows).where(*_ITS)
_LAST_TOUCH = select(func.coalesce(func.max(credentials.c.touched_at), -1))
_BY_LAST_TOUCH = select(credentials.c.profile, credentials.c.fingerprint).order_by(
    credentials.c.touched_at.desc(), credentials.c.profile, credentials.c.fingerprint
)


class SqlHealthStore:
    """`core.auth.ports.HealthStore`.

    Beyond `kept` credentials, those that nothing has happened to for the longest time are forgotten: keys that were replaced.
    """

    def __init__(self, database: Database, kept: int = CREDENTIALS_KEPT) -> None:
        self._database = database
        self._kept = kept

    async def update_health(
        self, profile: str, fingerprint: str, change: Callable[[ProfileHealth], ProfileHealth]
    ) -> None:
        """Apply `change` to what is stored at that moment, in the writer's thread. What it raises, this raises."""
        asked = HealthChange(profile, fingerprint, change)
        await self._database.write(lambda connection: store_health(connection, asked, self._kept))


def store_health(connection: Connection, asked: HealthChange, kept: int = CREDENTIALS_KEPT) -> None:
    """Apply a change inside the transaction of whoever writes."""
    bound = {"named": asked.profile, "printed": asked.fingerprint}
    stored = _stored(connection, bound)
    before = stored or ProfileHealth(profile=asked.profile, fingerprint=asked.fingerprint)
    after = asked.change(before)
    if after == before:
        return
    values = {**_values(after), "profile": asked.profile, "fingerprint": asked.fingerprint}
    values["touched_at"] = max(values["touched_at"], connection.execute(_LAST_TOUCH).scalar_one() + 1)
    if stored is None:
        _forget_oldest(connection, kept - 1)
        connection.execute(insert(credentials), values)
    else:
        connection.execute(_TOUCH, {**bound, "used": values["last_used"], "touched": values["touched_at"]})
    if after.windows != before.windows:
        connection.execute(_CLEAR, bound)
        if after.windows:
            connection.execute(insert(windows), window_values(after))


def _stored(connection: Connection, bound: dict[str, str]) -> ProfileHealth | None:
    row = connection.execute(_READ, bound).mappings().all()
    return next(iter(read_health(row, connection.execute(_READ_WINDOWS, bound).mappings())), None)


def _values(health: ProfileHealth) -> dict[str, Any]:
    moments = [window.since for window in health.windows]
    if health.last_used is not None:
        moments.append(health.last_used)
    return {
        "last_used": None if health.last_used is None else to_micros(health.last_used),
        "touched_at": max((to_micros(moment) for moment in moments), default=0),
    }


def _forget_oldest(connection: Connection, kept: int) -> None:
    forgotten = connection.execute(_BY_LAST_TOUCH.offset(kept)).all()
    if forgotten:
        pair = tuple_(credentials.c.profile, credentials.c.fingerprint)
        connection.execute(delete(credentials).where(pair.in_([tuple(row) for row in forgotten])))
