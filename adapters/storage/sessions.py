"""Sessions, their histories and decisions, in tables."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from sqlalchemy import Connection, bindparam, delete, insert, select, update
from sqlalchemy.exc import IntegrityError

from adapters.storage.engine import Database
from adapters.storage.health import store_health
from adapters.storage.history_rows import (
    amend_question,
    find_question,
    forget_question,
    from_message,
    keep_newest,
    read_history,
    store_history,
)
from adapters.storage.inbox import mark_answered
from adapters.storage.session_rows import choice_values, decision_values, read_decision, read_session, session_values
from adapters.storage.shown import use_up
from adapters.storage.spending_rows import read_all_totals, read_totals, store_spending
from adapters.storage.tables import choices, decisions, history, sessions
from core.errors import LostRace
from core.sessions.history import Message
from core.sessions.key import SessionKey
from core.sessions.ports import Answered, TurnRecord
from core.sessions.session import Decision, Session
from core.sessions.spending import Total

HISTORY_KEPT = 2000
DECISIONS_KEPT = 200

_BESIDES_KEY: dict[str, Any] = {
    column.name: bindparam(f"new_{column.name}") for column in sessions.c if column.name != "key"
}
_SESSION = select(sessions).where(sessions.c.key == bindparam("named"))
_CHOICES = select(choices).where(choices.c.session == bindparam("named")).order_by(choices.c.slot, choices.c.position)
_REPLACE = update(sessions).where(sessions.c.key == bindparam("named")).values(_BESIDES_KEY)
_REPLACE_IF_UNCHANGED = _REPLACE.where(sessions.c.version == bindparam("read_version"))
_CLEAR_CHOICES = delete(choices).where(choices.c.session == bindparam("named"))
_DROP_OLDER = delete(history).where(history.c.session == bindparam("named"), history.c.epoch < bindparam("before"))
_DECISIONS = (
    select(decisions)
    .where(decisions.c.session == bindparam("named"))
    .order_by(decisions.c.id.desc())
    .limit(bindparam("at_most"))
)


class SqlSessionStore:
    """`core.sessions.ports.SessionStore`. A session keeps its newest `history_kept` messages and 200 decisions."""

    def __init__(self, database: Database, history_kept: int = HISTORY_KEPT) -> None:
        self._database = database
        self._history_kept = history_kept

    async def save_choice(
        self, session: Session, decisions: Sequence[Decision], answered: Answered | None = None
    ) -> Session:
        """Compare and swap by version. The history of an epoch that has ended is erased."""
        return await self._database.write(lambda connection: store_choice(connection, session, decisions, answered))

    async def finish_turn(self, record: TurnRecord) -> None:
        """Store what a turn leaves behind. Decisions, health and the inbox item's answer are stored in any case."""
        await self._database.write(lambda connection: _finish_turn(connection, record, self._history_kept))

    async def amend(self, key: SessionKey, source: str, text: str, answered: Answered | None = None) -> bool:
        """Correct a question; False if there is none, or nothing to correct."""

        def store(connection: Connection) -> bool:
            amended = amend_question(connection, key, source, text)
            if amended and answered is not None:
                _answer(connection, answered)
            return amended

        return await self.remembers(key, source) and await self._database.write(store)

    async def forget(self, key: SessionKey, source: str) -> bool:
        """Erase a question and its answer."""
        known = await self.remembers(key, source)
        return known and await self._database.write(lambda connection: forget_question(connection, key, source))

    async def remembers(self, key: SessionKey, source: str) -> bool:
        """Asked before every correction: most of what people edit and delete in a group was no question, and a write is dear."""
        return await self._database.query(lambda connection: find_question(connection, key, source) is not None)

    async def find_source(self, key: SessionKey, platform: str, message: str) -> str:
        """Of the question that this message was; empty if there is none."""
        found = from_message(history.c.source, platform, message)
        asked = select(history.c.source).where(history.c.session == str(key), found)
        return await self._database.query(lambda connection: connection.execute(asked.limit(1)).scalar() or "")

    async def history(self, key: SessionKey, epoch: int, limit: int) -> tuple[Message, ...]:
        """The last `limit` messages of this epoch, oldest first."""
        bound = {"named": str(key), "in_epoch": epoch, "at_most": max(0, limit)}
        return await self._database.query(lambda connection: read_history(connection, bound))

    async def decisions(self, key: SessionKey, limit: int) -> tuple[Decision, ...]:
        """The last `limit` decisions, newest first."""
        bound = {"named": str(key), "at_most": max(0, limit)}
        rows = await self._database.query(lambda connection: connection.execute(_DECISIONS, bound).mappings().all())
        return tuple(read_decision(row) for row in rows)

    async def totals(self, key: SessionKey) -> tuple[Total, ...]:
        """What the session has spent, by model and credential; the most recently used first."""
        return await self._database.query(lambda connection: read_totals(connection, key))

    async def all_totals(self) -> tuple[Total, ...]:
        """What all sessions have spent, by model and credential; the most recently used first."""
        return await self._database.query(read_all_totals)


def store_choice(
    connection: Connection, session: Session, made: Sequence[Decision], answered: Answered | None = None
) -> Session:
    """Store choices in the transaction of what tells of them. Raises LostRace."""
    stored = replace(session, version=session.version + 1)
    bound = {**_bound(stored), "read_version": session.version}
    if not connection.execute(_REPLACE_IF_UNCHANGED, bound).rowcount:
        if session.version:
            raise LostRace
        try:
            connection.execute(insert(sessions), session_values(stored))
        except IntegrityError as error:
            raise LostRace from error
    _store_choices(connection, stored)
    connection.execute(_DROP_OLDER, {"named": str(session.key), "before": session.epoch})
    _store_decisions(connection, session.key, made)
    if answered is not None:
        _answer(connection, answered)
    return stored


def _answer(connection: Connection, answered: Answered) -> None:
    if answered.token:
        use_up(connection, answered.token, answered.item)
    if answered.item is not None:
        mark_answered(connection, answered.item, answered.replies, answered.goes_on)


def _finish_turn(connection: Connection, record: TurnRecord, history_kept: int) -> None:
    stored = _stored(connection, record.key)
    if stored is None:
        stored = Session(key=record.key)
        connection.execute(insert(sessions), session_values(stored))
    if stored.epoch == record.epoch:
        _store_session_after_turn(connection, stored, record)
        store_history(connection, record, history_kept)
    _store_decisions(connection, record.key, record.decisions)
    store_spending(connection, record.key, record.spent)
    if record.health is not None:
        store_health(connection, record.health)
    if record.answered is not None:
        _answer(connection, record.answered)


def _store_session_after_turn(connection: Connection, stored: Session, record: TurnRecord) -> None:
    unchanged = stored.version == record.version
    after = replace(stored, autos=record.session.autos, served=record.session.served if unchanged else stored.served)
    if unchanged and (stored.choices, stored.undo) != (record.session.choices, record.session.undo):
        after = replace(after, choices=record.session.choices, undo=record.session.undo, version=stored.version + 1)
        _store_choices(connection, after)
    if after != stored:
        connection.execute(_REPLACE, _bound(after))


def _stored(connection: Connection, key: SessionKey) -> Session | None:
    bound = {"named": str(key)}
    row = connection.execute(_SESSION, bound).mappings().first()
    return None if row is None else read_session(key, row, connection.execute(_CHOICES, bound).mappings())


def _bound(session: Session) -> dict[str, object]:
    values = session_values(session)
    return {"named": values.pop("key"), **{f"new_{name}": value for name, value in values.items()}}


def _store_choices(connection: Connection, session: Session) -> None:
    connection.execute(_CLEAR_CHOICES, {"named": str(session.key)})
    if rows := choice_values(session):
        connection.execute(insert(choices), rows)


def _store_decisions(connection: Connection, key: SessionKey, made: Sequence[Decision]) -> None:
    if made:
        connection.execute(insert(decisions), [decision_values(key, decision) for decision in made])
        keep_newest(connection, decisions, str(key), DECISIONS_KEPT)
