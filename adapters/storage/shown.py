"""Choices that were shown, in tables."""

import base64
import json
from datetime import timedelta
from typing import Any

from sqlalchemy import Connection, bindparam, delete, insert, select, update

from adapters.storage import tables
from adapters.storage.columns import Row, from_micros, senseless, storable, to_json, to_micros
from adapters.storage.engine import Database
from adapters.storage.history_rows import from_message
from adapters.storage.session_rows import read_key
from core.errors import UsedUp
from core.sessions.history import Image, Message, Role
from core.sessions.key import SessionKey
from core.sessions.ports import Shown, Use

KEPT = timedelta(days=1)

_shown = tables.shown
_FORGET = delete(_shown).where((_shown.c.at < bindparam("before")) | (_shown.c.token == bindparam("same")))
_LAST = (
    select(_shown)
    .where(_shown.c.session == bindparam("for_session"), _shown.c.sender == bindparam("for_sender"))
    .where(_shown.c.commands != "[]")
    .order_by(_shown.c.id.desc())
    .limit(1)
)
_FIND = select(_shown).where(_shown.c.token == bindparam("named"))
_USE = (
    update(_shown)
    .where(_shown.c.token == bindparam("named"), _shown.c.used_by.is_(None))
    .values(used_by=bindparam("item"))
)
_USER = select(_shown.c.used_by).where(_shown.c.token == bindparam("named"))
_KEEPS = (_shown.c.session == bindparam("of_session")) & (_shown.c.source == bindparam("from_source"))
_AMEND_KEPT = update(_shown).where(_KEEPS, _shown.c.used_by.is_(None)).values(message=bindparam("reads"))
_DROP_KEPT = delete(_shown).where(_KEEPS)
_FIND_KEPT = select(_shown.c.used_by).where(_KEEPS).order_by(_shown.c.used_by.isnot(None)).limit(1)
_NO_ITEM = 0
"""Used by a press that came without an inbox: it has nothing that could repeat it."""


def use_up(connection: Connection, token: str, item: int | None) -> None:
    """Use shown choices in the transaction of what the choice changes. Raises UsedUp if they were used already."""
    if not connection.execute(_USE, {"named": token, "item": item or _NO_ITEM}).rowcount:
        raise UsedUp


def store_shown(connection: Connection, shown: Shown) -> None:
    """Store shown choices in the transaction of what they stand under."""
    connection.execute(_FORGET, {"before": to_micros(shown.at - KEPT), "same": shown.token})
    connection.execute(insert(_shown), _values(shown))


class SqlShownStore:
    """`core.sessions.ports.ShownStore`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def show(self, shown: Shown) -> None:
        """Remember it as the newest; those shown more than a day before it are forgotten."""

        await self._database.write(lambda connection: store_shown(connection, shown))

    async def last_shown(self, session: SessionKey, sender: str) -> Shown | None:
        """The newest of this sender in this session that numbers go with."""
        return await self._one(_LAST, {"for_session": str(session), "for_sender": sender})

    async def find_shown(self, token: str) -> Shown | None:
        """By its token, used or not."""
        return await self._one(_FIND, {"named": token})

    async def use_shown(self, token: str, item: int | None) -> Use:
        """FIRST for the first caller only; AGAIN when that was the same inbox item."""

        def use(connection: Connection) -> Use:
            if connection.execute(_USE, {"named": token, "item": item or _NO_ITEM}).rowcount:
                return Use.FIRST
            user = connection.execute(_USER, {"named": token}).scalar()
            return Use.AGAIN if item is not None and user == item else Use.TAKEN

        return await self._database.write(use)

    async def keeps(self, session: SessionKey, source: str) -> bool:
        """Whether a choice keeps the message and was not made yet."""
        found = await self._kept(session, source)
        return found is not None and found[0] is None

    async def find_source(self, key: SessionKey, platform: str, message: str) -> str:
        """Of the kept message that this one is; empty if there is none."""
        found = from_message(_shown.c.source, platform, message)
        kept = select(_shown.c.source).where(_shown.c.session == str(key), found)
        return await self._database.query(lambda connection: connection.execute(kept.limit(1)).scalar() or "")

    async def amend_kept(self, session: SessionKey, source: str, text: str) -> None:
        """Where a choice keeps the message and was not made yet."""
        bound = {"of_session": str(session), "from_source": source, "reads": storable(text)}
        if await self.keeps(session, source):
            await self._database.write(lambda connection: connection.execute(_AMEND_KEPT, bound).rowcount)

    async def drop_kept(self, session: SessionKey, source: str) -> None:
        """The choices with their message: a press on one of them finds nothing any more."""
        bound = {"of_session": str(session), "from_source": source}
        if await self._kept(session, source) is not None:
            await self._database.write(lambda connection: connection.execute(_DROP_KEPT, bound).rowcount)

    async def _kept(self, session: SessionKey, source: str) -> tuple[int | None] | None:
        """By what one of those that keep the message was used, an unused one first; None if there is none. Asked before a write:
        most of what people edit and delete is kept nowhere."""

        def ask(connection: Connection) -> tuple[int | None] | None:
            row = connection.execute(_FIND_KEPT, {"of_session": str(session), "from_source": source}).first()
            return None if row is None else (row.used_by,)

        return await self._database.query(ask)

    async def _one(self, question: Any, bound: dict[str, str]) -> Shown | None:
        def ask(connection: Connection) -> Shown | None:
            row = connection.execute(question, bound).mappings().first()
            return None if row is None else _read(row)

        return await self._database.query(ask)


def _values(shown: Shown) -> dict[str, Any]:
    return {
        "token": shown.token,
        "session": str(shown.session),
        "sender": shown.sender,
        "commands": to_json(list(shown.commands)),
        "catalog": shown.catalog,
        "at": to_micros(shown.at),
        "card": shown.card,
        "message": None if shown.message is None else storable(shown.message.text),
        "images": _packed(shown.message.images) if shown.message is not None and shown.message.images else None,
        "used_by": None,
        "presses": to_json(list(shown.presses)) if any(shown.presses) else None,
        "prompt": storable(shown.prompt) if shown.prompt else None,
        "source": shown.message.source or None if shown.message is not None else None,
        "code": shown.code or None,
    }


def _read(row: Row) -> Shown:
    try:
        return Shown(
            token=row["token"],
            session=read_key(row["session"]),
            sender=row["sender"],
            commands=tuple(json.loads(row["commands"])),
            catalog=row["catalog"],
            at=from_micros(row["at"]),
            card=row["card"],
            message=_kept(row),
            presses=tuple(json.loads(row["presses"] or "[]")),
            prompt=row["prompt"] or "",
            used=row["used_by"] is not None,
            code=row["code"] or "",
        )
    except (ValueError, TypeError, OverflowError) as error:
        raise senseless("choices that were shown", error) from error


def _kept(row: Row) -> Message | None:
    if row["message"] is None:
        return None
    return Message(Role.USER, row["message"], _images(row["images"]), row["source"] or "")


def _packed(images: tuple[Image, ...]) -> str:
    return to_json([[image.media_type, base64.b64encode(image.data).decode()] for image in images])


def _images(text: str | None) -> tuple[Image, ...]:
    return tuple(Image(kind, base64.b64decode(data, validate=True)) for kind, data in json.loads(text or "[]"))
