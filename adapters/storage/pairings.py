"""Who asks to be let in, and who was, in a table. Few rows: what is over is forgotten with the next request."""

from datetime import datetime

from sqlalchemy import Connection, bindparam, delete, func, insert, or_, select, update

from adapters.storage.columns import to_micros
from adapters.storage.engine import Database
from adapters.storage.inbox import mark_answered
from adapters.storage.pairing_rows import pairing_values, read_pairing
from adapters.storage.tables import pairings
from core.pairing import MOST_OPEN, QUIET, PairingRequest, PairingState
from core.sessions.ports import Answered

_WAITING, _APPROVED, _DENIED = (state.value for state in PairingState)
_IS_WAITING = pairings.c.state == _WAITING
_FORGET = delete(pairings).where(
    or_(
        _IS_WAITING & (pairings.c.expires_at <= bindparam("now")),
        (pairings.c.state == _DENIED) & (pairings.c.decided_at <= bindparam("quiet_since")),
    )
)
_TAKEN = select(pairings.c.person).where(
    or_(pairings.c.person == bindparam("by_person"), pairings.c.code == bindparam("by_code"))
)
_OPEN = select(func.count()).select_from(pairings).where(_IS_WAITING)
_NAMED = select(pairings).where(or_(pairings.c.person == bindparam("named"), pairings.c.code == bindparam("named")))
_LISTED_WAITING = (
    select(pairings)
    .where(_IS_WAITING, pairings.c.expires_at > bindparam("now"))
    .order_by(pairings.c.asked_at, pairings.c.person)
)
_LISTED_APPROVED = (
    select(pairings).where(pairings.c.state == _APPROVED).order_by(pairings.c.decided_at.desc(), pairings.c.person)
)
_DECIDE = (
    update(pairings)
    .where(pairings.c.person == bindparam("of_person"))
    .values(state=bindparam("becomes"), decided_by=bindparam("by"), decided_at=bindparam("at"))
)


class SqlPairingStore:
    """`core.pairing.PairingStore`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def ask(self, request: PairingRequest, answered: Answered | None = None) -> bool:
        """Store it, unless one of the port's reasons speaks against it."""

        def store(connection: Connection) -> bool:
            now = request.asked_at
            connection.execute(_FORGET, {"now": to_micros(now), "quiet_since": to_micros(now - QUIET)})
            if connection.execute(_TAKEN, {"by_person": request.person, "by_code": request.code}).first() is not None:
                return False
            if connection.execute(_OPEN).scalar_one() >= MOST_OPEN:
                return False
            connection.execute(insert(pairings), pairing_values(request))
            if answered is not None and answered.item is not None:
                mark_answered(connection, answered.item, answered.replies)
            return True

        return await self._database.write(store)

    async def waiting(self, now: datetime) -> tuple[PairingRequest, ...]:
        """Requests that can still be decided, oldest first."""

        def ask(connection: Connection) -> tuple[PairingRequest, ...]:
            rows = connection.execute(_LISTED_WAITING, {"now": to_micros(now)}).mappings()
            return tuple(read_pairing(row) for row in rows)

        return await self._database.query(ask)

    async def approved(self) -> tuple[PairingRequest, ...]:
        """Those who are let in, the latest first."""

        def ask(connection: Connection) -> tuple[PairingRequest, ...]:
            return tuple(read_pairing(row) for row in connection.execute(_LISTED_APPROVED).mappings())

        return await self._database.query(ask)

    async def decide(self, named: str, state: PairingState, by: str, now: datetime) -> PairingRequest | None:
        """Of two who decide at once, the second gets what the first made of it: writes come one after the other."""

        def change(connection: Connection) -> PairingRequest | None:
            request = _find(connection, named)
            if request is None or (request.state is PairingState.WAITING and request.expires_at <= now):
                return None
            mends = request.state is PairingState.DENIED and state is PairingState.APPROVED and named == request.person
            if request.state is not PairingState.WAITING and not mends:
                return request
            return _become(connection, request.person, state, by, now)

        return await self._database.write(change)

    async def revoke(self, person: str, by: str, now: datetime) -> PairingRequest | None:
        """Approved becomes denied."""

        def change(connection: Connection) -> PairingRequest | None:
            request = _find(connection, person)
            if request is None or request.state is not PairingState.APPROVED or request.person != person:
                return None
            return _become(connection, person, PairingState.DENIED, by, now)

        return await self._database.write(change)


def _find(connection: Connection, named: str) -> PairingRequest | None:
    row = connection.execute(_NAMED, {"named": named}).mappings().first()
    return None if row is None else read_pairing(row)


def _become(connection: Connection, person: str, state: PairingState, by: str, now: datetime) -> PairingRequest | None:
    values = {"of_person": person, "becomes": state.value, "by": by, "at": to_micros(now)}
    connection.execute(_DECIDE, values)
    return _find(connection, person)
