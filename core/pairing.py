"""Pairing: a stranger gets a code in a private chat, and an owner who is shown it lets them in (product.md 8).

Nobody is let in by a code alone: it only tells an owner which request is meant. What a stranger wrote is not kept. Owners are
never paired: who was paired and became one is, until that is revoked. `Pairing` holds what may happen and what is told; a
`PairingStore` decides between owners who are as fast as each other.
"""

import logging
import secrets
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Protocol

from core.clock import Clock
from core.durations import format_duration, iso
from core.errors import StorageError, UserError, shown
from core.messages import Button, Inbound, Ingress, Reply, ReplyKind, reply_to_json
from core.resolution.rules import AccessRules
from core.sessions.key import ONE_FOR_ALL
from core.sessions.ports import Answered

log = logging.getLogger(__name__)

ALPHABET = "ABCDEFGHJKMNPQRSTUVWXYZ23456789"
"""Without the characters that are taken for one another."""
CODE_LENGTH = 8
CODE_HOLDS = timedelta(hours=1)
"""How long a code can be approved, and how long the same person gets no other."""
MOST_OPEN = 20
"""Open requests of an installation. More are a flood, and nobody could look through them."""
QUIET = timedelta(days=1)
"""How long somebody who was turned away or put out cannot ask again."""
NEWS_HOLD = timedelta(days=1)
"""How long after an approval the person is still told of it."""
LONGEST_NAME = 64
NO_CODES = (
    'session.dm_scope is "main": all private chats are one conversation, which whoever is let in would read. So strangers are '
    "given no codes."
)
_ASKS = ("/start", "/pair")
_GREETING = (
    "I do not know you here yet. To be let in, give this code to an owner of this bot: {code}\n"
    "They let you in with /pairing approve {code} in a chat with me, or on the host with: remoteclaw pairing approve {code}\n"
    "The code holds for one hour. What you write before that is not read."
)
_GOOD_NEWS = "You are let in: write here to chat. /help shows what else there is."
_LOOK = "See /pairing, or `remoteclaw pairing` on the host."
_OWNERS = "Owners are those that access.owners names in the configuration."


class PairingState(StrEnum):
    """waiting: for an owner, until `expires_at`. denied: turned away, or put out after having been let in."""

    WAITING = "waiting"
    APPROVED = "approved"
    DENIED = "denied"


@dataclass(frozen=True, slots=True, kw_only=True)
class PairingRequest:
    """What is known of one person. `person` is `platform:id`, `chat` the platform's own words for where they can be told."""

    person: str
    account: str
    name: str
    chat: str
    code: str
    asked_at: datetime
    expires_at: datetime
    state: PairingState = PairingState.WAITING
    decided_by: str | None = None
    decided_at: datetime | None = None

    @property
    def title(self) -> str:
        """How people are told who it is: the id decides and comes first. The name only helps, and is no part of the sentence."""
        name = _quotable(self.name)
        return f'{self.person} "{name}"' if name else self.person


class PairingStore(Protocol):
    """Requests and those who were let in. Every method that writes returns when the write is durable."""

    async def ask(self, request: PairingRequest, answered: Answered | None = None) -> bool:
        """Store a new request, and the answered inbox item with it. False, and nothing stored, if the person waits already, is
        let in, or was denied less than QUIET ago; if MOST_OPEN others wait; or if the code is taken. What is over by
        `request.asked_at` is forgotten."""
        ...

    async def waiting(self, now: datetime) -> tuple[PairingRequest, ...]:
        """Requests that can still be decided, oldest first."""
        ...

    async def approved(self) -> tuple[PairingRequest, ...]:
        """Those who are let in, the latest first."""
        ...

    async def decide(self, named: str, state: PairingState, by: str, now: datetime) -> PairingRequest | None:
        """Decide the request that a code or a person names, unless somebody else has; the request as it stands then. None if
        there is none, or it has expired. A person who was denied can be approved by their id."""
        ...

    async def revoke(self, person: str, by: str, now: datetime) -> PairingRequest | None:
        """Put somebody out who was let in; None if nobody of that id was."""
        ...


class Herald(Protocol):
    """Says something without being asked. What has the same `key` is said once, across restarts and processes, and asking for
    it again costs next to nothing. May raise StorageError."""

    async def tell_person(self, person: str, key: str, reply: Reply, *, account: str = "") -> bool: ...

    async def tell_owners(self, key: str, reply: Reply) -> int: ...


class Pairing:
    """What strangers and owners do. `herald` None: nobody can be told from here, as on the host; the gateway catches up."""

    def __init__(self, store: PairingStore, clock: Clock, herald: Herald | None = None) -> None:
        self._store = store
        self._clock = clock
        self._herald = herald

    async def greet(self, inbound: Inbound, access: AccessRules, item: int | None = None) -> Reply | None:
        """The answer to a stranger's message: a code, once an hour. None where nothing is answered. `item` is the inbox item that
        the answer is stored with, so that a restart shows the same code. Raises StorageError."""
        if not access.pairing or not _asks(inbound) or inbound.sender.key in access.owners:
            return None
        now = self._clock.now()
        request = PairingRequest(
            person=inbound.sender.key,
            account=inbound.account,
            name=stored_name(inbound.sender.name),
            chat=inbound.chat,
            code="".join(secrets.choice(ALPHABET) for _ in range(CODE_LENGTH)),
            asked_at=now,
            expires_at=now + CODE_HOLDS,
        )
        reply = Reply(kind=ReplyKind.NOTICE, text=_GREETING.format(code=request.code), private=True)
        if not await self._store.ask(request, Answered(item, (reply_to_json(reply),))):
            return None
        await self._tell(request)
        return reply

    async def waiting(self, access: AccessRules) -> tuple[PairingRequest, ...]:
        """Requests that can be decided now, oldest first."""
        return undecided(await self._store.waiting(self._clock.now()), access)

    async def approved(self) -> tuple[PairingRequest, ...]:
        """Those who are let in, the latest first."""
        return await self._store.approved()

    async def approve(self, named: str, by: str, access: AccessRules) -> PairingRequest:
        """Let somebody in, named by code or person, and tell them. Raises UserError as `deny` does."""
        request = await self._decide(named, PairingState.APPROVED, by, access)
        await self._tell(request)
        return request

    async def deny(self, named: str, by: str, access: AccessRules) -> PairingRequest:
        """Turn somebody away. Raises UserError: pairing_unknown, pairing_decided (by somebody else), pairing_owner. To decide
        the same again oneself is no error."""
        return await self._decide(named, PairingState.DENIED, by, access)

    async def revoke(self, person: str, by: str, access: AccessRules) -> PairingRequest:
        """Put somebody out; their very next message is a stranger's. Who has become an owner meanwhile stays one. Raises UserError:
        pairing_unknown, pairing_owner."""
        request = await self._store.revoke(person, by, self._clock.now())
        if request is None:
            _refuse_owner(person, access)
            raise UserError("pairing_unknown", f"{shown(person)} is not paired. Nothing was changed.", _LOOK)
        return request

    async def catch_up(self, access: AccessRules) -> None:
        """Tell what came up where nobody could be told: on the host, or just before a crash. Raises StorageError."""
        since = self._clock.now() - NEWS_HOLD
        for request in await self.waiting(access):
            await self._tell(request)
        for request in await self.approved():
            is_news = request.decided_at is not None and request.decided_at >= since
            if is_news and request.person not in access.owners:
                await self._tell(request)

    async def _decide(self, named: str, state: PairingState, by: str, access: AccessRules) -> PairingRequest:
        named, now = _as_stored(named), self._clock.now()
        meant = next((one.person for one in await self._store.waiting(now) if one.code == named), named)
        _refuse_owner(meant, access)
        request = await self._store.decide(named, state, by, now)
        if request is None:
            raise _no_request(named)
        if request.state is not state or request.decided_by != by:
            raise _decided(request)
        return request

    async def _tell(self, request: PairingRequest) -> None:
        """Owners of a request, or whoever asked of its approval. Where that fails `catch_up` tries again: nothing is undone."""
        if self._herald is None:
            return
        try:
            if request.state is PairingState.WAITING:
                await self._herald.tell_owners(f"pairing:{request.person}:{request.code}", _knock(request))
            else:
                key = f"paired:{request.person}:{iso(request.decided_at)}"
                news = Reply(kind=ReplyKind.NOTICE, text=_GOOD_NEWS)
                await self._herald.tell_person(request.person, key, news, account=request.account)
        except StorageError as error:
            log.error("a pairing could not be told: %s", error)


def request_named(found: Iterable[PairingRequest], named: str, now: datetime) -> PairingRequest:
    """Whom a code or an id names: who waits or was let in, and by the id also who was turned away. Raises UserError:
    pairing_unknown, pairing_decided."""
    named = _as_stored(named)
    request = next((one for one in found if named in (one.person, one.code)), None)
    if request is None or (request.state is PairingState.WAITING and request.expires_at <= now):
        raise _no_request(named)
    if request.state is PairingState.DENIED and named != request.person:
        raise _decided(request)
    return request


def put_out(request: PairingRequest, access: AccessRules) -> str:
    """What is told of a revocation."""
    owns = request.person in access.owners
    return f"{request.title} is not paired any more, and still an owner." if owns else f"{request.title} is put out."


def undecided(waiting: Sequence[PairingRequest], access: AccessRules) -> tuple[PairingRequest, ...]:
    """Those that there is something to decide about: who has become an owner needs no pairing any more."""
    return tuple(one for one in waiting if one.person not in access.owners)


def stored_name(name: str) -> str:
    """A name as it is stored: one line of visible characters, at most LONGEST_NAME. It gives no rights, and may be empty."""
    return " ".join("".join(c if c.isprintable() else " " for c in name).split())[:LONGEST_NAME].rstrip()


def request_view(request: PairingRequest) -> dict[str, str | None]:
    """A request as JSON."""
    return {
        "id": request.person,
        "name": request.name,
        "code": request.code,
        "asked_at": iso(request.asked_at),
        "expires_at": iso(request.expires_at),
        "state": request.state.value,
        "decided_by": request.decided_by,
        "decided_at": iso(request.decided_at),
    }


def _as_stored(named: str) -> str:
    """A code or an id as people type it."""
    return named.strip() if ":" in named else named.strip().upper()


def _no_request(named: str) -> UserError:
    what = f"There is no open request {shown(named)}: a code holds {format_duration(CODE_HOLDS)}."
    return UserError("pairing_unknown", f"{what} Nothing was changed.", _LOOK)


def _decided(request: PairingRequest) -> UserError:
    what = f"{request.title} was already {request.state} by {request.decided_by}. Nothing was changed."
    return UserError("pairing_decided", what, _LOOK)


def _asks(inbound: Inbound) -> bool:
    """Whether it is a private message in plain words, or one of the two commands of somebody who is new. Without an address
    nobody could be told of the approval; in a conversation that all share they would read what others have said."""
    text = inbound.text.strip()
    if inbound.ingress is not Ingress.MESSAGE or not inbound.place.direct or not inbound.chat or not text:
        return False
    if inbound.session.chat == ONE_FOR_ALL:
        return False
    return not text.startswith("/") or text.split()[0].lower() in _ASKS


def _knock(request: PairingRequest) -> Reply:
    """What owners are told of a request."""
    text = (
        f"{request.title} asks to be let in with the code {request.code}, until {request.expires_at:%H:%M} UTC. Let in only whom "
        f"you know: they could chat with every model here.\n/pairing approve {request.code} lets them in."
    )
    buttons = (
        Button(n=1, label="Approve", command="", press=f"/pairing approve {request.code}", group="action"),
        Button(n=2, label="Deny", command="", press=f"/pairing deny {request.code}", group="action"),
    )
    return Reply(kind=ReplyKind.NOTICE, text=text, buttons=buttons)


def _quotable(name: str) -> str:
    """Without what could end the quotation, begin a command or look like an id."""
    return " ".join("".join(" " if _is_mark(c) else c for c in unicodedata.normalize("NFKC", name)).split())


def _is_mark(character: str) -> bool:
    """Brackets, quotation marks, slashes, colons and their like of every alphabet."""
    category = unicodedata.category(character)
    return character not in ".-_'" and (category[0] == "P" or category in ("Sm", "Sk"))


def _refuse_owner(named: str, access: AccessRules) -> None:
    if named in access.owners:
        raise UserError("pairing_owner", f"{named} is an owner and needs no pairing. Nothing was changed.", _OWNERS)
