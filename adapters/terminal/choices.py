"""A bare number typed under a list of choices."""

from collections.abc import AsyncIterable, AsyncIterator

from adapters.terminal.display import Display
from core.messages import Event, Reply

_LONGEST_NUMBER = 3


class NumberedChoices:
    """A display that remembers whether the last reply offered choices, so that a bare number can mean one of them."""

    def __init__(self, display: Display) -> None:
        self._display = display
        self._offered = False

    def show(self, event: Event) -> None:
        if isinstance(event, Reply):
            self._offered = bool(event.buttons)
        self._display.show(event)

    def end(self, interrupted: bool = False) -> None:
        self._display.end(interrupted)

    async def read(self, typed: AsyncIterable[str]) -> AsyncIterator[str]:
        """What was typed, with a bare number right after choices written out as `/model <n>`."""
        async for line in typed:
            number = line.strip()
            is_choice = self._offered and number.isdecimal() and len(number) <= _LONGEST_NUMBER
            yield f"/model {number}" if is_choice else line
