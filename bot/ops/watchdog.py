"""The service manager's watchdog (sd_watchdog_enabled(3)): it is told that the gateway lives, while it does."""

import asyncio
import logging
import os
from collections.abc import Awaitable, Callable, Mapping
from typing import NoReturn

from bot.instance import tell_service_manager
from core.errors import StorageError

log = logging.getLogger(__name__)


def watchdog_pause(environ: Mapping[str, str]) -> float | None:
    """Seconds from one sign of life to the next: half of what the manager allows, as it recommends. None: it wants none, or
    means another process."""
    wanted, process = environ.get("WATCHDOG_USEC", ""), environ.get("WATCHDOG_PID", "")
    if not wanted.isascii() or not wanted.isdecimal() or int(wanted) <= 0:
        return None
    if process and process != str(os.getpid()):
        return None
    return int(wanted) / 2_000_000


async def give_signs_of_life(
    environ: Mapping[str, str], pause: float, asks_database: Callable[[], Awaitable[object]]
) -> NoReturn:
    """Tell the manager every `pause` seconds until cancelled, but only while the database answers within that time; that the
    event loop runs shows by itself. Whoever hears nothing starts the gateway anew, which loses nothing."""
    was_well = True
    while True:
        is_well = await _answers(asks_database, pause)
        if is_well:
            tell_service_manager("WATCHDOG=1", environ)
        if is_well != was_well:
            log.log(
                logging.INFO if is_well else logging.ERROR,
                "The database answers again." if is_well else "The database does not answer; no sign of life is given.",
            )
        was_well = is_well
        await asyncio.sleep(pause)


async def _answers(asks_database: Callable[[], Awaitable[object]], seconds: float) -> bool:
    try:
        async with asyncio.timeout(seconds):
            await asks_database()
    except (StorageError, TimeoutError):
        return False
    return True
