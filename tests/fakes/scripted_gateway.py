"""A Gateway that answers from a script and remembers what it was asked."""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence

from core.errors import Suggestion
from core.messages import Delta, Event, Inbound, Reply, ReplyKind, Working
from core.sessions.key import SessionKey


class ScriptedGateway:
    """Answers a known text with its events, any other with an echo in two pieces. `hang` is answered half, and
    the rest when `release` is set, if ever."""

    def __init__(
        self, answers: Mapping[str, Sequence[Event]] | None = None, suggestions: tuple[Suggestion, ...] = ()
    ) -> None:
        self._answers = answers or {}
        self._suggestions = suggestions
        self.asked: list[Inbound] = []
        self.waiting = asyncio.Event()
        self.release = asyncio.Event()
        self.cancelled = 0

    async def handle(self, inbound: Inbound, item: int | None = None, begun: bool = False) -> AsyncIterator[Event]:
        self.asked.append(inbound)
        if inbound.text in self._answers:
            for event in self._answers[inbound.text]:
                yield event
            return
        yield Working()
        yield Delta("echo ")
        if inbound.text == "hang":
            await self._released()
        yield Delta(inbound.text)
        yield Reply(kind=ReplyKind.TEXT, text=f"echo {inbound.text}")

    def waits(self, inbound: Inbound) -> bool:
        return not inbound.text.startswith("/")

    def busy(self, key: SessionKey) -> bool:
        return False

    async def suggest(self, inbound: Inbound) -> tuple[Suggestion, ...]:
        self.asked.append(inbound)
        return self._suggestions

    async def _released(self) -> None:
        self.waiting.set()
        try:
            await self.release.wait()
        except asyncio.CancelledError:
            self.cancelled += 1
            raise
