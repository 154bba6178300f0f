"""Where sessions are, in a table, and in memory what is written in it."""

from datetime import datetime, timedelta

from sqlalchemy import Connection, bindparam, insert, select, update

from adapters.storage.columns import Row, from_micros, senseless, storable, to_micros
from adapters.storage.engine import Database
from adapters.storage.tables import chats
from core.announcements import Chat
from core.messages import Inbound
from core.sessions.key import SessionKey

_Seen = tuple[Chat, datetime]
REMEMBERED = 10_000
_SEEN_EVERY = timedelta(days=1)

_FIND = select(chats).where(chats.c.session == bindparam("named"))
_MOVE = (
    update(chats)
    .where(chats.c.session == bindparam("named"))
    .values(
        platform=bindparam("new_platform"),
        account=bindparam("new_account"),
        chat=bindparam("new_chat"),
        seen_at=bindparam("new_seen_at"),
    )
)


class SqlChatBook:
    """`core.announcements.ChatBook`. What it has written or noted it keeps in memory, for up to 10,000 sessions."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._written: dict[SessionKey, _Seen] = {}

    async def note(self, inbound: Inbound, now: datetime) -> None:
        """Nothing for a chat without an address. A clock that was set back does not hold up a write."""
        if not inbound.chat:
            return
        chat = Chat(inbound.sender.platform, inbound.account, storable(inbound.chat))
        known = self._written.get(inbound.session) or await self._read(inbound.session)
        if known is not None and known[0] == chat and abs(now - known[1]) < _SEEN_EVERY:
            return
        await self._database.write(lambda connection: _store(connection, inbound.session, chat, now))
        self._remember(inbound.session, (chat, now))

    async def find(self, session: SessionKey) -> Chat | None:
        """As last written, by whichever process."""
        known = await self._read(session)
        return known[0] if known is not None else None

    async def _read(self, session: SessionKey) -> _Seen | None:
        def ask(connection: Connection) -> _Seen | None:
            row = connection.execute(_FIND, {"named": str(session)}).mappings().first()
            return None if row is None else (Chat(row["platform"], row["account"], row["chat"]), _moment(row))

        known = await self._database.query(ask)
        if known is not None:
            self._remember(session, known)
        return known

    def _remember(self, session: SessionKey, known: _Seen) -> None:
        if len(self._written) >= REMEMBERED:
            self._written.clear()
        self._written[session] = known


def _moment(row: Row) -> datetime:
    try:
        return from_micros(row["seen_at"])
    except (TypeError, OverflowError) as error:
        raise senseless("chats", error) from error


def _store(connection: Connection, session: SessionKey, chat: Chat, now: datetime) -> None:
    values = {"platform": chat.platform, "account": chat.account, "chat": chat.chat, "seen_at": to_micros(now)}
    bound = {"named": str(session), **{f"new_{name}": value for name, value in values.items()}}
    if not connection.execute(_MOVE, bound).rowcount:
        connection.execute(insert(chats), {"session": str(session), **values})
