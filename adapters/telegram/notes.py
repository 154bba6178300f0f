"""What was sent so far, as it is kept in the inbox: after a restart the same answer edits these messages instead of new ones.

A turn that runs again may announce other things on its way. So texts are counted, since what is there of one is to become what
the turn says now; every other reply is found by its digest, and one that was not shown before gets messages of its own. JSON:
{"slots": {"text:0": {"messages": [17, 18], "shown": "<digest>"}, "<digest>:0": {...}}}.
"""

import logging
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from core.errors import StorageError

_log = logging.getLogger(__name__)
Save = Callable[[Mapping[str, Any]], Awaitable[None]]


@dataclass(slots=True)
class Slot:
    """The messages that show one reply. `shown` is the digest of what they show in its final form, empty before."""

    messages: list[int] = field(default_factory=list)
    shown: str = ""


class Notes:
    """The slots of one answer, handed to `save` whenever one changed.

    They are an aid, not a condition: while they cannot be stored the answer is shown all the same, since it is paid for. A
    restart may then show a part of it twice, which is less of a loss than half an answer.
    """

    def __init__(self, stored: Mapping[str, Any], save: Save) -> None:
        self._save = save
        self._slots = _read(stored)
        self._counted: dict[str, int] = {}
        self._complained = False

    def next_text(self) -> Slot:
        """The slot of the next text: as noted earlier, or empty."""
        return self._slots.setdefault(self._next("text"), Slot())

    def slot_of(self, digest: str) -> Slot:
        """The slot of a reply that shows this: as noted earlier, or empty.

        Older notes counted these replies ("other:0") and do not say what was shown: such a slot goes to the reply of its number.
        """
        name, older = self._next(digest), self._next("other")
        if name not in self._slots:
            self._slots[name] = self._slots.pop(older, Slot())
        return self._slots[name]

    async def keep(self) -> None:
        """Store all slots; durable on return. A failure to store them is logged, once an answer."""
        used = {name: asdict(slot) for name, slot in self._slots.items()}
        try:
            await self._save({"slots": used})
        except StorageError as error:
            if not self._complained:
                _log.error("What was sent of an answer cannot be noted; a restart may send it again: %s", error)
            self._complained = True

    def _next(self, kind: str) -> str:
        number = self._counted.get(kind, 0)
        self._counted[kind] = number + 1
        return f"{kind}:{number}"


def _read(stored: Mapping[str, Any]) -> dict[str, Slot]:
    """Stored notes, as far as they can be read; whatever else lies there is left alone."""
    slots = stored.get("slots")
    if not isinstance(slots, Mapping):
        return {}
    return {
        str(name): Slot(
            [number for number in raw.get("messages", []) if isinstance(number, int)], str(raw.get("shown", ""))
        )
        for name, raw in slots.items()
        if isinstance(raw, Mapping) and isinstance(raw.get("messages", []), list)
    }
