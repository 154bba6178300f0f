"""The watch: what changes by itself is told where it matters, soon after it happened and not only with the next message."""

import logging
from collections.abc import Awaitable, Callable, Mapping
from typing import NoReturn

from core.clock import Clock
from core.errors import BotError, StorageError
from core.sessions.key import SessionKey

log = logging.getLogger(__name__)

EVERY = 30.0
"""Seconds from one round to the next."""


async def one_by_one(look: Awaitable[None], key: SessionKey) -> None:
    """Look at one session among many. One that cannot be looked at, as its agent is not configured any more, does not keep the
    watch from the others; whoever writes there is told. Raises StorageError: that concerns them all."""
    try:
        await look
    except StorageError:
        raise
    except BotError as error:
        log.debug("%s cannot be watched: %s", key, error)


class Watch:
    """One loop for the process. `rounds` are the kinds of things that are looked for, by name; each looks at everything once and
    tells what was not told yet. One that fails leaves the others alone and is tried again in the next round."""

    def __init__(self, rounds: Mapping[str, Callable[[], Awaitable[None]]], clock: Clock) -> None:
        self._rounds = rounds
        self._clock = clock
        self._troubles: dict[str, str] = {}

    async def run(self) -> NoReturn:
        """Look now and then every half minute, until cancelled. Raises nothing else."""
        while True:
            await self.look()
            await self._clock.sleep(EVERY)

    async def look(self) -> None:
        """One round of every kind."""
        for name, tell in self._rounds.items():
            trouble = ""
            try:
                await tell()
            except BotError as error:
                trouble = str(error)
                if trouble != self._troubles.get(name):
                    log.error("the watch for %s fails: %s", name, trouble)
            except Exception as error:
                trouble = type(error).__name__
                if trouble != self._troubles.get(name):
                    log.exception("the watch for %s fails unexpectedly", name)
            # Said once, and not twice a minute for as long as it lasts.
            self._troubles[name] = trouble
