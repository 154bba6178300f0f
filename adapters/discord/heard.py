"""The messages to the bot that this process has heard: what an edit or a deletion of one of them is about."""

from collections import OrderedDict
from collections.abc import Mapping
from typing import Any

_REMEMBERED = 5000
_FACTS = ("channel", "parent", "guild", "direct", "user")


class Heard:
    """In memory, the newest 5,000. Discord tells of a deletion neither whose message it was nor what it said."""

    def __init__(self) -> None:
        self._known: OrderedDict[str, tuple[dict[str, Any], int]] = OrderedDict()
        self._first: int | None = None
        self._newest_forgotten = 0

    def begin(self, event: int) -> None:
        """Somebody wrote or pressed something, to whomever. After the first of them, what is not remembered was not to the bot."""
        if self._first is None:
            self._first = event

    def remember(self, payload: Mapping[str, Any]) -> None:
        """A message, new or changed, is stored."""
        self._known[payload["id"]] = {key: payload[key] for key in _FACTS}, hash(payload["content"])
        self._known.move_to_end(payload["id"])
        while len(self._known) > _REMEMBERED:
            forgotten, _ = self._known.popitem(last=False)
            self._newest_forgotten = max(self._newest_forgotten, int(forgotten))

    def may_have_missed(self, message: int) -> bool:
        """Whether it may be to the bot though it is not remembered: from before this process listened, or forgotten."""
        return self._first is None or message < self._first or message <= self._newest_forgotten

    def facts(self, message: int) -> dict[str, Any] | None:
        """Who wrote it and where, as a payload says it; None if it is not known."""
        found = self._known.get(str(message))
        return None if found is None else found[0]

    def says(self, message: int, content: str) -> bool:
        """Whether it is known and says exactly this already."""
        found = self._known.get(str(message))
        return found is not None and found[1] == hash(content)
