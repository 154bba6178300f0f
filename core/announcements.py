"""What the bot says without being asked: stored as an inbox item that is answered already, so that it is said once.

Its key is unique within (platform, account), across restarts and processes. Keys of what was delivered are forgotten after three
days: a key names a fact with an end of its own, or carries the date.

Its buttons are for pressing only. A typed number goes on to mean what people have asked to see: nobody knows that an announcement
came between.
"""

import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, Protocol

from core.clock import Clock
from core.errors import StorageError, UserError
from core.messages import Button, Inbound, Reply, Sender, reply_to_json
from core.offers import Offers
from core.ports import InboxItem, Update
from core.screening import Screen
from core.sessions.key import SessionKey
from core.sessions.ports import Shown
from core.sessions.session import Decision, Session

log = logging.getLogger(__name__)

PERSON = "person:"
"""What the address of a person's private chat begins with; their id on the platform follows."""
_MOST_KNOWN = 10_000
"""Keys kept in memory only to spare a question to the database."""
_KNOWN_FOR = timedelta(hours=1)
"""How long they are: the database forgets keys too, and then a fact may be told anew."""


@dataclass(frozen=True, slots=True)
class Chat:
    """Where a session is: `chat` is the platform's own word for it (`Inbound.chat`)."""

    platform: str
    account: str
    chat: str


class ChatBook(Protocol):
    """Where sessions are, and by which roles people are let in there. What is written is durable when the method returns."""

    async def note(self, inbound: Inbound, now: datetime, roles: tuple[str, ...] = ()) -> None:
        """Remember where its session is, and the roles by which its sender is let in. Written only where something changed, or
        once a day."""
        ...

    async def find(self, session: SessionKey) -> Chat | None: ...

    async def roles(self, session: SessionKey, person: str) -> tuple[str, ...]:
        """Those by which somebody (a sender key) was let in there last."""
        ...


@dataclass(frozen=True, slots=True)
class Settled:
    """A change of a session that an announcement tells of."""

    session: Session
    """As `SessionStore.save_choice` takes it: with the version that was read."""
    decisions: Sequence[Decision]


class Announcements(Protocol):
    """Where announcements are stored until they are delivered."""

    async def announce(
        self,
        update: Update,
        replies: Sequence[Mapping[str, Any]],
        now: datetime,
        shown: Sequence[Shown] = (),
        settled: Settled | None = None,
    ) -> InboxItem | None:
        """Store an answered item, the choices under its replies, and what it tells of, in one transaction.

        None, and nothing stored, if the key is known. Raises LostRace, nothing stored, if `settled` comes too late.
        """
        ...


class Announces(Protocol):
    """A chat platform that can be spoken on without a message to answer."""

    name: str
    account: str

    def announcement(self, chat: str, key: str) -> Update:
        """An update of our own, with this key, whose answer goes to a chat (`Inbound.chat`, or `person:<id>`).

        Raises ValueError or UserError for a text that names no chat of this platform.
        """
        ...

    def read(self, update: Update) -> Inbound | None: ...


@dataclass(frozen=True, slots=True)
class _Spot:
    """A chat that can be reached, and what a message from there would be."""

    update: Update
    inbound: Inbound
    take: Callable[[InboxItem], None]


class Announcer:
    """Speaks in chats and to people. `owners` are the sender keys of those in force; `redact` takes secrets out.

    What is told to a platform that has stopped waits in the inbox for its next start; what is meant for one that is not
    configured is dropped and logged. Every method may raise StorageError.
    """

    def __init__(
        self,
        stored: Announcements,
        chats: ChatBook,
        offers: Offers,
        owners: Callable[[], Iterable[str]],
        redact: Callable[[str], str],
        clock: Clock,
    ) -> None:
        self._stored = stored
        self._chats = chats
        self._offers = offers
        self._owners = owners
        self._redact = redact
        self._clock = clock
        self._platforms: dict[tuple[str, str], tuple[Announces, Callable[[InboxItem], None]]] = {}
        self._known: dict[tuple[str, str, str], datetime] = {}
        self._dropped: set[str] = set()

    def serve(self, platform: Announces, take: Callable[[InboxItem], None]) -> None:
        """From now on this platform is spoken on. `take` delivers a stored item, or leaves it to the next start."""
        self._platforms[platform.name, platform.account] = platform, take

    async def heard(self, inbound: Inbound, roles: tuple[str, ...] = ()) -> None:
        """Remember where a session is, and by which roles the sender is let in. Never raises: what was said is answered also where
        that cannot be stored."""
        try:
            await self._chats.note(inbound, self._clock.now(), roles)
        except StorageError as error:
            log.error("where %s is cannot be stored: %s", inbound.session, error)

    async def whereabouts(self, session: SessionKey, person: str) -> Inbound | None:
        """What a message from the session's chat would be, its text missing; None where the chat cannot be reached. It is by the
        person of a private chat; in a shared one by `person` (a sender key), with the roles by which they were let in last."""
        spot = await self._session_spot(session, "?")
        if spot is None or spot.inbound.place.direct:
            return spot.inbound if spot is not None else None
        platform, _, number = person.partition(":")
        roles = await self._chats.roles(session, person)
        return replace(spot.inbound, sender=Sender(platform, number, roles=roles))

    async def tell_chat(
        self,
        session: SessionKey,
        key: str,
        reply: Reply,
        sender: str,
        *,
        hidden: Iterable[str] = (),
        settled: Settled | None = None,
    ) -> bool:
        """Say it in the session's chat. Whether that is stored, now or before; False: nobody knows where the chat is.

        The buttons are for `sender` alone. `hidden` are profiles that must not be named there. `settled` is stored together
        with it; raises LostRace, nothing said, if it comes too late.
        """
        spot = await self._session_spot(session, key)
        if spot is None:
            return False
        platform, _, number = sender.partition(":")
        known = spot.inbound.sender
        who = known if known.key == sender else Sender(platform, number)
        await self._tell(spot, replace(spot.inbound, session=session, sender=who), reply, hidden, settled)
        return True

    async def tell_person(self, person: str, key: str, reply: Reply, *, account: str = "") -> bool:
        """Say it to `platform:id` in private; the buttons are for this person. `account`: where several of a platform are served,
        through this one. Whether that is stored, now or before."""
        return await self.news_for(person, key, reply, account=account) is not None

    async def news_for(self, person: str, key: str, reply: Reply, *, account: str = "") -> bool | None:
        """The same: whether it is stored now, or was before. None: they cannot be told."""
        platform, _, number = person.partition(":")
        names = sorted(name for name in self._platforms if name[0] == platform and account in ("", name[1]))
        spot = self._spot(Chat(*names[0], f"{PERSON}{number}"), key) if names else None
        if spot is None:
            self._drop(f"{person} cannot be told something: {platform} is not served here.")
            return None
        return await self._tell(spot, replace(spot.inbound, sender=Sender(platform, number)), reply)

    async def tell_owners(self, key: str, reply: Reply) -> int:
        """Say it to every owner on a platform that is served, each with buttons of their own. How many are told, now or before."""
        served = {name for name, _ in self._platforms}
        reached = [owner for owner in sorted(set(self._owners())) if owner.partition(":")[0] in served]
        told = [await self.tell_person(owner, key, reply) for owner in reached]
        if not any(told):
            self._drop("No owner can be told anything: access.owners names nobody on a platform that is served here.")
        return sum(told)

    async def _session_spot(self, session: SessionKey, key: str) -> _Spot | None:
        chat = await self._chats.find(session)
        spot = self._spot(chat, key) if chat is not None else None
        if chat is not None and spot is None:
            self._drop(f"{session} cannot be told something: {chat.platform} ({chat.account}) is not served here.")
        return spot

    def _spot(self, chat: Chat, key: str) -> _Spot | None:
        served = self._platforms.get((chat.platform, chat.account))
        if served is None:
            return None
        platform, take = served
        try:
            update = platform.announcement(chat.chat, f"announcement:{chat.chat}:{key}")
        except (ValueError, UserError) as error:
            log.error("an address of %s names no chat: %s", chat.platform, error)
            return None
        inbound = platform.read(update)
        return _Spot(update, inbound, take) if inbound is not None else None

    async def _tell(
        self, spot: _Spot, to: Inbound, reply: Reply, hidden: Iterable[str] = (), settled: Settled | None = None
    ) -> bool:
        """Whether it is stored now; False: it was before."""
        name = (spot.update.platform, spot.update.account, spot.update.key)
        now = self._clock.now()
        if name in self._known and abs(now - self._known[name]) < _KNOWN_FOR:
            return False
        reply = Screen(self._redact, hidden).reply(reply)
        shown: tuple[Shown, ...] = ()
        if reply.buttons and not reply.token:
            reply = replace(reply, buttons=tuple(_for_pressing(button) for button in reply.buttons))
            shown = (self._offers.made(to, reply),)
            reply = replace(reply, token=shown[0].token)
        item = await self._stored.announce(spot.update, (reply_to_json(reply),), now, shown, settled)
        if len(self._known) >= _MOST_KNOWN:
            self._known.clear()
        self._known[name] = now
        if item is not None:
            spot.take(item)
        return item is not None

    def _drop(self, sentence: str) -> None:
        """Logged once for each: what is not served is asked for again and again."""
        if sentence not in self._dropped:
            self._dropped.add(sentence)
            log.info("%s", sentence)


def _for_pressing(button: Button) -> Button:
    return replace(button, command="", press=button.press or button.command)
