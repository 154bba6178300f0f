"""Telegram as a chat platform: one bot account, read by long polling or a webhook, answered through the Bot API."""

import logging
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any, NoReturn

from adapters.telegram.attached import offers
from adapters.telegram.downloads import Downloads
from adapters.telegram.drafts import DraftRefusals
from adapters.telegram.inbound import lane, read_update
from adapters.telegram.notes import Notes
from adapters.telegram.outbound import Delivery
from adapters.telegram.places import ANNOUNCEMENT, PLATFORM, Scope, address, announced_in
from adapters.telegram.polling import Poller, PollingBot
from adapters.telegram.reconnecting import Accept, OnState
from adapters.telegram.transport import PLACEHOLDER, Endpoint, SecretFilter, Transport, quiet_libraries
from adapters.telegram.webhook import Webhook
from adapters.telegram.webhook_http import Hook
from core.auth.secret import Secret
from core.clock import Clock
from core.messages import Event, Inbound, Ingress
from core.ports import Inbox, InboxItem, Update

_CONNECTIONS = 64
_READ_TIMEOUT = 20.0
_TALKERS = ("httpx", "telegram.Bot")
"""Loggers that are told URLs and what is sent."""


class TelegramPlatform:
    """core.intake.Platform for one bot account. Raises ConfigError for a token or URL that cannot be meant.

    `commands` are (name, summary) for the menu that Telegram shows beside the text field. Updates are polled for unless there is
    a `webhook`.
    """

    name = PLATFORM

    def __init__(
        self,
        token: Secret,
        *,
        account: str = "default",
        api_base_url: str,
        agent: str,
        dm_scope: str,
        inbox: Inbox,
        clock: Clock,
        commands: Sequence[tuple[str, str]],
        webhook: Hook | None = None,
    ) -> None:
        endpoint = self._endpoint = Endpoint(api_base_url, token)
        quiet_libraries()
        self._filter = SecretFilter(endpoint)
        for name in _TALKERS:
            logging.getLogger(name).addFilter(self._filter)
        self.account = account
        self._scope = Scope(agent=agent, account=account, dm_scope=dm_scope)
        self._inbox = inbox
        self._clock = clock
        self._polls = Transport(endpoint, connections=1, read_timeout=_READ_TIMEOUT)
        self._calls = Transport(endpoint, connections=_CONNECTIONS, read_timeout=_READ_TIMEOUT)
        self._bot = PollingBot(
            PLACEHOLDER,
            base_url=endpoint.base_url,
            base_file_url=endpoint.base_file_url,
            request=self._calls,
            get_updates_request=self._polls,
        )
        self._downloads = Downloads(self._bot, self._calls, clock)
        self._drafts = DraftRefusals()
        self._receiver: Poller | Webhook = Poller(self._bot, self._scope, clock, commands)
        if webhook is not None:
            endpoint.hide(webhook.secret)
            self._receiver = Webhook(self._bot, webhook, self._scope, clock, commands, inbox)

    async def run(self, accept: Accept, on_state: OnState) -> NoReturn:
        """Take updates in until cancelled. `accept` returns when they are stored; only then is Telegram told that they were seen.

        `on_state` hears "connected" and "disconnected: why". Raises ConfigError if Telegram refuses the token, or the webhook has
        no place to listen; every other trouble is waited out. It may be called again then.
        """
        await self._receiver.run(accept, on_state)

    def take_token(self, token: Secret) -> bool:
        """Go by this token from the next request on; whether it is another one. Whoever runs the platform begins anew then. Raises
        ConfigError for a text that cannot be a token; then the one before stays."""
        if token == self._endpoint.token:
            return False
        bot = self._endpoint.bot
        self._endpoint.take(token)
        if self._endpoint.bot != bot:
            self._receiver.begin_anew()
        return True

    def read(self, update: Update) -> Inbound | None:
        """What a stored update means, or None if it is nothing for us. Its files are fetched when they are asked for."""
        inbound = read_update(update.payload, self._scope)
        if inbound is None or inbound.ingress is not Ingress.MESSAGE or ANNOUNCEMENT in update.payload:
            return inbound
        sent = offers(update.payload)
        return replace(inbound, files=partial(self._downloads.fetch, sent)) if sent else inbound

    def announcement(self, chat: str, key: str) -> Update:
        """An update of our own that nobody caused: what answers it is said in a chat. Stored once by its key, as any other.

        `chat` is what an Inbound of this platform named (`Inbound.chat`), or `person:<id>` for somebody's private chat. Raises
        ValueError if it is neither. A person who never opened a chat with the bot cannot be written to: that is logged.
        """
        payload = announced_in(chat)
        return Update(
            platform=PLATFORM, account=self.account, key=key, lane=lane(payload, self._scope), payload=payload
        )

    async def deliver(self, item: InboxItem, inbound: Inbound, events: AsyncIterator[Event]) -> None:
        """Show an answer in the chat that the update came from. Raises ConfigError if the token is refused."""
        to = address(item.update.payload)
        if to is None:
            async for _ in events:
                pass
            return

        async def save(delivery: Mapping[str, Any]) -> None:
            await self._inbox.note_delivery(item.id, delivery)

        notes = Notes(item.delivery, save)
        delivery = Delivery(self._bot, to, notes, self._clock, item=item.id, drafts=self._drafts)
        await delivery.run(events)

    async def close(self) -> None:
        """Close all connections. What is running ends with its task, not here."""
        await self._polls.shutdown()
        await self._calls.shutdown()
        for name in _TALKERS:
            logging.getLogger(name).removeFilter(self._filter)
