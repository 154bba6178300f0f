"""Writing into one chat: send, edit, draft, delete, and what Telegram's refusals mean for it.

A chat that cannot be written to (blocked, kicked, gone, closed topic) is said once in the log; after that the writer does
nothing more, so that whoever feeds it need not ask. A message whose look is refused is shown without its formatting or its
keyboard: the words matter, and a choice can be typed. One that is refused all the same is left out, the others go on.
"""

import logging
from collections.abc import Awaitable, Callable
from typing import TypeVar

from telegram import Bot, InlineKeyboardMarkup, LinkPreviewOptions, MessageEntity, ReplyParameters
from telegram.constants import ChatAction
from telegram.error import BadRequest, ChatMigrated, Forbidden, InvalidToken, TelegramError

from adapters.telegram.patience import insist
from adapters.telegram.places import Address
from adapters.telegram.screens import Screen
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


class NoDrafts(Exception):
    """Telegram does not take drafts: in this chat, or nowhere at all (`everywhere`)."""

    def __init__(self, reason: str, *, everywhere: bool) -> None:
        super().__init__(reason)
        self.everywhere = everywhere


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

    async def send(self, screen: Screen, *, reply_to: int | None, patient: bool) -> int | None:
        """Send a message, as a reply to another one if there is one, and give its id; None if it is refused."""

        async def call(shown: Screen) -> int:
            message = await self._bot.send_message(
                self._chat,
                shown.piece.text,
                entities=_entities(shown.piece),
                reply_markup=shown.keys,
                message_thread_id=self._to.thread,
                link_preview_options=_NO_PREVIEW,
                reply_parameters=_reply_parameters(reply_to),
            )
            return message.message_id

        try:
            return await self._in_chat(lambda: self._reduced(screen, call), patient=patient, repeatable=False)
        except Unconfirmed as error:
            if not patient:
                raise
            _log.warning("Telegram did not confirm a message to chat %s; it is not sent twice.", self._chat)
            raise Lost from error

    async def edit(self, message: int, screen: Screen, *, patient: bool) -> bool:
        """Make a message of ours show this. False if it is not there to be edited any more; already showing it is fine."""

        async def call(shown: Screen) -> bool:
            try:
                await self._bot.edit_message_text(
                    shown.piece.text,
                    self._chat,
                    message,
                    entities=_entities(shown.piece),
                    reply_markup=shown.keys if isinstance(shown.keys, InlineKeyboardMarkup) else None,
                    link_preview_options=_NO_PREVIEW,
                )
            except BadRequest as error:
                if _says(error, _UNCHANGED):
                    return True
                if _says(error, *_MESSAGE_GONE):
                    return False
                raise
            return True

        done = await self._in_chat(lambda: self._reduced(screen, call), patient=patient, repeatable=True)
        return True if done is None else done

    async def draft(self, number: int, piece: Piece) -> None:
        """Show what is being written, in a private chat, until a message takes its place or half a minute has gone by.

        One try. Raises Flooded, Unreachable or Unconfirmed, and NoDrafts if Telegram refuses it for any other reason.
        """
        if self.out_of_reach:
            return
        try:
            await self._draft(number, piece)
        except (Flooded, Unreachable, Unconfirmed):
            raise
        except Forbidden as error:
            self._give_up(error)
        except InvalidToken as error:
            # An older server does not know the method; the library takes its 404 for a bad token.
            if not _says(error, "not found"):
                raise
            raise NoDrafts(error.message, everywhere=True) from error
        except TelegramError as error:
            raise NoDrafts(error.message, everywhere=False) from error

    async def _draft(self, number: int, piece: Piece) -> None:
        """Make the call, without formatting if that is what is refused."""
        thread = self._to.thread
        try:
            await self._bot.send_message_draft(
                self._chat, number, piece.text, message_thread_id=thread, entities=_entities(piece)
            )
        except BadRequest as error:
            if not (piece.entities and _says(error, *_FORMAT_REFUSED)):
                raise
            await self._bot.send_message_draft(self._chat, number, piece.text, message_thread_id=thread)

    async def withdraw(self, message: int) -> None:
        """Remove a message of the person's. Telegram lets a bot do that in private, in groups with the right to: else logged."""
        if self.out_of_reach:
            return
        try:
            await insist(lambda: self._bot.delete_message(self._chat, message), self._clock, repeatable=True)
        except InvalidToken:
            raise
        except TelegramError as error:
            if _says(error, "not found"):
                return  # it is gone already
            _log.warning("A message in chat %s that should go could not be removed: %s", self._chat, error.message)

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

    async def _reduced(self, screen: Screen, call: Callable[[Screen], Awaitable[T]]) -> T:
        """Make a call; what is refused because of its look is tried again with less of it, down to the bare words."""
        while True:
            try:
                return await call(screen)
            except BadRequest as error:
                if screen.piece.entities and _says(error, *_FORMAT_REFUSED):
                    lost, screen = "formatting", screen.unformatted
                elif screen.keys is not None and not _says(error, *_CHAT_CLOSED):
                    lost, screen = "buttons", screen.without_keys
                else:
                    raise
                _log.warning("Telegram refused an answer with its %s; it is shown without: %s", lost, error.message)


def _reply_parameters(message: int | None) -> ReplyParameters | None:
    return None if message is None else ReplyParameters(message, allow_sending_without_reply=True)


def _entities(piece: Piece) -> list[MessageEntity]:
    return [MessageEntity(e.type, e.offset, e.length, url=e.url, language=e.language) for e in piece.entities]


def _says(error: TelegramError, *phrases: str) -> bool:
    text = error.message.lower()
    return any(phrase in text for phrase in phrases)
