"""Writing into one chat: send, edit, delete, and what Telegram's refusals mean for it.

A chat that cannot be written to (blocked, kicked, gone, closed topic) is said once in the log; after that the writer does
nothing more, so that whoever feeds it need not ask. A message whose look is refused is shown without its formatting or its
keyboard: the words matter, and a choice can be typed. One that is refused all the same is left out, the others go on.
"""

import logging
from collections.abc import Awaitable, Callable
from typing import TypeVar

from telegram import Bot, InlineKeyboardMarkup, LinkPreviewOptions, MessageEntity, ReplyParameters
from telegram.constants import ChatAction
from telegram.error import BadRequest, ChatMigrated, InvalidToken, TelegramError

from adapters.telegram.inbound import Address
from adapters.telegram.patience import insist
from adapters.telegram.splitting import Piece
from adapters.telegram.transport import Flooded, Unconfirmed, Unreachable
from core.clock import Clock

T = TypeVar("T")
_log = logging.getLogger(__name__)
_NO_PREVIEW = LinkPreviewOptions(is_disabled=True)
_UNCHANGED = "message is not modified"
_MESSAGE_GONE = ("message to edit not found", "message can't be edited", "message_id_invalid", "no text in the message")
_FORMAT_REFUSED = ("entit",)
_CHAT_CLOSED = (
    *("chat not found", "chat_", "channel_", "rights", "thread not found", "topic_", "peer_id_invalid"),
    *("user_is_blocked", "user_banned", "deactivated", "user not found", "kicked"),
)


class Lost(Exception):
    """A message went out and Telegram never said whether it took it. It may be there; it is not sent again."""


class Writer:
    """Writes into the chat of one address. `patient` calls wait for Telegram; the others are tried once.

    Impatient calls raise Flooded, Unreachable or Unconfirmed. Patient ones raise only Lost, and InvalidToken for a revoked
    token. Both do nothing once the chat is known to be out of reach.
    """

    def __init__(self, bot: Bot, to: Address, clock: Clock) -> None:
        self._bot = bot
        self._to = to
        self._chat = to.chat
        self._clock = clock
        self.out_of_reach = False
        self._complained = False

    async def send(
        self, piece: Piece, keys: InlineKeyboardMarkup | None = None, *, first: bool, patient: bool
    ) -> int | None:
        """Send a message and give its id; None if it is refused. The first one replies to the person's message."""

        async def call(shown: Piece, keys: InlineKeyboardMarkup | None) -> int:
            message = await self._bot.send_message(
                self._chat,
                shown.text,
                entities=_entities(shown),
                reply_markup=keys,
                message_thread_id=self._to.thread,
                link_preview_options=_NO_PREVIEW,
                reply_parameters=self._reply_parameters() if first else None,
            )
            return message.message_id

        try:
            return await self._in_chat(lambda: self._reduced(piece, keys, call), patient=patient, repeatable=False)
        except Unconfirmed as error:
            if not patient:
                raise
            _log.warning("Telegram did not confirm a message to chat %s; it is not sent twice.", self._chat)
            raise Lost from error

    async def edit(
        self, message: int, piece: Piece, keys: InlineKeyboardMarkup | None = None, *, patient: bool
    ) -> bool:
        """Make a message of ours show this. False if it is not there to be edited any more; already showing it is fine."""

        async def call(shown: Piece, keys: InlineKeyboardMarkup | None) -> bool:
            try:
                await self._bot.edit_message_text(
                    shown.text,
                    self._chat,
                    message,
                    entities=_entities(shown),
                    reply_markup=keys,
                    link_preview_options=_NO_PREVIEW,
                )
            except BadRequest as error:
                if _says(error, _UNCHANGED):
                    return True
                if _says(error, *_MESSAGE_GONE):
                    return False
                raise
            return True

        done = await self._in_chat(lambda: self._reduced(piece, keys, call), patient=patient, repeatable=True)
        return True if done is None else done

    async def delete(self, message: int) -> None:
        """Remove a message that the finished answer does not need. One that stays does no harm: tried once."""
        if not self.out_of_reach:
            try:
                await self._bot.delete_message(self._chat, message)
            except TelegramError as error:
                _log.info("A surplus message in chat %s could not be removed: %s", self._chat, error.message)

    async def typing(self) -> None:
        """Show that the bot is typing, for about five seconds. Only a courtesy: a refusal is not followed up."""
        if not self.out_of_reach:
            try:
                await self._bot.send_chat_action(self._chat, ChatAction.TYPING, message_thread_id=self._to.thread)
            except TelegramError as error:
                _log.debug("The typing sign in chat %s was refused: %s", self._chat, error.message)

    async def _in_chat(
        self, call: Callable[[], Awaitable[T]], *, patient: bool, repeatable: bool, moved: bool = False
    ) -> T | None:
        """Make a call; None if it is refused. A group that became a supergroup is followed to its new id, once."""
        if self.out_of_reach:
            return None
        try:
            return await (insist(call, self._clock, repeatable=repeatable) if patient else call())
        except (Flooded, Unreachable, Unconfirmed, InvalidToken):
            raise
        except ChatMigrated as error:
            if not moved:
                self._chat = error.new_chat_id
                return await self._in_chat(call, patient=patient, repeatable=repeatable, moved=True)
            self._give_up(error)
        except BadRequest as error:
            if _says(error, *_CHAT_CLOSED):
                self._give_up(error)
            elif not self._complained:
                self._complained = True
                _log.warning("Telegram refused a message to chat %s; it is left out: %s", self._chat, error.message)
        except TelegramError as error:
            self._give_up(error)
        return None

    def _give_up(self, error: TelegramError) -> None:
        self.out_of_reach = True
        _log.warning("Chat %s cannot be written to, the answer is dropped: %s", self._chat, error.message)

    async def _reduced(
        self,
        piece: Piece,
        keys: InlineKeyboardMarkup | None,
        call: Callable[[Piece, InlineKeyboardMarkup | None], Awaitable[T]],
    ) -> T:
        """Make a call; what is refused because of its look is tried again with less of it, down to the bare words."""
        while True:
            try:
                return await call(piece, keys)
            except BadRequest as error:
                if piece.entities and _says(error, *_FORMAT_REFUSED):
                    lost, piece = "formatting", piece.plain
                elif keys is not None and not _says(error, *_CHAT_CLOSED):
                    lost, keys = "buttons", None
                else:
                    raise
                _log.warning("Telegram refused an answer with its %s; it is shown without: %s", lost, error.message)

    def _reply_parameters(self) -> ReplyParameters | None:
        if self._to.reply_to is None:
            return None
        return ReplyParameters(self._to.reply_to, allow_sending_without_reply=True)


def _entities(piece: Piece) -> list[MessageEntity]:
    return [MessageEntity(e.type, e.offset, e.length, url=e.url, language=e.language) for e in piece.entities]


def _says(error: TelegramError, *phrases: str) -> bool:
    text = error.message.lower()
    return any(phrase in text for phrase in phrases)
