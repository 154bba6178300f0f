"""Where sessions are and by which roles people are let in there, in tables, and in memory what is written in them."""

import json
from datetime import datetime, timedelta

from sqlalchemy import Connection, bindparam, insert, select, update

from adapters.storage.columns import Row, from_micros, senseless, storable, to_json, to_micros
from adapters.storage.engine import Database
from adapters.storage.tables import chats, members
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

_MEMBER = (members.c.session == bindparam("of_session")) & (members.c.person == bindparam("of_person"))
_ROLES = select(members.c.roles).where(_MEMBER)
_RENEW = update(members).where(_MEMBER).values(roles=bindparam("new_roles"))


class SqlChatBook:
    """`core.announcements.ChatBook`. What it has written or read it keeps in memory, for up to 10,000 sessions and as many people
    in them."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._written: dict[SessionKey, _Seen] = {}
        self._roles: dict[tuple[SessionKey, str], tuple[str, ...]] = {}

    async def note(self, inbound: Inbound, now: datetime, roles: tuple[str, ...] = ()) -> None:
        """Nothing for a chat without an address. A clock that was set back does not hold up a write."""
        if not inbound.chat:
            return
        await self._note_roles(inbound.session, inbound.sender.key, roles)
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

    async def roles(self, session: SessionKey, person: str) -> tuple[str, ...]:
        """As last written, by whichever process."""

        def ask(connection: Connection) -> tuple[str, ...]:
            row = connection.execute(_ROLES, {"of_session": str(session), "of_person": person}).first()
            return () if row is None else _listed(row.roles)

        return await self._database.query(ask)

    async def _note_roles(self, session: SessionKey, person: str, roles: tuple[str, ...]) -> None:
        """Most people have none, and no row."""
        known = self._roles.get((session, person))
        if known is None:
            known = await self.roles(session, person)
        if known != roles:
            await self._database.write(lambda connection: _store_roles(connection, session, person, roles))
        if len(self._roles) >= REMEMBERED:
            self._roles.clear()
        self._roles[session, person] = roles

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


def _listed(text: str) -> tuple[str, ...]:
    try:
        return tuple(json.loads(text))
    except (ValueError, TypeError) as error:
        raise senseless("members", error) from error


def _store_roles(connection: Connection, session: SessionKey, person: str, roles: tuple[str, ...]) -> None:
    bound = {"of_session": str(session), "of_person": person, "new_roles": to_json(list(roles))}
    if not connection.execute(_RENEW, bound).rowcount:
        row = {"session": str(session), "person": person, "roles": bound["new_roles"]}
        connection.execute(insert(members), row)
