"""How long to wait and what to try again. Every wait goes through the Clock."""

import random
from collections.abc import Awaitable, Callable
from typing import TypeVar

from adapters.telegram.transport import Flooded, Unconfirmed, Unreachable
from core.clock import Clock

T = TypeVar("T")
_FIRST = 0.5
_LONGEST = 30.0
_dice = random.SystemRandom()


def full_jitter(attempt: int) -> float:
    """Seconds before try `attempt` (from 0): anything between nothing and a bound that doubles up to 30 s."""
    return _dice.uniform(0, min(_LONGEST, _FIRST * 2 ** min(attempt, 10)))


async def insist(call: Callable[[], Awaitable[T]], clock: Clock, *, repeatable: bool) -> T:
    """Make a call until Telegram has answered it. A flood wait is kept in full, an outage is waited out.

    A call whose answer was lost is made again only if it is `repeatable` (an edit, a deletion); a message is not sent twice,
    and Unconfirmed is raised instead. Telegram's refusals are raised as they are.
    """
    attempt = 0
    while True:
        try:
            return await call()
        except Flooded as flood:
            wait = flood.seconds
        except Unreachable:
            wait = full_jitter(attempt)
        except Unconfirmed:
            if not repeatable:
                raise
            wait = full_jitter(attempt)
        attempt += 1
        await clock.sleep(wait)
