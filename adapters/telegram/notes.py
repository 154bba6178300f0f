"""What was sent so far, as it is kept in the inbox: after a restart the same answer edits these messages instead of new ones.

Replies are counted by kind, since a turn that runs again may announce other things on its way: the first TEXT is the first
TEXT again. JSON: {"slots": {"text:0": {"messages": [17, 18], "whole": false}}}.
"""

import logging
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from core.errors import StorageError
from core.messages import ReplyKind

_log = logging.getLogger(__name__)
Save = Callable[[Mapping[str, Any]], Awaitable[None]]


@dataclass(slots=True)
class Slot:
    """The messages that show one reply. `whole` when they show all of it in its final form."""

    messages: list[int] = field(default_factory=list)
    whole: bool = False


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

    def next_slot(self, kind: ReplyKind) -> Slot:
        """The slot of the next reply of its kind: as noted earlier, or empty."""
        name = "text" if kind is ReplyKind.TEXT else "other"
        number = self._counted.get(name, 0)
        self._counted[name] = number + 1
        return self._slots.setdefault(f"{name}:{number}", Slot())

    async def keep(self) -> None:
        """Store all slots; durable on return. A failure to store them is logged, once an answer."""
        used = {name: {"messages": slot.messages, "whole": slot.whole} for name, slot in self._slots.items()}
        try:
            await self._save({"slots": used})
        except StorageError as error:
            if not self._complained:
                _log.error("What was sent of an answer cannot be noted; a restart may send it again: %s", error)
            self._complained = True


def _read(stored: Mapping[str, Any]) -> dict[str, Slot]:
    """Stored notes, as far as they can be read; whatever else lies there is left alone."""
    slots = stored.get("slots")
    if not isinstance(slots, Mapping):
        return {}
    return {
        str(name): Slot(
            [number for number in raw.get("messages", []) if isinstance(number, int)], raw.get("whole") is True
        )
        for name, raw in slots.items()
        if isinstance(raw, Mapping) and isinstance(raw.get("messages", []), list)
    }
