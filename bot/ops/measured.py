"""What is counted of answers, at the edge: a platform as the intake sees it, with an eye on what is delivered to it.

Nothing inside knows of it. Only numbers and names of the configuration leave: no text, no person, no credential's id.
"""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import aclosing
from typing import TYPE_CHECKING, Any, Protocol

from core.auth.secret import Secret
from core.clock import Clock
from core.errors import BotError
from core.messages import Delta, Event, Inbound, Reply, ReplyKind, TurnReport, Working
from core.ports import InboxItem, InboxState, Update

if TYPE_CHECKING:
    from bot.served import ServedPlatform

_ANNOUNCEMENT = "announcement:"
"""What the key of an update of our own begins with (core.announcements)."""


class Recorder(Protocol):
    """Takes what there is to count. Times are in seconds; nothing here may raise or block."""

    def turned(self, report: Mapping[str, Any], seconds: float, first_text: float | None) -> None:
        """A model turn has ended: its report (interfaces.md), how long it took, and when its first text was there."""
        ...

    def delivered(self, platform: str, kind: str, outcome: str, seconds: float | None) -> None:
        """An answer or an announcement was handed to a platform. `seconds` since its update came, None for what an earlier
        process had answered."""
        ...


class MeasuredPlatform:
    """`bot.served.ServedPlatform` around another one, which does all the work."""

    def __init__(self, platform: "ServedPlatform", recorder: Recorder, clock: Clock) -> None:
        self.name = platform.name
        self.account = platform.account
        self._platform = platform
        self._recorder = recorder
        self._clock = clock

    def read(self, update: Update) -> Inbound | None:
        """As the platform reads it."""
        return self._platform.read(update)

    def announcement(self, chat: str, key: str) -> Update:
        """As the platform makes it."""
        return self._platform.announcement(chat, key)

    async def run(self, accept: Callable[[Sequence[Update]], Awaitable[None]], on_state: Callable[[str], None]) -> None:
        """Listen, as the platform does."""
        await self._platform.run(accept, on_state)

    def take_token(self, token: Secret) -> bool:
        """Take it, as the platform does."""
        return self._platform.take_token(token)

    async def close(self) -> None:
        """Close the platform."""
        await self._platform.close()

    async def deliver(self, item: InboxItem, inbound: Inbound, events: AsyncIterator[Event]) -> None:
        """Deliver, and count what came of it. A delivery that a stop cuts off is neither delivered nor failed."""
        kind = "announcement" if item.update.key.startswith(_ANNOUNCEMENT) else "answer"
        outcome = "failed"
        try:
            async with aclosing(_watched(events, self._recorder)) as watched:
                await self._platform.deliver(item, inbound, watched)
            outcome = "delivered"
        except BotError:
            raise
        except asyncio.CancelledError:
            outcome = ""
            raise
        finally:
            if outcome:
                is_fresh = outcome == "delivered" and kind == "answer" and item.state is InboxState.NEW
                waited = (self._clock.now() - item.received_at).total_seconds() if is_fresh else None
                self._recorder.delivered(self.name, kind, outcome, waited)


async def _watched(events: AsyncIterator[Event], recorder: Recorder) -> AsyncGenerator[Event, None]:
    """The same events. A turn lasts from the last Working before it to its report: an earlier one said that it waits in line."""
    now = asyncio.get_running_loop().time
    began: float | None = None
    text: float | None = None
    async for event in events:
        if isinstance(event, Working):
            began, text = now(), None
        elif began is not None and text is None and _is_text(event):
            text = now() - began
        elif isinstance(event, TurnReport) and began is not None:
            recorder.turned(event.data, now() - began, text)
            began = None
        yield event


def _is_text(event: Event) -> bool:
    return isinstance(event, Delta) or (isinstance(event, Reply) and event.kind is ReplyKind.TEXT)
