"""Questions over all sessions, each answered from an index."""

import json
from collections.abc import Iterable
from datetime import datetime

from sqlalchemy import Connection, bindparam, exists, func, select

from adapters.storage.columns import Row, from_micros, senseless, to_micros
from adapters.storage.engine import Database
from adapters.storage.session_rows import CURRENT, read_key
from adapters.storage.tables import chats, choices, shown
from core.sessions.key import SessionKey
from core.sessions.watched import Waiting

_IS_REACHED = chats.c.session == choices.c.session
_ENDED = (
    select(choices.c.session)
    .distinct()
    .join(chats, _IS_REACHED)
    .where(choices.c.slot == CURRENT, choices.c.expires_at <= bindparam("now"))
)
_PINNED = select(choices.c.pin_profile).distinct().where(choices.c.slot == CURRENT, choices.c.pin_profile.is_not(None))
_PINNING = (
    select(choices.c.session)
    .distinct()
    .join(chats, _IS_REACHED)
    .where(choices.c.slot == CURRENT, choices.c.pin_profile.in_(bindparam("profiles", expanding=True)))
)
_later = shown.alias("later")
_WAITING = (
    select(shown.c.token, shown.c.session, shown.c.sender, shown.c.at, shown.c.commands)
    .join(chats, chats.c.session == shown.c.session)
    .where(
        shown.c.code.in_(bindparam("codes", expanding=True)),
        shown.c.used_by.is_(None),
        shown.c.at > bindparam("since"),
        ~exists().where(
            _later.c.session == shown.c.session,
            _later.c.sender == shown.c.sender,
            func.coalesce(_later.c.source, "") == func.coalesce(shown.c.source, ""),
            _later.c.card,
            _later.c.id > shown.c.id,
        ),
    )
    .order_by(shown.c.at)
)


class SqlWatchedSessions:
    """`core.sessions.watched.WatchedSessions`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def ended(self, now: datetime) -> tuple[SessionKey, ...]:
        """By the time that the choice names: one that a set-back clock has ended is settled with the next message."""
        bound = {"now": to_micros(now)}
        return await self._database.query(lambda connection: _keys(connection.execute(_ENDED, bound).scalars()))

    async def pinned(self) -> frozenset[str]:
        """Every profile that some session pins."""
        return await self._database.query(lambda connection: frozenset(connection.execute(_PINNED).scalars()))

    async def pinning(self, profiles: Iterable[str]) -> tuple[SessionKey, ...]:
        """Sessions that pin one of these profiles."""
        bound = {"profiles": list(profiles)}
        return await self._database.query(lambda connection: _keys(connection.execute(_PINNING, bound).scalars()))

    async def waiting(self, codes: Iterable[str], since: datetime) -> tuple[Waiting, ...]:
        """Cards that stand unused, oldest first."""
        bound = {"codes": list(codes), "since": to_micros(since)}

        def ask(connection: Connection) -> tuple[Waiting, ...]:
            return tuple(_waiting(row) for row in connection.execute(_WAITING, bound).mappings())

        return await self._database.query(ask)


def _keys(texts: Iterable[str]) -> tuple[SessionKey, ...]:
    try:
        return tuple(read_key(text) for text in texts)
    except ValueError as error:
        raise senseless("choices", error) from error


def _waiting(row: Row) -> Waiting:
    try:
        return Waiting(
            token=row["token"],
            session=read_key(row["session"]),
            sender=row["sender"],
            at=from_micros(row["at"]),
            commands=tuple(json.loads(row["commands"])),
        )
    except (ValueError, TypeError, OverflowError) as error:
        raise senseless("choices that were shown", error) from error
