"""Shown choices in memory."""

from datetime import timedelta

from core.sessions.key import SessionKey
from core.sessions.ports import Shown


class FakeShownStore:
    """`core.sessions.ports.ShownStore`. Look at `shown` (oldest first) and `used` (tokens)."""

    def __init__(self) -> None:
        self.shown: list[Shown] = []
        self.used: set[str] = set()

    async def show(self, shown: Shown) -> None:
        oldest = shown.at - timedelta(days=1)
        self.shown = [one for one in self.shown if one.at >= oldest and one.token != shown.token]
        self.shown.append(shown)
        self.used &= {one.token for one in self.shown[:-1]}

    async def last_shown(self, session: SessionKey, sender: str) -> Shown | None:
        return next((one for one in reversed(self.shown) if (one.session, one.sender) == (session, sender)), None)

    async def find_shown(self, token: str) -> Shown | None:
        return next((one for one in self.shown if one.token == token), None)

    async def use_shown(self, token: str) -> bool:
        if token in self.used or await self.find_shown(token) is None:
            return False
        self.used.add(token)
        return True
