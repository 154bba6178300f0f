"""Telegram as a chat platform: one bot account, read by long polling, answered through the Bot API."""

import logging
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any, NoReturn

from adapters.telegram.attached import offers
from adapters.telegram.downloads import Downloads
from adapters.telegram.inbound import PLATFORM, Scope, address, read_update
from adapters.telegram.notes import Notes
from adapters.telegram.outbound import Delivery
from adapters.telegram.polling import Accept, OnState, Poller, PollingBot
from adapters.telegram.transport import PLACEHOLDER, Endpoint, TokenFilter, Transport, quiet_libraries
from core.auth.secret import Secret
from core.clock import Clock
from core.messages import Event, Inbound, Ingress
from core.ports import Inbox, InboxItem, Update

_CONNECTIONS = 64
_READ_TIMEOUT = 20.0


class TelegramPlatform:
    """core.intake.Platform for one bot account. Raises ConfigError for a token or URL that cannot be meant.

    `commands` are (name, summary) for the menu that Telegram shows beside the text field.
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
    ) -> None:
        endpoint = Endpoint(api_base_url, token)
        quiet_libraries()
        self._filter = TokenFilter(token)
        logging.getLogger("httpx").addFilter(self._filter)
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
        self._poller = Poller(self._bot, self._scope, clock, commands)

    async def run(self, accept: Accept, on_state: OnState) -> NoReturn:
        """Poll until cancelled. `accept` returns when a batch is stored; only then is Telegram told that it was seen.

        `on_state` hears "connected" and "disconnected: why". Raises ConfigError if Telegram refuses the token; every other
        trouble is waited out.
        """
        await self._poller.run(accept, on_state)

    def read(self, update: Update) -> Inbound | None:
        """What a stored update means, or None if it is nothing for us. Its files are fetched when they are asked for."""
        inbound = read_update(update.payload, self._scope)
        if inbound is None or inbound.ingress is not Ingress.MESSAGE:
            return inbound
        sent = offers(update.payload)
        return replace(inbound, files=partial(self._downloads.fetch, sent)) if sent else inbound

    async def deliver(self, item: InboxItem, inbound: Inbound, events: AsyncIterator[Event]) -> None:
        """Show an answer in the chat that the update came from. Raises ConfigError if the token is refused."""
        to = address(item.update.payload)
        if to is None:
            async for _ in events:
                pass
            return

        async def save(delivery: Mapping[str, Any]) -> None:
            await self._inbox.note_delivery(item.id, delivery)

        await Delivery(self._bot, to, Notes(item.delivery, save), self._clock).run(events)

    async def close(self) -> None:
        """Close all connections. A running poll ends with its task, not here."""
        await self._polls.shutdown()
        await self._calls.shutdown()
        logging.getLogger("httpx").removeFilter(self._filter)
