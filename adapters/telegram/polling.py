"""Reading updates: Telegram forgets an update once a later offset is asked for, so that is done after its commit only.

The library's own updater asks first and handles later, and loses what it holds when the process is killed. An album is waited
for until it is whole (albums.py): the offset stays before it, and the updates of other chats are stored meanwhile.
"""

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any, NoReturn

from telegram import Bot
from telegram.error import Conflict, TelegramError

from adapters.telegram.albums import SETTLE, Arriving, joined
from adapters.telegram.arrived import WANTED, is_only_told, number_of, update_of
from adapters.telegram.greeting import Greeting
from adapters.telegram.inbound import lane
from adapters.telegram.places import Scope
from adapters.telegram.reconnecting import CONNECTED, Accept, OnState, Reconnecting
from core.clock import Clock

POLL_SECONDS = 30
_SLACK = 10
_RIVAL = (
    "another process polls Telegram with the same token; Telegram serves only one. "
    "Stop the other one, or give this gateway a bot of its own"
)


class PollingBot(Bot):
    """The library's bot, with updates as Telegram sent them: one that it cannot read must not hold up the others."""

    async def fetch(self, offset: int | None, wait: int) -> list[Any]:
        """The updates from `offset` on, after at most `wait` seconds; asking forgets all before it."""
        asked = {"offset": offset, "timeout": wait, "allowed_updates": list(WANTED)}
        answer = await self._post("getUpdates", asked, read_timeout=wait + _SLACK)
        return answer if isinstance(answer, list) else []


class Poller:
    """Connects, polls, and connects again for as long as it runs."""

    def __init__(self, bot: PollingBot, scope: Scope, clock: Clock, commands: Sequence[tuple[str, str]]) -> None:
        self._bot = bot
        self._scope = scope
        self._clock = clock
        self._greeting = Greeting(bot, commands)
        self._line = Reconnecting(clock)
        self._offset: int | None = None
        self._is_doubtful = False
        """It was said to be connected because Telegram answered a question that does not wait, and nothing else went well since."""

    async def run(self, accept: Accept, on_state: OnState) -> NoReturn:
        """Hand batches to `accept` for ever; it returns when they are stored. Raises ConfigError if the token is refused; it may be
        called again then."""
        self._is_doubtful = False
        await self._line.run(lambda: self._connect_and_poll(accept), on_state, _worded)

    def begin_anew(self) -> None:
        """It is another bot from now on: its updates have numbers of their own, and it may have no menu yet."""
        self._offset = None
        self._greeting.begin_anew()

    async def _connect_and_poll(self, accept: Accept) -> NoReturn:
        identity = await self._greeting.exchange()
        await self._bot.delete_webhook()
        arriving, stored = Arriving(), set[int]()
        # The first question does not wait: its answer tells that the bot is let in.
        wait = 0
        while True:
            batch = [raw for raw in await self._bot.fetch(self._offset, wait) if number_of(raw) is not None]
            held = arriving.held(batch, self._lane)
            waiting = {number_of(raw) for raw in held}
            fresh = [raw for raw in batch if number_of(raw) not in waiting | stored]
            said = [raw for raw in fresh if not is_only_told(raw)]
            if said:
                updates = [update_of(raw, self._scope, identity) for raw in joined(said, self._lane)]
                # Asking again would bring the same updates at once, over and over; what is in hand is tried again instead.
                await self._line.stored(partial(accept, updates))
            self._offset = _next_offset(batch, held, self._offset)
            stored = {number for raw in batch if (number := number_of(raw) or 0) >= (self._offset or 0)} - waiting
            is_proven = bool(wait or said)
            if is_proven:
                self._line.went_well()
            if held:
                wait = 0
                await self._clock.sleep(SETTLE)
            else:
                wait = POLL_SECONDS
                # What lets us in and breaks every poll that waits, a rival for instance, would be said to come and go for ever.
                if is_proven or not self._is_doubtful:
                    self._line.report(CONNECTED)
                self._is_doubtful = not is_proven

    def _lane(self, raw: Mapping[str, Any]) -> str:
        return lane(raw, self._scope)


def _worded(error: TelegramError) -> str:
    is_rival = isinstance(error, Conflict) and "getupdates request" in error.message.lower()
    return _RIVAL if is_rival else error.message


def _next_offset(batch: Sequence[Any], held: Sequence[Any], before: int | None) -> int | None:
    """Past all that is stored: up to the first that is held back, or to the end."""
    if held:
        return min(number_of(raw) or 0 for raw in held)
    return max(number_of(raw) or 0 for raw in batch) + 1 if batch else before
