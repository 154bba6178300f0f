"""Telegram's side of a webhook: updates are posted over real HTTP, a chat's one after the other, each until it is taken (2xx)."""

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import aiohttp

from tests.fakes.telegram_limits import ApiError
from tests.fakes.telegram_world import World

_HERE = "http://127.0.0.1:"
"""Nothing is posted to other hosts: they are not there."""
HEADER = "X-Telegram-Bot-Api-Secret-Token"
_FIRST_PAUSE, _LONGEST_PAUSE = 0.05, 0.5
"""Seconds until an update is posted again; Telegram's are longer."""


@dataclass
class Delivery:
    """One post: the update's number, and the status of the answer (0: there was none)."""

    update: int
    status: int
    again: str | None = None
    """Its Retry-After."""


@dataclass
class Webhook:
    """What was set, and how it goes. `url` empty: nothing is set. `error` is (when, what) of the last failure, as getWebhookInfo
    tells it; a test may write its own."""

    url: str = ""
    secret: str | None = None
    allowed: list[str] = field(default_factory=list)
    most_at_once: int = 40
    error: tuple[int, str] | None = None
    posted: list[Delivery] = field(default_factory=list)
    is_blocked: bool = False
    """Whether Telegram is cut off from the webhook: nothing is posted."""

    def set(self, params: dict[str, Any]) -> bool:
        """setWebhook."""
        url, secret = str(params.get("url") or ""), params.get("secret_token")
        if url and not url.startswith(("https://", _HERE)):
            raise ApiError(400, "Bad Request: bad webhook: An HTTPS URL must be provided for webhook")
        self.url, self.secret = url, None if secret is None else str(secret)
        self.allowed = list(params.get("allowed_updates") or [])
        self.most_at_once = int(params.get("max_connections") or 40)
        return True

    def info(self, waiting: int) -> dict[str, Any]:
        """getWebhookInfo."""
        told: dict[str, Any] = {
            "url": self.url,
            "has_custom_certificate": False,
            "pending_update_count": waiting,
            "max_connections": self.most_at_once,
            "allowed_updates": self.allowed,
        }
        if self.error is not None:
            told |= {"last_error_date": self.error[0], "last_error_message": self.error[1]}
        return told


class Deliveries:
    """Posts what waits, for as long as it runs."""

    def __init__(self, world: World, webhook: Webhook, changed: Callable[[], None]) -> None:
        self._world = world
        self._webhook = webhook
        self._changed = changed
        self._busy: dict[object, asyncio.Task[None]] = {}
        self.pulse = asyncio.Event()

    async def run(self) -> None:
        async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(60)) as session:
            try:
                while True:
                    self.pulse.clear()
                    for chat, raw in self._next():
                        task = asyncio.create_task(self._deliver(session, raw))
                        self._busy[chat] = task
                        task.add_done_callback(lambda _, chat=chat: self._free(chat))
                    await self.pulse.wait()
            finally:
                tasks = list(self._busy.values())
                for task in tasks:
                    task.cancel()
                await asyncio.gather(*tasks, return_exceptions=True)

    def _next(self) -> list[tuple[object, dict[str, Any]]]:
        """The first that waits of every chat of which nothing is under way."""
        if not self._webhook.url or self._webhook.is_blocked:
            return []
        found: dict[object, dict[str, Any]] = {}
        with self._world.lock:
            for raw in self._world.updates:
                if not self._webhook.allowed or any(kind in raw for kind in self._webhook.allowed):
                    found.setdefault(_queue(raw), raw)
        free = [(chat, raw) for chat, raw in found.items() if chat not in self._busy]
        return free[: max(0, self._webhook.most_at_once - len(self._busy))]

    async def _deliver(self, session: aiohttp.ClientSession, raw: dict[str, Any]) -> None:
        pause = _FIRST_PAUSE
        while (url := self._webhook.url) and not self._webhook.is_blocked:
            if await self._post(session, url, raw):
                with self._world.lock:
                    self._world.updates = [u for u in self._world.updates if u["update_id"] != raw["update_id"]]
                self._changed()
                return
            self._changed()
            await asyncio.sleep(pause)
            pause = min(2 * pause, _LONGEST_PAUSE)

    async def _post(self, session: aiohttp.ClientSession, url: str, raw: dict[str, Any]) -> bool:
        if not url.startswith(_HERE):
            self._webhook.error = int(time.time()), "Failed to resolve host"
            return False
        headers = {} if self._webhook.secret is None else {HEADER: self._webhook.secret}
        try:
            async with session.post(url, json=raw, headers=headers, allow_redirects=False) as answer:
                told = Delivery(raw["update_id"], answer.status, answer.headers.get("Retry-After"))
                reason = f"Wrong response from the webhook: {answer.status} {answer.reason}"
        except (aiohttp.ClientError, OSError, TimeoutError):
            told, reason = Delivery(raw["update_id"], 0), "Connection refused"
        self._webhook.posted.append(told)
        if 200 <= told.status < 300:
            return True
        self._webhook.error = int(time.time()), reason
        return False

    def _free(self, chat: object) -> None:
        self._busy.pop(chat, None)
        self.pulse.set()


def _queue(raw: dict[str, Any]) -> object:
    """What is posted one after the other: the messages of a chat, the presses of a person."""
    message = raw.get("message") or raw.get("edited_message")
    if isinstance(message, dict) and isinstance(message.get("chat"), dict):
        return "chat", message["chat"].get("id")
    if isinstance(raw.get("callback_query"), dict):
        return "person", raw["callback_query"]["from"]["id"]
    return "update", raw["update_id"]
