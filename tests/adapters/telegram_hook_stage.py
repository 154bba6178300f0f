"""The platform with a webhook on the Bot API counterpart, which posts updates to it over real HTTP."""

import asyncio
import io
import json
import socket
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import aiohttp

from adapters.telegram.client import TelegramPlatform
from adapters.telegram.webhook_http import Hook
from core.auth.secret import Secret
from core.ports import InboxItem
from tests.adapters.telegram_stage import MENU, Stage, StageClock
from tests.fakes.inbox import FakeInbox
from tests.fakes.telegram_server import TelegramServer
from tests.fakes.telegram_webhook import HEADER

SECRET = "canary-Secret_of_the_webhook-42"


def free_port() -> int:
    """A port of loopback on which nobody listens now."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        number: int = taken.getsockname()[1]
        return number


@dataclass(frozen=True)
class Answered:
    """What a post was answered with."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class _States(list[str]):
    """What was told of the connection; whoever waits for something looks again after each."""

    def __init__(self, changed: Callable[[], None]) -> None:
        super().__init__()
        self._changed = changed

    def append(self, state: str) -> None:
        super().append(state)
        self._changed()


class HookStage(Stage):
    """A stage whose platform is brought its updates. `known` is a text that is confidential here."""

    def __init__(
        self, server: TelegramServer, inbox: FakeInbox | None = None, port: int = 0, known: str = "\0"
    ) -> None:
        self.server = server
        self.stored = inbox or FakeInbox()
        self.clock = StageClock()
        self.states = _States(server.changed)
        self.taken: asyncio.Queue[InboxItem] = asyncio.Queue()
        self.port = port or free_port()
        self.url = f"http://127.0.0.1:{self.port}/telegram"
        self.platform = TelegramPlatform(
            Secret(server.token or "1:gone"),
            api_base_url=server.url,
            agent="main",
            dm_scope="per-account-channel-peer",
            inbox=self.stored,
            clock=self.clock,
            commands=MENU,
            webhook=Hook(
                url=self.url,
                listen="127.0.0.1",
                port=self.port,
                secret=Secret(SECRET),
                known=lambda text: text.replace(known, "***"),
            ),
        )
        self._run: asyncio.Task[None] | None = None

    async def accept(self, updates: Any) -> None:
        for item in await self.stored.receive(updates, self.clock.now()):
            self.taken.put_nowait(item)

    async def connected(self) -> None:
        await self.server.wait_for(lambda: self.states[-1:] == ["connected"])

    async def next(self) -> InboxItem:
        return await asyncio.wait_for(self.taken.get(), 10)

    async def posts(
        self, body: bytes, *, path: str = "/telegram", method: str = "POST", secret: str | None = SECRET
    ) -> Answered:
        """What somebody gets who posts this by themselves."""
        headers = {} if secret is None else {HEADER: secret}
        url = f"http://127.0.0.1:{self.port}{path}"
        async with (
            aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(20)) as session,
            session.request(method, url, data=io.BytesIO(body), headers=headers, allow_redirects=False) as answer,
        ):
            return Answered(answer.status, dict(answer.headers), await answer.read())

    @property
    def own(self) -> list[InboxItem]:
        """What is in the inbox itself; what is stored aside is left out."""
        return [item for item in self.stored.items.values() if item.update.account == "default"]

    @property
    def aside(self) -> list[InboxItem]:
        """What waits aside for the rest of an album."""
        found = self.stored.items.values()
        return [item for item in found if item.update.account != "default" and item.state != "done"]


def written(number: int, text: str = "hello", **more: Any) -> bytes:
    """An update as Telegram posts it."""
    chat, person = {"id": 1001, "type": "private"}, {"id": 1001, "is_bot": False, "first_name": "Ada"}
    message = {"message_id": number, "date": 1, "chat": chat, "from": person, "text": text, **more}
    return json.dumps({"update_id": number, "message": message}).encode()
