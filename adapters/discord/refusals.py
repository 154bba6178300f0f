"""Chats that take no answer: the bot was removed, may not write there, or somebody takes no private messages. Told once each."""

import logging
from collections import OrderedDict

log = logging.getLogger(__name__)

_REMEMBERED = 1000


class Refusals:
    """Which chats have refused the last answer."""

    def __init__(self) -> None:
        self._refusing: OrderedDict[str, None] = OrderedDict()

    def refused(self, chat: str, reason: str) -> None:
        """An answer is dropped. Logged as a warning when it begins, not again until an answer was taken there."""
        level = logging.DEBUG if chat in self._refusing else logging.WARNING
        log.log(level, "Discord does not show an answer in %s: %s. It is dropped, and so are later ones.", chat, reason)
        self._refusing[chat] = None
        while len(self._refusing) > _REMEMBERED:
            self._refusing.popitem(last=False)

    def taken(self, chat: str) -> None:
        """An answer is shown."""
        self._refusing.pop(chat, None)
