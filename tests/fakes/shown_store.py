"""Shown choices in memory."""

from datetime import timedelta

from core.sessions.key import SessionKey
from core.sessions.ports import Shown, Use


class FakeShownStore:
    """`core.sessions.ports.ShownStore`. Look at `shown` (oldest first) and `used` (token -> inbox item)."""

    def __init__(self) -> None:
        self.shown: list[Shown] = []
        self.used: dict[str, int | None] = {}

    async def show(self, shown: Shown) -> None:
        oldest = shown.at - timedelta(days=1)
        self.shown = [one for one in self.shown if one.at >= oldest and one.token != shown.token]
        self.shown.append(shown)
        self.used = {token: item for token, item in self.used.items() if token in {o.token for o in self.shown[:-1]}}

    async def last_shown(self, session: SessionKey, sender: str) -> Shown | None:
        return next((one for one in reversed(self.shown) if (one.session, one.sender) == (session, sender)), None)

    async def find_shown(self, token: str) -> Shown | None:
        return next((one for one in self.shown if one.token == token), None)

    async def use_shown(self, token: str, item: int | None) -> Use:
        if token in self.used:
            return Use.AGAIN if item is not None and self.used[token] == item else Use.TAKEN
        if await self.find_shown(token) is None:
            return Use.TAKEN
        self.used[token] = item
        return Use.FIRST
