"""The first words with Telegram: who the bot is, and what its menu shows."""

from collections.abc import Mapping, Sequence
from typing import Any

from telegram import Bot

from adapters.telegram.menu import set_menu


class Greeting:
    """The menu is set once for each bot."""

    def __init__(self, bot: Bot, commands: Sequence[tuple[str, str]]) -> None:
        self._bot = bot
        self._commands = commands
        self._menu: Sequence[tuple[str, str]] | None = commands

    def begin_anew(self) -> None:
        """It is another bot from now on, which may have no menu yet."""
        self._menu = self._commands

    async def exchange(self) -> Mapping[str, Any]:
        """Who the bot is, as updates are to carry it. Raises TelegramError."""
        me = await self._bot.get_me()
        if self._menu is not None:
            await set_menu(self._bot, self._menu)
            self._menu = None
        return {"id": me.id, "username": me.username}
