"""Going on however long Telegram or the database is away: what polling and the webhook have in common."""

from collections.abc import Awaitable, Callable, Sequence
from typing import NoReturn

from telegram.error import InvalidToken, TelegramError

from adapters.telegram.patience import full_jitter
from adapters.telegram.transport import Flooded, token_refused
from core.clock import Clock
from core.errors import StorageError
from core.ports import Update

CONNECTED = "connected"

Accept = Callable[[Sequence[Update]], Awaitable[None]]
OnState = Callable[[str], None]


def plainly(error: TelegramError) -> str:
    """Telegram's own sentence."""
    return error.message


class Reconnecting:
    """Tries again with growing pauses, and tells every change of state once."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._failures = 0
        self._state = ""
        self._on_state: OnState = lambda state: None

    async def run(
        self,
        connect: Callable[[], Awaitable[NoReturn]],
        on_state: OnState,
        worded: Callable[[TelegramError], str] = plainly,
    ) -> NoReturn:
        """Connect for ever; `worded` says what a failure means. Raises ConfigError if the token is refused; it may be called again
        then."""
        self._state, self._on_state = "", on_state
        while True:
            wait, kind = 0.0, ""
            try:
                await connect()
            except InvalidToken as error:
                raise token_refused(error) from error
            except Flooded as error:
                # However long each wait is: that Telegram asks for one is said once.
                reason, wait, kind = error.message, error.seconds, "flooded"
            except TelegramError as error:
                reason = worded(error)
            self.report(f"disconnected: {reason}", kind)
            await self._pause(wait)

    async def stored(self, store: Callable[[], Awaitable[object]]) -> None:
        """Return when something is stored, however long that takes."""
        while True:
            try:
                await store()
                return
            except StorageError as error:
                self.report(f"disconnected: updates could not be stored: {error}")
            await self._pause()

    def went_well(self) -> None:
        """The pauses begin anew."""
        self._failures = 0

    def report(self, state: str, kind: str = "") -> None:
        """Tell a change of state, which the process logs; the same one again, or another of the same `kind`, is no news."""
        if (kind or state) != self._state:
            self._state = kind or state
            self._on_state(state)

    async def _pause(self, least: float = 0.0) -> None:
        await self._clock.sleep(max(least, full_jitter(self._failures)))
        self._failures += 1
