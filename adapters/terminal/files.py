"""Files that a person at this machine sends along: `remoteclaw chat --file PATH`."""

import asyncio
import os
import stat
from collections.abc import Sequence
from pathlib import Path

from core.attachments import MOST_FILES, Offer, checked, limit_of, refusal, surplus
from core.errors import UserError
from core.messages import File


class Enclosed:
    """The files that wait for the first message which takes them: a command takes none, and they wait for the next one.

    Raises UserError (code `usage`) for a path that names no file that can be read, before anything is sent.
    """

    def __init__(self, paths: Sequence[str]) -> None:
        self._offers = tuple(_offer(path) for path in paths)
        self.waiting = bool(paths)

    def __len__(self) -> int:
        return len(self._offers)

    async def fetch(self) -> tuple[File, ...]:
        """The files, read now. What is wrong with one is its `problem`."""
        self.waiting = False
        read = [await asyncio.to_thread(_read, offer) for offer in self._offers[:MOST_FILES]]
        return (*read, *surplus(len(self._offers)))


def _offer(path: str) -> Offer:
    try:
        found = os.stat(path)
        readable = stat.S_ISREG(found.st_mode) and os.access(path, os.R_OK)
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        raise UserError("usage", f"{path!r} cannot be sent: {reason}.", "Name a file with --file.") from error
    if not readable:
        raise UserError(
            "usage", f"{path!r} cannot be sent: it is no file that can be read.", "Name a file with --file."
        )
    return Offer(name=Path(path).name, size=found.st_size, source=path)


def _read(offer: Offer) -> File:
    """One file, up to its limit. It may have changed since it was named."""
    problem = refusal(offer)
    data = b""
    if not problem:
        try:
            with open(offer.source, "rb") as content:
                data = content.read(limit_of(offer) + 1)
        except OSError as error:
            problem = f"{offer.name}: {error.strerror or 'cannot be read'}."
    return File(offer.name, "", problem=problem) if problem else checked(offer, data)
