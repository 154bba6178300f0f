"""Albums that come by the webhook. Telegram sends a chat's messages one by one, each when the one before was answered, so no part
can be left unanswered until the others are there, as polling leaves them.

While an album may have further parts on their way, its chat's updates are stored aside, in the inbox under an account of its
own, and answered. When no part was added for PAUSE seconds, or there are as many as an album can have, they are stored in the
inbox itself in their order, the album as one update, and then forgotten aside, the last first: what a kill leaves there is not in
the inbox yet, or the keys of its first parts are known there.
"""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Self

from adapters.telegram.albums import MOST_PARTS, album_id, joined
from adapters.telegram.arrived import update_of
from adapters.telegram.inbound import lane
from adapters.telegram.places import PLATFORM, Scope
from adapters.telegram.reconnecting import Accept
from core.blotting import HAS_SECRET, Redact, blot_payload
from core.clock import Clock
from core.ports import Inbox, InboxItem, Update

PAUSE = 1.0
"""Seconds. The next part is sent when the one before is answered, and has a way to go."""

Insist = Callable[[Callable[[], Awaitable[object]]], Awaitable[None]]
"""Stores something, however long that takes."""


@dataclass(slots=True, eq=False)
class _Held:
    """The updates of one chat that wait. `coming`: how many are being stored just now. `closed`: no more are taken; `over` is set
    when all of them are in the inbox."""

    items: list[InboxItem] = field(default_factory=list)
    coming: int = 0
    grown: asyncio.Event = field(default_factory=asyncio.Event)
    closed: bool = False
    over: asyncio.Event = field(default_factory=asyncio.Event)

    def is_whole(self) -> bool:
        """Whether every album in it has all the parts that an album can have."""
        counts = Counter(album_id(item.update.payload) for item in self.items)
        del counts[None]
        return bool(counts) and not self.coming and min(counts.values()) >= MOST_PARTS


class Gathering:
    """Takes updates on their way into the inbox, while it is open. `accept` stores them there; `known` takes out of a text what is
    known to be confidential."""

    def __init__(self, inbox: Inbox, scope: Scope, clock: Clock, known: Redact, accept: Accept, insist: Insist) -> None:
        self._inbox = inbox
        self._scope = scope
        self._aside = f"{scope.account}:albums"
        self._clock = clock
        self._known = known
        self._accept = accept
        self._insist = insist
        self._chats: dict[str, _Held] = {}
        self._settling: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        for task in self._settling:
            task.cancel()
        await asyncio.gather(*self._settling, return_exceptions=True)

    async def take_up(self) -> None:
        """Store what an earlier run has left aside. Parts that are still to come will be messages of their own: whether those here
        are stored already cannot be told. Raises StorageError."""
        await self._hand_over(await self._inbox.unfinished(PLATFORM, self._aside))

    async def take(self, update: Update) -> None:
        """Return when the update is stored, in the inbox or aside. Raises StorageError."""
        while (held := self._chats.get(update.lane)) is not None and held.closed:
            await held.over.wait()
        is_part = album_id(update.payload) is not None
        if held is None and not is_part:
            return await self._accept([update])
        held = held or self._begin(update.lane)
        held.coming += 1
        try:
            fresh = await self._inbox.receive([self._put_aside(update)], self._clock.now())
        finally:
            held.coming -= 1
        held.items += fresh
        if is_part:
            held.grown.set()
        return None

    def _begin(self, chat: str) -> _Held:
        held = self._chats[chat] = _Held()
        task = asyncio.create_task(self._settle(chat, held), name=f"album in {chat}")
        self._settling.add(task)
        task.add_done_callback(self._settling.discard)
        return held

    def _put_aside(self, update: Update) -> Update:
        payload, has_secret = blot_payload(update.payload, self._known)
        marked = {**payload, HAS_SECRET: True} if has_secret else payload
        return Update(platform=PLATFORM, account=self._aside, key=update.key, lane=update.lane, payload=marked)

    async def _settle(self, chat: str, held: _Held) -> None:
        while not held.is_whole() and await self._grows(held):
            pass
        held.closed = True
        try:
            await self._insist(partial(self._hand_over, held.items))
        finally:
            del self._chats[chat]
            held.over.set()

    async def _grows(self, held: _Held) -> bool:
        """Wait for the next part; whether one came, or is coming, before the pause was over."""
        held.grown.clear()
        ends = [asyncio.ensure_future(held.grown.wait()), asyncio.ensure_future(self._clock.sleep(PAUSE))]
        try:
            await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for end in ends:
                end.cancel()
        return held.grown.is_set() or held.coming > 0

    async def _hand_over(self, items: Sequence[InboxItem]) -> None:
        """Store what was aside in the inbox itself, in the order in which Telegram has numbered it. It may be called again."""
        waiting = sorted(items, key=lambda item: int(item.update.key))
        if waiting:
            whole = joined([item.update.payload for item in waiting], self._lane)
            await self._accept([update_of(payload, self._scope) for payload in whole])
        for item in reversed(waiting):
            await self._inbox.done(item.id)

    def _lane(self, payload: Mapping[str, Any]) -> str:
        return lane(payload, self._scope)
