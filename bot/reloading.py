"""When a gateway reloads: on request, on SIGHUP, when a file of the configuration has changed, and again while something is
unavailable."""

import asyncio
import logging
import os
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from bot.control import Answers, listen
from bot.installation import Installation
from core.errors import BotError

log = logging.getLogger(__name__)

_Stamp = tuple[int, int, int, int] | None
_INTERVAL = 1.0
"""Seconds between two looks at the files."""
_FIRST_PAUSE = 30.0
"""Seconds until something unavailable is tried again, for the first time."""
_LONGEST_PAUSE = 600.0


@asynccontextmanager
async def stays_current(
    installation: Installation, state: Path, files: Iterable[Path], wanted: asyncio.Event, answers: Answers
) -> AsyncIterator[None]:
    """Reload while the context is open: whenever `wanted` is set, when one of the files changes, and for `secrets reload`. The
    same socket gives the other `answers`.

    Raises StoreError where the control socket in `state` cannot be made.
    """
    always = tuple(files)
    watch = FileWatch(lambda: watched_files(installation, always))
    async with listen(state, {**answers, "reload": lambda _: _on_request(installation)}):
        tasks = [
            asyncio.create_task(_when_wanted(installation, wanted)),
            asyncio.create_task(keep_current(installation, watch)),
        ]
        try:
            yield
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.wait(tasks)


async def _on_request(installation: Installation) -> Mapping[str, Any]:
    done = await installation.reload()
    log.info("Configuration and secrets reloaded on request.")
    return {"warnings": list(done.warnings)}


async def _when_wanted(installation: Installation, wanted: asyncio.Event) -> None:
    while True:
        await wanted.wait()
        wanted.clear()
        await reload_and_tell(installation)


class FileWatch:
    """Tells when one of the files has changed and is at rest. `files` is asked each time: a reload may name others.

    A change counts once two looks in a row find the same, so that a file which is still being written is not read.
    """

    def __init__(self, files: Callable[[], Iterable[Path]]) -> None:
        self._files = files
        self._known = self._seen = self._look()

    def has_changed(self) -> bool:
        """Whether there is something new since the last time that this said so. Never raises."""
        before, self._seen = self._seen, self._look()
        if self._seen == self._known or self._seen != before:
            return False
        self._known = self._seen
        return True

    def _look(self) -> dict[Path, _Stamp]:
        return {path: _stamp(path) for path in self._files()}


def _stamp(path: Path) -> _Stamp:
    try:
        found = os.stat(path)
    except OSError:
        return None
    return found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns


def watched_files(installation: Installation, always: Iterable[Path]) -> Iterator[Path]:
    """`always`, and the files that references of the config lead to."""
    yield from always
    for provider in installation.settings.secrets.providers.values():
        if provider.source == "file":
            yield Path(provider.path)


async def keep_current(installation: Installation, watch: FileWatch) -> None:
    """Reload for ever: after each change, and after a pause while a reload has failed or a secret is missing. The pause doubles
    each time, up to ten minutes."""
    pause, waited = _FIRST_PAUSE, 0.0
    while True:
        await asyncio.sleep(_INTERVAL)
        is_due = watch.has_changed()
        if installation.failure is None and not installation.unresolved():
            pause, waited = _FIRST_PAUSE, 0.0
        elif not is_due:
            waited += _INTERVAL
            is_due = waited >= pause
            pause, waited = (min(2 * pause, _LONGEST_PAUSE), 0.0) if is_due else (pause, waited)
        if is_due:
            await reload_and_tell(installation)


async def reload_and_tell(installation: Installation) -> None:
    """Reload for nobody in particular: what came of it stands in the log."""
    try:
        done = await installation.reload()
    except BotError:
        return  # told once where it happened, and on the health page while it lasts
    except Exception:
        log.exception("The configuration could not be reloaded")
        return
    log.info("Configuration and secrets reloaded.")
    for warning in done.warnings:
        log.warning("%s", warning)
