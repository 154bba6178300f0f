"""Updates that Telegram brings: each is answered when it is stored, so that Telegram keeps what could not be, and brings it again.

What is brought twice is known by its key in the inbox. Whether Telegram reaches the door, only Telegram can tell; it is asked every
few minutes, and the webhook is set again where another program has changed it. At the end it stays set: what people write
meanwhile waits at Telegram.
"""

import asyncio
import json
import logging
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from http import HTTPStatus
from typing import Any, NoReturn
from urllib.parse import urlsplit

from telegram import Bot, WebhookInfo
from telegram.error import BadRequest

from adapters.telegram.arrived import WANTED, is_only_told, number_of, update_of
from adapters.telegram.gathering import Gathering
from adapters.telegram.greeting import Greeting
from adapters.telegram.places import Scope
from adapters.telegram.reconnecting import CONNECTED, Accept, OnState, Reconnecting
from adapters.telegram.webhook_http import Hook, listening
from core.clock import Clock
from core.errors import StorageError, shown
from core.ports import Inbox

_log = logging.getLogger(__name__)
LOOK_SECONDS = 120.0
ANSWER_SECONDS = 25.0
"""How long Telegram is left without an answer, at most. It would wait for about a minute."""
_RECENT = timedelta(minutes=5)
"""Telegram tries about every two minutes, so what went wrong before is over."""
_MOST_AT_ONCE = 40
"""Updates on their way at the same time, each of another chat; Telegram's own default."""


class Webhook:
    """Has updates brought, for as long as it runs."""

    def __init__(
        self, bot: Bot, hook: Hook, scope: Scope, clock: Clock, commands: Sequence[tuple[str, str]], inbox: Inbox
    ) -> None:
        self._bot = bot
        self._hook = hook
        self._scope = scope
        self._clock = clock
        self._inbox = inbox
        self._greeting = Greeting(bot, commands)
        self._line = Reconnecting(clock)
        self._identity: Mapping[str, Any] | None = None
        """Who the bot is; None while updates cannot be taken yet."""
        self._is_set = False
        self._heard_at = datetime.min.replace(tzinfo=UTC)
        self._storing: dict[int, asyncio.Task[HTTPStatus]] = {}
        self._said: set[str] = set()

    async def run(self, accept: Accept, on_state: OnState) -> NoReturn:
        """Hand updates to `accept` for ever; it returns when they are stored. Raises ConfigError if the token is refused or nothing
        can be listened on; it may be called again then."""
        self._identity, self._is_set = None, False
        gathering = Gathering(self._inbox, self._scope, self._clock, self._hook.known, accept, self._line.stored)

        async def take(body: bytes) -> HTTPStatus:
            return await self._take(body, gathering)

        async with gathering:
            try:
                async with listening(self._hook, take):
                    await self._line.run(lambda: self._connect_and_look(gathering), on_state)
            finally:
                storing = list(self._storing.values())
                for task in storing:
                    task.cancel()
                await asyncio.gather(*storing, return_exceptions=True)

    def begin_anew(self) -> None:
        """It is another bot from now on, which may have no menu yet."""
        self._greeting.begin_anew()

    async def _connect_and_look(self, gathering: Gathering) -> NoReturn:
        try:
            identity = await self._greeting.exchange()
            if self._identity is None:
                await self._line.stored(gathering.take_up)
            self._identity = identity
            await self._set()
            self._heard_at = self._clock.now()
            self._is_set = True
            self._line.report(CONNECTED)
            while True:
                await self._clock.sleep(LOOK_SECONDS)
                await self._look(await self._bot.get_webhook_info())
                self._line.went_well()
        finally:
            self._is_set = False

    async def _set(self) -> None:
        """Tell Telegram where to send. What waits there already is kept."""
        try:
            await self._bot.set_webhook(
                self._hook.url,
                secret_token=self._hook.secret.reveal(),
                allowed_updates=WANTED,
                max_connections=_MOST_AT_ONCE,
                drop_pending_updates=False,
            )
        except BadRequest as error:
            raise BadRequest(f"Telegram does not take channels.telegram.webhook.url: {error.message}") from None

    async def _look(self, info: WebhookInfo) -> None:
        """Put the webhook right where it is not as it was set, and tell whether Telegram reaches it."""
        if info.url != self._hook.url:
            done = f"set to {shown(urlsplit(info.url).netloc)}" if info.url else "removed"
            self._line.report(
                f"disconnected: another program with this bot's token has {done} the webhook; it is set again"
            )
            await self._set()
        elif (reason := self._trouble(info)) is not None:
            self._line.report(f"disconnected: Telegram cannot reach {self._hook.host}: {shown(reason, 200)}")
            await self._set()  # it may have been set with another secret
            return
        self._line.report(CONNECTED)

    def _trouble(self, info: WebhookInfo) -> str | None:
        """Why Telegram could not bring what waits there, since it has brought something last."""
        at = info.last_error_date
        if at is None or not info.pending_update_count:
            return None
        if at <= self._heard_at or self._clock.now() - at > _RECENT:
            return None
        return info.last_error_message or "it does not say why"

    async def _take(self, body: bytes, gathering: Gathering) -> HTTPStatus:
        """Take in what Telegram has brought. What is no update would be brought for ever, so it counts as taken."""
        if self._identity is None:
            return HTTPStatus.SERVICE_UNAVAILABLE
        try:
            raw = json.loads(body)
        except (ValueError, RecursionError):
            raw = None
        number = number_of(raw)
        if number is None:
            self._say_once("Telegram has sent what is no update; it is left out.")
            return HTTPStatus.OK
        if is_only_told(raw):
            return HTTPStatus.OK
        task = self._storing.get(number)
        if task is None:
            task = self._storing[number] = asyncio.create_task(self._store(raw, self._identity, gathering))
            task.add_done_callback(lambda _: self._storing.pop(number, None))
        # It goes on being stored where that takes longer; brought again, the update waits for the same.
        until = asyncio.ensure_future(self._clock.sleep(ANSWER_SECONDS))
        try:
            await asyncio.wait((task, until), return_when=asyncio.FIRST_COMPLETED)
        finally:
            until.cancel()
        return task.result() if task.done() else HTTPStatus.SERVICE_UNAVAILABLE

    async def _store(self, raw: Mapping[str, Any], identity: Mapping[str, Any], gathering: Gathering) -> HTTPStatus:
        try:
            await gathering.take(update_of(raw, self._scope, identity))
        except StorageError as error:
            self._line.report(f"disconnected: updates could not be stored: {error}")
            return HTTPStatus.SERVICE_UNAVAILABLE
        except RecursionError:
            self._say_once("Telegram has sent an update that is nested too deeply; it is left out.")
            return HTTPStatus.OK
        except Exception as error:
            self._say_once(f"An update could not be taken in ({type(error).__name__}); Telegram keeps it.", error)
            return HTTPStatus.INTERNAL_SERVER_ERROR
        self._heard_at = self._clock.now()
        if self._is_set:
            self._line.report(CONNECTED)
        return HTTPStatus.OK

    def _say_once(self, sentence: str, error: Exception | None = None) -> None:
        if sentence not in self._said:
            self._said.add(sentence)
            _log.warning("%s This is said once.", sentence, exc_info=error)
