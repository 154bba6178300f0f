"""What was sent so far, as it is kept in the inbox: after a restart the same answer edits these messages instead of new ones.

Replies are counted by kind, since a turn that runs again may announce other things on its way: the first TEXT is the first
TEXT again. JSON: {"slots": {"text:0": {"messages": [17, 18], "whole": false}}}.
"""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from core.messages import ReplyKind

Save = Callable[[Mapping[str, Any]], Awaitable[None]]


@dataclass(slots=True)
class Slot:
    """The messages that show one reply. `whole` when they show all of it in its final form."""

    messages: list[int] = field(default_factory=list)
    whole: bool = False


class Notes:
    """The slots of one answer, handed to `save` whenever one changed."""

    def __init__(self, stored: Mapping[str, Any], save: Save) -> None:
        self._save = save
        self._slots = _read(stored)
        self._counted: dict[str, int] = {}

    def next_slot(self, kind: ReplyKind) -> Slot:
        """The slot of the next reply of its kind: as noted earlier, or empty."""
        name = "text" if kind is ReplyKind.TEXT else "other"
        number = self._counted.get(name, 0)
        self._counted[name] = number + 1
        return self._slots.setdefault(f"{name}:{number}", Slot())

    async def keep(self) -> None:
        """Store all slots; durable on return."""
        used = {name: {"messages": slot.messages, "whole": slot.whole} for name, slot in self._slots.items()}
        await self._save({"slots": used})


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
