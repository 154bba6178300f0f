"""The inbox, in tables: the only queue between a platform and core."""

import json
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from itertools import groupby
from typing import Any

from sqlalchemy import Connection, bindparam, delete, func, insert, select, update

from adapters.storage.columns import Row, from_micros, to_json, to_micros
from adapters.storage.engine import Database
from adapters.storage.tables import inbox, marks
from core.errors import StorageError
from core.ports import Backlog, InboxItem, InboxState, Update

KEYS_KEPT = timedelta(days=3)
"""How long the key of an update that is done is remembered; Telegram offers an update again for one day."""

_KEYS_AT_ONCE = 500

_INSERT = insert(inbox)
_PRUNE = delete(inbox).where(inbox.c.state == InboxState.DONE.value, inbox.c.received_at < bindparam("before"))
_UNFINISHED = (
    select(inbox)
    .where(
        inbox.c.state.in_([InboxState.NEW.value, InboxState.ANSWERED.value]),
        inbox.c.platform == bindparam("for_platform"),
        inbox.c.account == bindparam("for_account"),
    )
    .order_by(inbox.c.id)
)
_BACKLOG = (
    select(inbox.c.platform, inbox.c.state, func.count().label("items"), func.min(inbox.c.received_at).label("since"))
    .where(inbox.c.state.in_([InboxState.NEW.value, InboxState.ANSWERED.value]))
    .group_by(inbox.c.platform, inbox.c.state)
    .order_by(inbox.c.platform, inbox.c.state)
)
_ITEM = inbox.c.id == bindparam("item")
_STATE = select(inbox.c.state).where(_ITEM)
_NOTE = update(inbox).where(_ITEM, inbox.c.state != InboxState.DONE.value).values(delivery=bindparam("notes"))
_ANSWER = (
    update(inbox)
    .where(_ITEM, inbox.c.state != InboxState.DONE.value)
    .values(state=InboxState.ANSWERED.value, replies=bindparam("answers"))
)
_SAY = update(inbox).where(_ITEM, inbox.c.state == InboxState.NEW.value).values(replies=bindparam("answers"))
_SAID = select(inbox.c.replies).where(_ITEM, inbox.c.state == InboxState.NEW.value)
_FINISH = update(inbox).where(_ITEM).values(state=InboxState.DONE.value, payload="{}", replies="[]", delivery="{}")
_MARK = select(marks.c.mark).where(
    marks.c.platform == bindparam("for_platform"), marks.c.account == bindparam("for_account")
)
_MOVE_MARK = (
    update(marks)
    .where(marks.c.platform == bindparam("for_platform"), marks.c.account == bindparam("for_account"))
    .values(mark=bindparam("at"))
)


class SqlInbox:
    """`core.ports.Inbox`. Raises StorageError for an item that was never stored, and for what the database refuses."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def receive(self, updates: Sequence[Update], now: datetime) -> tuple[InboxItem, ...]:
        """Store what is new. Keys of updates done long ago are forgotten on the way."""
        return await self._database.write(lambda connection: _receive(connection, updates, now))

    async def unfinished(self, platform: str, account: str) -> tuple[InboxItem, ...]:
        """What a start has to finish, oldest first."""
        bound = {"for_platform": platform, "for_account": account}

        def ask(connection: Connection) -> tuple[InboxItem, ...]:
            return tuple(_item(row) for row in connection.execute(_UNFINISHED, bound).mappings())

        return await self._database.query(ask)

    async def backlog(self) -> tuple[Backlog, ...]:
        """How much waits, by platform and state."""

        def ask(connection: Connection) -> tuple[Backlog, ...]:
            rows = connection.execute(_BACKLOG)
            return tuple(Backlog(r.platform, InboxState(r.state), r.items, from_micros(r.since)) for r in rows)

        return await self._database.query(ask)

    async def note_delivery(self, item: int, delivery: Mapping[str, Any]) -> None:
        """Replace the notes of an item that is not done."""
        notes = to_json(delivery)
        await self._database.write(lambda connection: _change(connection, _NOTE, item, notes=notes))

    async def answered(self, item: int, replies: Sequence[Mapping[str, Any]]) -> None:
        """Store the answer of an item that is not done."""
        await self._database.write(lambda connection: mark_answered(connection, item, replies))

    async def done(self, item: int) -> None:
        """Erase all of it but its key."""
        await self._database.write(lambda connection: _change(connection, _FINISH, item))

    async def get_mark(self, platform: str, account: str) -> str | None:
        """The platform's position, or None if it never stored one."""
        bound = {"for_platform": platform, "for_account": account}
        return await self._database.query(lambda connection: connection.execute(_MARK, bound).scalar_one_or_none())

    async def set_mark(self, platform: str, account: str, mark: str) -> None:
        """Replace the platform's position."""

        def store(connection: Connection) -> None:
            moved = connection.execute(_MOVE_MARK, {"for_platform": platform, "for_account": account, "at": mark})
            if not moved.rowcount:
                connection.execute(insert(marks), {"platform": platform, "account": account, "mark": mark})

        await self._database.write(store)


def mark_answered(
    connection: Connection, item: int, replies: Sequence[Mapping[str, Any]], goes_on: bool = False
) -> None:
    """Store an item's answer, after what a command that came with it has answered, in the transaction of whoever worked it out.
    `goes_on`: this is what such a command has answered."""
    said = connection.execute(_SAID, {"item": item}).scalar()
    answers = [*json.loads(said or "[]"), *replies]
    _change(connection, _SAY if goes_on else _ANSWER, item, answers=to_json(answers))


def insert_answered(
    connection: Connection, update_: Update, replies: Sequence[Mapping[str, Any]], now: datetime
) -> InboxItem | None:
    """Store an update that is answered already; None, and nothing stored, if its key is known."""
    if _known(connection, [update_]):
        return None
    values = {**_values(update_, now), "state": InboxState.ANSWERED.value, "replies": to_json(list(replies))}
    stored = connection.execute(_INSERT, values).inserted_primary_key
    assert stored is not None
    return InboxItem(id=stored[0], update=update_, state=InboxState.ANSWERED, received_at=now, replies=tuple(replies))


def _change(connection: Connection, statement: Any, item: int, **values: str) -> None:
    changed = connection.execute(statement, {"item": item, **values})
    if not changed.rowcount and connection.execute(_STATE, {"item": item}).first() is None:
        raise StorageError("storage", f"The inbox has no item {item}.", "Run `remoteclaw doctor`.")


def _receive(connection: Connection, updates: Sequence[Update], now: datetime) -> tuple[InboxItem, ...]:
    connection.execute(_PRUNE, {"before": to_micros(now - KEYS_KEPT)})
    known = _known(connection, updates)
    items = []
    for update_ in updates:
        name = (update_.platform, update_.account, update_.key)
        if name in known:
            continue
        known.add(name)
        stored = connection.execute(_INSERT, _values(update_, now)).inserted_primary_key
        assert stored is not None
        items.append(InboxItem(id=stored[0], update=update_, state=InboxState.NEW, received_at=now))
    return tuple(items)


def _known(connection: Connection, updates: Sequence[Update]) -> set[tuple[str, str, str]]:
    known: set[tuple[str, str, str]] = set()
    for (platform, account), group in groupby(updates, lambda update_: (update_.platform, update_.account)):
        keys = [update_.key for update_ in group]
        for start in range(0, len(keys), _KEYS_AT_ONCE):
            rows = connection.execute(
                select(inbox.c.key).where(
                    inbox.c.platform == platform,
                    inbox.c.account == account,
                    inbox.c.key.in_(keys[start : start + _KEYS_AT_ONCE]),
                )
            )
            known.update((platform, account, key) for key in rows.scalars())
    return known


def _values(update_: Update, now: datetime) -> dict[str, Any]:
    return {
        "platform": update_.platform,
        "account": update_.account,
        "key": update_.key,
        "lane": update_.lane,
        "payload": to_json(update_.payload),
        "state": InboxState.NEW.value,
        "received_at": to_micros(now),
        "replies": "[]",
        "delivery": "{}",
    }


def _item(row: Row) -> InboxItem:
    return InboxItem(
        id=row["id"],
        update=Update(
            platform=row["platform"],
            account=row["account"],
            key=row["key"],
            lane=row["lane"],
            payload=json.loads(row["payload"]),
        ),
        state=InboxState(row["state"]),
        received_at=from_micros(row["received_at"]),
        replies=tuple(json.loads(row["replies"])),
        delivery=json.loads(row["delivery"]),
    )
