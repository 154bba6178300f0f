"""Drafts: a private chat sees an answer while it is being written without a message being there yet.

A draft is gone after half a minute and never becomes a message: the answer is sent when it is whole, so nothing of a draft has to
be remembered, and a process that is killed meanwhile leaves nothing behind.
"""

import logging

from adapters.telegram.render import growing
from adapters.telegram.writer import NoDrafts, Writer

_log = logging.getLogger(__name__)
_NUMBERS = 2**31 - 1
_PER_ITEM = 16


class DraftRefusals:
    """Where Telegram does not take drafts, as far as this process has learned."""

    def __init__(self) -> None:
        self._everywhere = False
        self._chats: set[int] = set()

    def allow(self, chat: int) -> bool:
        """Whether a draft is worth a try."""
        return not self._everywhere and chat not in self._chats

    def note(self, chat: int, refusal: NoDrafts) -> None:
        """Remember a refusal, and log it."""
        self._everywhere = self._everywhere or refusal.everywhere
        self._chats.add(chat)
        where = "anywhere" if refusal.everywhere else f"in chat {chat}"
        _log.info("Telegram takes no drafts %s (%s); answers grow by edits instead.", where, refusal)


class Draft:
    """One answer on its way, as a draft of one number."""

    def __init__(self, writer: Writer, refusals: DraftRefusals, chat: int, number: int) -> None:
        self._writer = writer
        self._refusals = refusals
        self._chat = chat
        self._number = number

    async def show(self, text: str) -> None:
        """Show the end of the text. Raises Flooded, Unreachable or Unconfirmed, and NoDrafts, which is remembered."""
        piece = growing(text)
        if piece is None:
            return
        try:
            await self._writer.draft(self._number, piece)
        except NoDrafts as refusal:
            self._refusals.note(self._chat, refusal)
            raise


def draft_number(item: int, answer: int) -> int:
    """The number of the n-th answer (from 0) to a stored update: never 0, and the same after a restart, so that it goes on."""
    return (item * _PER_ITEM + answer % _PER_ITEM) % _NUMBERS + 1
