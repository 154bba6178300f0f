"""Announcements, the places of chats, and questions over all sessions, in memory."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from core.announcements import Chat, Settled
from core.messages import Inbound
from core.ports import InboxItem, Update
from core.sessions.key import SessionKey
from core.sessions.ports import Shown
from core.sessions.watched import Waiting
from tests.fakes.inbox import FakeInbox
from tests.fakes.session_store import FakeSessionStore
from tests.fakes.shown_store import FakeShownStore


class FakeAnnouncements:
    """`core.announcements.Announcements` over the other fakes. `fails` is raised instead of storing."""

    def __init__(self, inbox: FakeInbox, sessions: FakeSessionStore, shown: FakeShownStore) -> None:
        self._inbox = inbox
        self._sessions = sessions
        self._shown = shown
        self.fails: Exception | None = None

    async def announce(
        self,
        update: Update,
        replies: Sequence[Mapping[str, Any]],
        now: datetime,
        shown: Sequence[Shown] = (),
        settled: Settled | None = None,
    ) -> InboxItem | None:
        if self.fails is not None:
            raise self.fails
        if self._inbox.knows(update):
            return None
        if settled is not None:
            await self._sessions.save_choice(settled.session, settled.decisions)
        for choices in shown:
            await self._shown.show(choices)
        (item,) = await self._inbox.receive([update], now)
        self._inbox.mark_answered(item.id, replies)
        return self._inbox.items[item.id]


class FakeChatBook:
    """`core.announcements.ChatBook`. Look at `chats` and `written` (how often something was stored)."""

    def __init__(self) -> None:
        self.chats: dict[SessionKey, Chat] = {}
        self.written = 0
        self.fails: Exception | None = None
        self._seen: dict[SessionKey, datetime] = {}
        self._roles: dict[tuple[SessionKey, str], tuple[str, ...]] = {}

    async def note(self, inbound: Inbound, now: datetime, roles: tuple[str, ...] = ()) -> None:
        if self.fails is not None:
            raise self.fails
        chat = Chat(inbound.sender.platform, inbound.account, inbound.chat)
        if inbound.chat:
            self._roles[inbound.session, inbound.sender.key] = roles
        seen = self._seen.get(inbound.session)
        fresh = seen is not None and abs((now - seen).total_seconds()) < 86_400
        if inbound.chat and not (fresh and self.chats.get(inbound.session) == chat):
            self.written += 1
            self.chats[inbound.session] = chat
            self._seen[inbound.session] = now

    async def find(self, session: SessionKey) -> Chat | None:
        return self.chats.get(session)

    async def roles(self, session: SessionKey, person: str) -> tuple[str, ...]:
        return self._roles.get((session, person), ())


class FakeWatchedSessions:
    """`core.sessions.watched.WatchedSessions` over the other fakes."""

    def __init__(self, sessions: FakeSessionStore, shown: FakeShownStore, chats: FakeChatBook) -> None:
        self._sessions = sessions
        self._shown = shown
        self._chats = chats

    async def ended(self, now: datetime) -> tuple[SessionKey, ...]:
        return tuple(
            key
            for key, session in self._sessions.sessions.items()
            if key in self._chats.chats
            and any(c.expires_at is not None and c.expires_at <= now for c in session.choices)
        )

    async def pinned(self) -> frozenset[str]:
        return frozenset(name for key in self._sessions.sessions for name in self._pins(key))

    async def pinning(self, profiles: Iterable[str]) -> tuple[SessionKey, ...]:
        wanted = set(profiles)
        return tuple(key for key in self._sessions.sessions if key in self._chats.chats and wanted & self._pins(key))

    async def waiting(self, codes: Iterable[str], since: datetime) -> tuple[Waiting, ...]:
        wanted = set(codes)
        newest = {(one.session, one.sender, _source(one)): one for one in self._shown.shown if one.card}
        found = [
            Waiting(one.token, one.session, one.sender, one.at, one.commands)
            for one in newest.values()
            if one.code in wanted
            and one.at > since
            and one.token not in self._shown.used
            and one.session in self._chats.chats
        ]
        return tuple(sorted(found, key=lambda one: one.at))

    def _pins(self, key: SessionKey) -> set[str]:
        return {choice.pin.profile for choice in self._sessions.session(key).choices if choice.pin is not None}


def _source(one: Shown) -> str:
    return one.message.source if one.message is not None else ""
