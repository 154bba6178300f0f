"""An inbox in memory."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from core.errors import StorageError
from core.ports import Backlog, InboxItem, InboxState, Update


class FakeInbox:
    """`core.ports.Inbox`. Look at `items` (by number, in the order of arrival), `marks`, and what was `stored`, as it came."""

    def __init__(self) -> None:
        self.items: dict[int, InboxItem] = {}
        self.marks: dict[tuple[str, str], str] = {}
        self.stored: list[Update] = []

    async def receive(self, updates: Sequence[Update], now: datetime) -> tuple[InboxItem, ...]:
        known = {_name(item.update) for item in self.items.values()}
        stored: dict[int, InboxItem] = {}
        for update in updates:
            if _name(update) in known:
                continue
            known.add(_name(update))
            update = replace(update, payload=_through_json(update.payload))
            number = len(self.items) + len(stored) + 1
            stored[number] = InboxItem(id=number, update=update, state=InboxState.NEW, received_at=now)
        self.items |= stored
        self.stored += [item.update for item in stored.values()]
        return tuple(stored.values())

    def knows(self, update: Update) -> bool:
        """Whether an update of this key was stored, whatever became of it."""
        return any(_name(item.update) == _name(update) for item in self.items.values())

    async def unfinished(self, platform: str, account: str) -> tuple[InboxItem, ...]:
        mine = (
            item for item in self.items.values() if (item.update.platform, item.update.account) == (platform, account)
        )
        return tuple(item for item in mine if item.state is not InboxState.DONE)

    async def backlog(self) -> tuple[Backlog, ...]:
        waiting = [item for item in self.items.values() if item.state is not InboxState.DONE]
        names = sorted({(item.update.platform, item.state) for item in waiting})
        groups = [[i for i in waiting if (i.update.platform, i.state) == name] for name in names]
        return tuple(
            Backlog(*name, len(g), min(i.received_at for i in g)) for name, g in zip(names, groups, strict=True)
        )

    async def note_delivery(self, item: int, delivery: Mapping[str, Any]) -> None:
        self._change(item, delivery=_through_json(delivery))

    async def answered(self, item: int, replies: Sequence[Mapping[str, Any]]) -> None:
        self.mark_answered(item, replies)

    async def done(self, item: int) -> None:
        update = replace(self._find(item).update, payload={})
        self._change(item, update=update, state=InboxState.DONE, replies=(), delivery={})

    async def get_mark(self, platform: str, account: str) -> str | None:
        return self.marks.get((platform, account))

    async def set_mark(self, platform: str, account: str, mark: str) -> None:
        self.marks[platform, account] = mark

    def mark_answered(self, item: int, replies: Sequence[Mapping[str, Any]], goes_on: bool = False) -> None:
        """For the session store, which answers an item together with its own write."""
        stored = self._find(item)
        said = stored.replies if stored.state is InboxState.NEW else ()
        answers = (*said, *(_through_json(reply) for reply in replies))
        self._change(item, state=InboxState.NEW if goes_on else InboxState.ANSWERED, replies=answers)

    def _change(self, item: int, **values: Any) -> None:
        stored = self._find(item)
        if stored.state is not InboxState.DONE:
            self.items[item] = replace(stored, **values)

    def _find(self, item: int) -> InboxItem:
        if item not in self.items:
            raise StorageError("storage", f"The inbox has no item {item}.", "Run `remoteclaw doctor`.")
        return self.items[item]


def _name(update: Update) -> tuple[str, str, str]:
    return update.platform, update.account, update.key


def _through_json(value: Mapping[str, Any]) -> Any:
    """What comes back is what JSON keeps, as from the real one; what is not JSON fails here too."""
    return json.loads(json.dumps(dict(value)))
