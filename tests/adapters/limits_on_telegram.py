"""Replies through the real Telegram platform to its counterpart, and what arrived there, for properties that run in a thread."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from core.messages import Event
from tests.adapters.telegram_stage import Stage
from tests.fakes.telegram_server import TelegramServer
from tests.fakes.telegram_world import ChatMessage

_WITHOUT_WORDS = ("getupdates", "sendchataction", "answercallbackquery")


@dataclass
class TelegramArrived:
    """What one answer left in the chat, and the calls that it took."""

    messages: list[ChatMessage]
    calls: list[tuple[str, dict[str, Any], int]]


class TelegramWire:
    """Ada's private chat and a group, and a bot that gives the answers it is told."""

    def __init__(self, server: TelegramServer, stage: Stage) -> None:
        self._loop = asyncio.get_running_loop()
        self._server = server
        self._stage = stage
        self._ada = server.person(1001)
        self._rooms = (server.private(self._ada), server.group())

    def answers(self, *events: Event, group: bool = False) -> TelegramArrived:
        """Called from another thread: the bot answers a question with these events."""
        return asyncio.run_coroutine_threadsafe(self._answers(events, group), self._loop).result(60)

    async def _answers(self, events: tuple[Event, ...], group: bool) -> TelegramArrived:
        chat = self._rooms[group]
        item = await self._stage.hears(self._ada, chat, "@Our_Bot go on")
        before, calls = len(chat.all_messages), len(self._server.calls)
        await self._stage.answer(item, *events)
        made = [(call.method, call.params, call.status) for call in self._server.calls[calls:]]
        shown = [message for message in chat.all_messages[before:] if message.by_bot and not message.deleted]
        return TelegramArrived(shown, [call for call in made if call[0] not in _WITHOUT_WORDS])


@asynccontextmanager
async def telegram_wire() -> AsyncIterator[TelegramWire]:
    """The bot, polling. Its clock does not wait for anything."""
    with TelegramServer() as server:
        stage = Stage(server)
        stage.clock.jumps = True
        async with stage:
            yield TelegramWire(server, stage)
