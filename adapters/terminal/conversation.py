"""A conversation in a terminal: one message, its whole answer, then the next message."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterable, AsyncIterator
from typing import Protocol

from adapters.terminal.display import Display
from adapters.terminal.files import Enclosed
from adapters.terminal.inbound import Speaker
from adapters.terminal.safe_text import decoded
from core.errors import Suggestion
from core.messages import Event, Inbound, Quoted, Reply


class Gateway(Protocol):
    """The one door, as the terminal uses it."""

    def handle(self, inbound: Inbound, item: int | None = None) -> AsyncIterator[Event]: ...

    async def suggest(self, inbound: Inbound) -> tuple[Suggestion, ...]: ...


class Conversation:
    """Says messages for one speaker and shows the answers on one display. `enclosed` goes with the first that takes files.

    `begun` is true once something was said.
    """

    def __init__(self, gateway: Gateway, speaker: Speaker, display: Display, enclosed: Enclosed | None = None) -> None:
        self._enclosed = enclosed or Enclosed(())
        self._gateway = gateway
        self._speaker = speaker
        self._display = display
        self._answer: asyncio.Task[None] | None = None
        self._stopped = False
        self._question = ""
        """What the last reply has asked for: the next line answers it."""
        self.begun = False

    async def hold(self, messages: AsyncIterable[str]) -> None:
        """Answer every message before the next is asked for. Blank ones are left out, unless there are files to go with them."""
        async for message in messages:
            if message.strip() or self._enclosed.waiting:
                await self.say(message)

    async def say(self, text: str) -> None:
        """Answer one message. Returns early, and without an error, if `stop_answer` was called meanwhile."""
        self._stopped, self.begun = False, True
        self._answer = asyncio.create_task(self._show(text))
        try:
            await self._answer
        except asyncio.CancelledError:
            if not self._stopped or _is_cancelled():
                raise
        finally:
            self._answer = None
            self._display.end(interrupted=self._stopped)

    def stop_answer(self) -> bool:
        """Cancel the answer that is being written. False if none is."""
        if self._answer is None or self._answer.done():
            return False
        self._stopped = True
        self._answer.cancel()
        return True

    async def _show(self, text: str) -> None:
        files = self._enclosed.fetch if self._enclosed.waiting else None
        question, self._question = self._question, ""
        quoted = Quoted("", question, own=True) if question and not text.lstrip().startswith("/") else None
        inbound = self._speaker.says(decoded(text), files=files, quoted=quoted)
        events = self._gateway.handle(inbound)
        try:
            async for event in events:
                if isinstance(event, Reply):
                    self._question = event.text if event.prompt else ""
                self._display.show(event)
        finally:
            if isinstance(events, AsyncGenerator):
                await events.aclose()


def _is_cancelled() -> bool:
    """Whether the conversation itself is to end, and not only the answer."""
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0
