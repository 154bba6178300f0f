"""What was sent of an answer, as the inbox keeps it: the refs of messages, by the reply that they show."""

import hashlib
import logging
from collections import Counter
from collections.abc import Iterable, Sequence

from core.errors import StorageError
from core.messages import Reply, ReplyKind
from core.ports import Inbox, InboxItem

log = logging.getLogger(__name__)

_TEXT = "text-"
_VIEWS = (ReplyKind.PICKER, ReplyKind.STATUS)


class Notes:
    """A delivery that goes on after a restart may have other replies than the one before: a notice is said once, a provider
    answers differently. So a message is kept by what it is: the n-th text of a model, the view that was asked for, or else the
    very words. `refs` of an unknown slot are empty.

    Notes of an older form counted all replies; the n-th reply takes what was noted as the n-th.

    They are an aid: one that cannot be stored is told once and stops nothing.
    """

    def __init__(self, item: InboxItem, inbox: Inbox) -> None:
        self._item = item.id
        self._inbox = inbox
        stored = {slot: list(refs) for slot, refs in item.delivery.get("replies", {}).items()}
        self._refs: dict[str, list[str]] = {slot: refs for slot, refs in stored.items() if not slot[0].isdigit()}
        self._older = {slot: refs for slot, refs in stored.items() if slot[0].isdigit()}
        if item.delivery.get("stream"):
            self._refs.setdefault(text_slot(0), list(item.delivery["stream"]))
        self._used: set[str] = set()
        self._said = Counter[str]()
        self._unnoted = False

    def all(self) -> Iterable[list[str]]:
        """What an earlier delivery has sent, reply by reply."""
        return [*self._refs.values(), *self._older.values()]

    def slot(self, reply: Reply, parts: Sequence[str]) -> str:
        """The name of a reply that is not a model's text, to be asked for once."""
        words = "" if reply.kind in _VIEWS else "\0".join(parts)
        name = f"{reply.kind.value}-{hashlib.blake2b(words.encode(), digest_size=8).hexdigest()}"
        self._said[name] += 1
        return f"{name}-{self._said[name]}"

    def refs(self, slot: str, older: str) -> list[str]:
        """The messages that show it, to be changed in place; `older` is its name in notes of the older form."""
        self._used.add(slot)
        return self._refs.setdefault(slot, self._older.pop(older, []))

    def take_unfinished(self) -> list[str]:
        """The messages of texts that an earlier delivery began and this one did not come to: they are no part of the answer."""
        left = [slot for slot in self._refs if slot.startswith(_TEXT) and slot not in self._used]
        return [ref for slot in left for ref in self._refs.pop(slot)]

    async def store(self) -> None:
        try:
            await self._inbox.note_delivery(self._item, {"replies": self._refs | self._older})
        except StorageError as error:
            if not self._unnoted:
                log.error("What is sent to Discord cannot be noted; it goes on without: %s", error)
            self._unnoted = True


def text_slot(number: int) -> str:
    """The name of a model's text, also while it grows. Texts of one answer are counted."""
    return f"{_TEXT}{number}"
