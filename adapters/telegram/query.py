"""The answer to a press: Telegram shows a waiting sign on the button until the callback query is answered, once."""

import asyncio
import logging

from telegram import Bot
from telegram.error import TelegramError

from adapters.telegram.card import card
from adapters.telegram.patience import insist
from core.clock import Clock
from core.messages import Reply

_log = logging.getLogger(__name__)
GRACE = 1.0
"""Seconds until a press is answered without a word if nothing was decided: what comes later can be a message."""
GRACE_AMONG_OTHERS = 10.0
"""The same where others read along and only an alert is for one person. Telegram takes an answer for longer than that."""
ALERT_LIMIT = 200


def alert_text(reply: Reply) -> str:
    """What an alert can show of a reply: no choices, since an alert has no buttons, and no more than Telegram takes."""
    if reply.blocks:
        told = [piece.text for piece in card(reply.blocks)]
    else:
        numbers = {f"{button.n}." for button in reply.buttons}
        told = [line for line in reply.text.splitlines() if line.strip().partition(" ")[0] not in numbers]
    text = "\n".join(told).strip()
    return text if len(text) <= ALERT_LIMIT else f"{text[: ALERT_LIMIT - 1]}…"


class QueryAnswer:
    """Answers a callback query exactly once: with an alert if one is ready within the grace, else with nothing."""

    def __init__(self, bot: Bot, query: str | None, clock: Clock, grace: float) -> None:
        self._bot = bot
        self._query = query
        self._clock = clock
        self._grace = grace
        self._open = query is not None
        self._task: asyncio.Task[None] | None = None
        if self._open:
            self._task = asyncio.create_task(self._after_grace(), name="telegram: callback query")

    def dismiss(self) -> None:
        """Take the waiting sign away without a word. Returns at once; harmless if the query was answered already."""
        if self._open:
            self._open = False
            self._stop_waiting()
            self._task = asyncio.create_task(self._answer_once(), name="telegram: callback query")

    async def alert(self, text: str) -> bool:
        """Show a text to the person who pressed, and to nobody else. False if it cannot be shown that way (any more)."""
        if not self._open or not text.strip() or len(text) > ALERT_LIMIT:
            return False
        self._open = False
        self._stop_waiting()
        try:
            await insist(
                lambda: self._bot.answer_callback_query(self._query or "", text=text, show_alert=True),
                self._clock,
                repeatable=True,
            )
        except TelegramError as error:
            _log.info("A press could not be answered with an alert: %s", error.message)
            return False
        return True

    async def close(self) -> None:
        """See to it that the query is answered; returns when Telegram has it."""
        self.dismiss()
        if self._task is not None:
            await asyncio.gather(self._task, return_exceptions=True)

    async def abandon(self) -> None:
        """Stop now, answered or not."""
        self._open = False
        self._stop_waiting()

    def _stop_waiting(self) -> None:
        if self._task is not None:
            self._task.cancel()

    async def _after_grace(self) -> None:
        await self._clock.sleep(self._grace)
        self._open = False
        await self._answer_once()

    async def _answer_once(self) -> None:
        """One try: a query that is too old, or answered before a restart, needs no more."""
        try:
            await self._bot.answer_callback_query(self._query or "")
        except TelegramError as error:
            _log.info("A press could not be answered: %s", error.message)
