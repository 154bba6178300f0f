"""Shown choices in memory."""

from dataclasses import replace
from datetime import timedelta

from core.chat.names import is_source
from core.sessions.key import SessionKey
from core.sessions.ports import Shown, Use


class FakeShownStore:
    """`core.sessions.ports.ShownStore`. Look at `shown` (oldest first) and `used` (token -> inbox item)."""

    def __init__(self, used: dict[str, int | None] | None = None) -> None:
        self.shown: list[Shown] = []
        self.used = {} if used is None else used

    async def show(self, shown: Shown) -> None:
        oldest = shown.at - timedelta(days=1)
        self.shown = [one for one in self.shown if one.at >= oldest and one.token != shown.token]
        self.shown.append(shown)
        for token in self.used.keys() - {one.token for one in self.shown[:-1]}:
            del self.used[token]

    async def last_shown(self, session: SessionKey, sender: str) -> Shown | None:
        own = (one for one in reversed(self.shown) if (one.session, one.sender) == (session, sender))
        return next((one for one in own if one.commands), None)

    async def find_shown(self, token: str) -> Shown | None:
        found = next((one for one in self.shown if one.token == token), None)
        return found and replace(found, used=token in self.used)

    async def keeps(self, session: SessionKey, source: str) -> bool:
        return any(_keeps(one, session, source) and one.token not in self.used for one in self.shown)

    async def find_source(self, key: SessionKey, platform: str, message: str) -> str:
        sources = (one.message.source for one in self.shown if one.session == key and one.message is not None)
        return next((source for source in sources if is_source(source, platform, message)), "")

    async def amend_kept(self, session: SessionKey, source: str, text: str) -> None:
        self.shown = [
            replace(one, message=replace(one.message, text=text))
            if one.message is not None and _keeps(one, session, source) and one.token not in self.used
            else one
            for one in self.shown
        ]

    async def drop_kept(self, session: SessionKey, source: str) -> None:
        self.shown = [one for one in self.shown if not _keeps(one, session, source)]

    async def use_shown(self, token: str, item: int | None) -> Use:
        if token in self.used:
            return Use.AGAIN if item is not None and self.used[token] == item else Use.TAKEN
        if await self.find_shown(token) is None:
            return Use.TAKEN
        self.used[token] = item
        return Use.FIRST


def _keeps(one: Shown, session: SessionKey, source: str) -> bool:
    return one.session == session and one.message is not None and source != "" and one.message.source == source
