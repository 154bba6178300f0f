"""Reading updates: Telegram forgets an update once a later offset is asked for, so that is done after its commit only.

The library's own updater asks first and handles later, and loses what it holds when the process is killed. An album is waited
for until it is whole (albums.py): the offset stays before it, and the updates of other chats are stored meanwhile.
"""

import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, NoReturn

from telegram import Bot
from telegram.error import Conflict, InvalidToken, TelegramError

from adapters.telegram.albums import SETTLE, Arriving, joined
from adapters.telegram.inbound import IDENTITY, lane
from adapters.telegram.membership import membership
from adapters.telegram.menu import set_menu
from adapters.telegram.patience import full_jitter
from adapters.telegram.places import PLATFORM, Scope
from adapters.telegram.transport import Flooded, token_refused
from core.clock import Clock
from core.errors import StorageError
from core.ports import Update

_log = logging.getLogger(__name__)
POLL_SECONDS = 30
_SLACK = 10
_WANTED = ["message", "edited_message", "callback_query", "my_chat_member"]
_RIVAL = (
    "another process polls Telegram with the same token; Telegram serves only one. "
    "Stop the other one, or give this gateway a bot of its own"
)

Accept = Callable[[Sequence[Update]], Awaitable[None]]
OnState = Callable[[str], None]


class PollingBot(Bot):
    """The library's bot, with updates as Telegram sent them: one that it cannot read must not hold up the others."""

    async def fetch(self, offset: int | None, wait: int) -> list[Any]:
        """The updates from `offset` on, after at most `wait` seconds; asking forgets all before it."""
        asked = {"offset": offset, "timeout": wait, "allowed_updates": _WANTED}
        answer = await self._post("getUpdates", asked, read_timeout=wait + _SLACK)
        return answer if isinstance(answer, list) else []


class Poller:
    """Connects, polls, and connects again for as long as it runs."""

    def __init__(self, bot: PollingBot, scope: Scope, clock: Clock, commands: Sequence[tuple[str, str]]) -> None:
        self._bot = bot
        self._scope = scope
        self._clock = clock
        self._commands = commands
        self._menu: Sequence[tuple[str, str]] | None = commands
        self._offset: int | None = None
        self._failures = 0
        self._state = ""

    async def run(self, accept: Accept, on_state: OnState) -> NoReturn:
        """Hand batches to `accept` for ever; it returns when they are stored. Raises ConfigError if the token is refused; it may be
        called again then."""
        self._state = ""
        while True:
            wait = None
            try:
                await self._connect_and_poll(accept, on_state)
            except InvalidToken as error:
                raise token_refused(error) from error
            except Conflict as error:
                reason = _RIVAL if "getupdates request" in error.message.lower() else error.message
            except Flooded as error:
                reason, wait = error.message, error.seconds
            except TelegramError as error:
                reason = error.message
            self._report(f"disconnected: {reason}", on_state)
            await self._clock.sleep(full_jitter(self._failures) if wait is None else wait)
            self._failures += 1

    def begin_anew(self) -> None:
        """It is another bot from now on: its updates have numbers of their own, and it may have no menu yet."""
        self._offset, self._menu = None, self._commands

    async def _connect_and_poll(self, accept: Accept, on_state: OnState) -> NoReturn:
        identity = await self._connect()
        arriving, stored = Arriving(), set[int]()
        # The first question does not wait: its answer tells that polling works.
        wait = 0
        while True:
            batch = [raw for raw in await self._bot.fetch(self._offset, wait) if _number(raw) is not None]
            held = arriving.held(batch, self._lane)
            waiting = {_number(raw) for raw in held}
            fresh = [raw for raw in batch if _number(raw) not in waiting | stored]
            said = [raw for raw in fresh if not _told(raw)]
            if said:
                await self._store([self._update(raw, identity) for raw in joined(said, self._lane)], accept, on_state)
            self._offset = _next_offset(batch, held, self._offset)
            stored = {number for raw in batch if (number := _number(raw) or 0) >= (self._offset or 0)} - waiting
            self._failures = 0
            if held:
                wait = 0
                await self._clock.sleep(SETTLE)
            else:
                wait = POLL_SECONDS
                self._report("connected", on_state)

    async def _store(self, updates: Sequence[Update], accept: Accept, on_state: OnState) -> None:
        """Return when the updates are stored, however long that takes.

        Asking Telegram again would bring the same updates at once, over and over; what is in hand is tried again instead.
        """
        while True:
            try:
                return await accept(updates)
            except StorageError as error:
                self._report(f"disconnected: updates could not be stored: {error}", on_state)
            await self._clock.sleep(full_jitter(self._failures))
            self._failures += 1

    async def _connect(self) -> Mapping[str, Any]:
        me = await self._bot.get_me()
        await self._bot.delete_webhook()
        if self._menu is not None:
            await set_menu(self._bot, self._menu)
            self._menu = None
        return {"id": me.id, "username": me.username}

    def _update(self, raw: Mapping[str, Any], identity: Mapping[str, Any]) -> Update:
        return Update(
            platform=PLATFORM,
            account=self._scope.account,
            key=str(raw["update_id"]),
            lane=self._lane(raw),
            payload={**raw, IDENTITY: identity},
        )

    def _lane(self, raw: Mapping[str, Any]) -> str:
        return lane(raw, self._scope)

    def _report(self, state: str, on_state: OnState) -> None:
        """Tell a change of state, which the process logs; the same one again is no news."""
        if state != self._state:
            self._state = state
            on_state(state)


def _number(raw: Any) -> int | None:
    number = raw.get("update_id") if isinstance(raw, Mapping) else None
    return number if isinstance(number, int) and not isinstance(number, bool) else None


def _told(raw: Mapping[str, Any]) -> bool:
    """Whether the update is only about where the bot is or may write: that is logged, and nobody is answered."""
    change = membership(raw)
    if change:
        _log.info("%s", change)
    return "my_chat_member" in raw


def _next_offset(batch: Sequence[Any], held: Sequence[Any], before: int | None) -> int | None:
    """Past all that is stored: up to the first that is held back, or to the end."""
    if held:
        return min(_number(raw) or 0 for raw in held)
    return max(_number(raw) or 0 for raw in batch) + 1 if batch else before
