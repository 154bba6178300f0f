"""The menu beside Telegram's text field: the same commands for everybody, set only where they differ."""

import asyncio
import logging
from collections.abc import Sequence

from telegram import (
    Bot,
    BotCommand,
    BotCommandScope,
    BotCommandScopeAllGroupChats,
    BotCommandScopeAllPrivateChats,
    BotCommandScopeDefault,
)
from telegram.error import BadRequest, Forbidden, InvalidToken

from adapters.telegram.transport import Flooded

_log = logging.getLogger(__name__)
_SUMMARY_LIMIT = 256
_REFUSALS = (BadRequest, Forbidden, InvalidToken, Flooded)
"""InvalidToken too: it is what the library makes of a method that a server does not have. A bad token is told elsewhere."""


async def set_menu(bot: Bot, commands: Sequence[tuple[str, str]]) -> None:
    """Bring the menus of private chats, of groups and of all others in step. What is refused is logged: commands work all the
    same. Raises Unreachable or Unconfirmed."""
    wanted = tuple(BotCommand(name, summary[:_SUMMARY_LIMIT]) for name, summary in commands)
    scopes = (BotCommandScopeDefault(), BotCommandScopeAllPrivateChats(), BotCommandScopeAllGroupChats())
    await asyncio.gather(*(_set(bot, scope, wanted) for scope in scopes))


async def _set(bot: Bot, scope: BotCommandScope, wanted: tuple[BotCommand, ...]) -> None:
    try:
        if await _present(bot, scope) != wanted:
            await bot.set_my_commands(wanted, scope=scope)
    except _REFUSALS as error:
        _log.warning(
            "Telegram refused the command menu (%s); commands work all the same: %s", scope.type, error.message
        )


async def _present(bot: Bot, scope: BotCommandScope) -> tuple[BotCommand, ...] | None:
    """The menu that is set; None where the server does not tell."""
    try:
        return await bot.get_my_commands(scope=scope)
    except (BadRequest, InvalidToken):
        return None
