"""The last message seen in each chat, kept in the inbox's mark, so that a restart knows what to ask for."""

import json
import logging
from datetime import datetime, timedelta

from core.errors import BotError
from core.ports import Inbox

log = logging.getLogger(__name__)

_CHATS = 200
_SAVE_EVERY = timedelta(seconds=5)


class Marks:
    """Chat id to the newest message id that is committed. It may lag behind: what is asked for twice is stored once.

    Kept for the 200 chats with the newest messages. A chat that is new to it is stored at once.
    """

    def __init__(self, inbox: Inbox, platform: str, account: str) -> None:
        self._inbox = inbox
        self._of = (platform, account)
        self._last: dict[int, int] = {}
        self._saved_at: datetime | None = None
        self._changed = False

    async def load(self) -> None:
        """Read the stored mark; an unreadable one counts as none."""
        try:
            stored = json.loads(await self._inbox.get_mark(*self._of) or "{}")
            self._last = {int(chat): int(message) for chat, message in stored.items()}
        except (ValueError, TypeError, AttributeError):
            self._last = {}

    def newest_first(self) -> dict[int, int]:
        """A copy."""
        return dict(sorted(self._last.items(), key=lambda entry: entry[1], reverse=True))

    async def seen(self, chat: int, message: int, now: datetime) -> None:
        """A message of the chat has been committed."""
        new = chat not in self._last
        if message <= self._last.get(chat, 0):
            return
        self._last[chat] = message
        self._changed = True
        if len(self._last) > _CHATS:
            del self._last[min(self._last, key=self._last.__getitem__)]
        # A clock that was set back does not put it off.
        if new or self._saved_at is None or abs(now - self._saved_at) >= _SAVE_EVERY:
            self._saved_at = now
            await self.save()

    async def save(self) -> None:
        """Store it, if it has changed. A store that fails is told and tried again later: an old mark does no harm."""
        if not self._changed:
            return
        self._changed = False
        mark = json.dumps({str(chat): str(last) for chat, last in self._last.items()})
        try:
            await self._inbox.set_mark(*self._of, mark)
        except BotError as error:
            self._changed = True
            log.warning("The position on Discord could not be stored: %s.", error.code)
