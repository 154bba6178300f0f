"""Whether the database takes writes now. A lock of another program, or a full disk, passes by itself; until then nothing is taken
in, and platforms keep what people write."""

import asyncio
import logging
from collections.abc import Callable
from contextlib import suppress
from datetime import datetime
from typing import NoReturn

from core.errors import StorageError
from core.ports import Inbox
from core.troubles import Trouble

log = logging.getLogger(__name__)

EVERY = 10.0
AGAIN = 1.0
_LONGEST_AGAIN = 30.0
"""The same where it fails again and again although that write was taken: some of it may be damaged."""
_RELAPSE = 60.0
_MARK = ("gateway", "stored")


class DatabaseWatch:
    """One for the process. What it finds is logged once when it begins and once when it is over.

    While all is well it looks every so many seconds: it asks for the right to write, and writes nothing. Else it tries `again`
    after so many seconds, by a write, since a full disk shows only then.
    """

    def __init__(
        self, inbox: Inbox, now: Callable[[], datetime], *, every: float = EVERY, again: float = AGAIN
    ) -> None:
        self._inbox = inbox
        self._now = now
        self._every = every
        self._first_again = self._again = again
        self._trouble = Trouble(log, "The database can be written again.")
        self._over_at = float("-inf")
        self._failed = asyncio.Event()
        self._well = asyncio.Event()
        self._well.set()

    @property
    def reason(self) -> str:
        """Why nothing can be stored; empty while it can."""
        return self._trouble.reason

    async def outlast(self, error: StorageError) -> None:
        """Return when something can be stored again: for who has just met this error while the watch runs."""
        self._begins(error)
        await self._well.wait()

    async def run(self) -> NoReturn:
        """Look until cancelled."""
        while True:
            tries_to_write = bool(self._trouble.reason)
            try:
                if tries_to_write:
                    await asyncio.sleep(self._again)
                    await self._inbox.set_mark(*_MARK, f"{self._now():%Y-%m-%dT%H:%M:%SZ}")
                else:
                    await self._inbox.receive((), self._now())
            except StorageError as error:
                self._begins(error)
            except Exception as error:
                log.debug("The database fails unexpectedly", exc_info=True)
                self._begins(StorageError("storage", f"The database fails unexpectedly ({type(error).__name__})."))
            else:
                if self._trouble.reason and not tries_to_write:
                    continue  # it has begun beside this look, which proves little
                self._ends()
                with suppress(TimeoutError):
                    async with asyncio.timeout(self._every):
                        await self._failed.wait()

    def _begins(self, error: StorageError) -> None:
        if not self._trouble.reason:
            is_relapse = _time() - self._over_at < _RELAPSE
            self._again = min(2 * self._again, _LONGEST_AGAIN) if is_relapse else self._first_again
        self._trouble.begins(str(error))
        self._well.clear()
        self._failed.set()

    def _ends(self) -> None:
        if self._trouble.reason:
            self._over_at = _time()
        self._trouble.is_over()
        self._failed.clear()
        self._well.set()


def _time() -> float:
    return asyncio.get_running_loop().time()
