"""The messages to the bot that this process has seen: what an edit or a deletion of one of them is about."""

from collections import OrderedDict
from collections.abc import Mapping
from typing import Any

_REMEMBERED = 5000
_FACTS = ("channel", "parent", "guild", "direct", "user")


class Heard:
    """In memory, the newest 5,000. Discord tells of a deletion neither whose message it was nor what it said."""

    def __init__(self) -> None:
        self._known: OrderedDict[str, tuple[dict[str, Any], int]] = OrderedDict()

    def remember(self, payload: Mapping[str, Any]) -> None:
        """A message, new or changed, is stored."""
        self._known[payload["id"]] = {key: payload[key] for key in _FACTS}, hash(payload["content"])
        self._known.move_to_end(payload["id"])
        while len(self._known) > _REMEMBERED:
            self._known.popitem(last=False)

    def facts(self, message: int) -> dict[str, Any] | None:
        """Who wrote it and where, as a payload says it; None if it is not known."""
        found = self._known.get(str(message))
        return None if found is None else found[0]

    def says(self, message: int, content: str) -> bool:
        """Whether it is known and says exactly this already."""
        found = self._known.get(str(message))
        return found is not None and found[1] == hash(content)
