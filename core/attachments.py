"""What was sent with a message: how much of it is fetched, what it really is, and the sentence for what cannot be read.

The limits are the same on every platform: ten files a message, 5 MB a picture, 512 KB a text file, four fetched at once, half a
minute for all of them. A picture is known by its first bytes, whatever it was declared to be.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field

from core.clock import Clock
from core.messages import File

log = logging.getLogger(__name__)

MOST_FILES = 10
LARGEST_PICTURE = 5 * 1024 * 1024
LARGEST_TEXT = 512 * 1024
FETCH_SECONDS = 30.0
AT_ONCE = 4

_LONGEST_NAME = 80
_UNKNOWN = "application/octet-stream"
_PICTURE_SUFFIXES = {".png": "image/png", ".jpg": "image/jpeg", ".jpeg": "image/jpeg"} | {
    ".gif": "image/gif",
    ".webp": "image/webp",
}
_UNREADABLE = {
    "audio/": "an audio file",
    "video/": "a video",
    "application/pdf": "a PDF",
    "application/zip": "an archive",
    "application/x-zip": "an archive",
    "application/gzip": "an archive",
    "application/x-tar": "an archive",
    "application/x-7z": "an archive",
    "application/vnd.rar": "an archive",
    "application/msword": "an office document",
    "application/vnd.ms-": "an office document",
    "application/vnd.oasis.": "an office document",
    "application/vnd.openxmlformats-": "an office document",
}
"""Types, or how they begin, that are neither pictures nor text: not worth fetching."""
_TYPESCRIPT = (".ts", ".mts", ".cts")
"""Source code that platforms declare to be a video, since a kind of video has the same suffix."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Offer:
    """Something that a platform could hand over. `media_type` and `size` (bytes) are what it says, if it says it; `source` is the
    platform's own name for it. With a `problem` it is not asked for."""

    name: str
    media_type: str = ""
    size: int | None = None
    source: str = field(default="", repr=False)
    problem: str = ""


class NotFetched(Exception):
    """A file could not be had. Its text is the rest of a sentence that begins with the file's name."""


Download = Callable[[Offer, int], Awaitable[bytes]]
"""Gets the content. It may stop once it has more than the given number of bytes. Raises NotFetched."""


async def collect(offers: Sequence[Offer], download: Download, clock: Clock) -> tuple[File, ...]:
    """Fetch what was sent with one message, in its order. Whatever goes wrong with a file is its `problem`; only a cancellation
    is raised, and then nothing goes on. A file beyond the tenth is not fetched, and one sentence tells of all of them."""
    gate = asyncio.Semaphore(AT_ONCE)
    tasks = [asyncio.create_task(_fetched(offer, download, gate)) for offer in offers[:MOST_FILES]]
    limit = asyncio.create_task(clock.sleep(FETCH_SECONDS))
    waiting = set(tasks)
    try:
        while waiting and not limit.done():
            ended, _ = await asyncio.wait({*waiting, limit}, return_when=asyncio.FIRST_COMPLETED)
            waiting -= ended
    finally:
        for task in (*tasks, limit):
            task.cancel()
        await asyncio.gather(*tasks, limit, return_exceptions=True)
    files = [_late(offer) if task.cancelled() else task.result() for offer, task in zip(offers, tasks, strict=False)]
    return (*files, *surplus(len(offers)))


def surplus(count: int) -> tuple[File, ...]:
    """What to say of the files beyond the limit: nothing, or one sentence for all of them."""
    if count <= MOST_FILES:
        return ()
    left = count - MOST_FILES
    told = f"Only the first {MOST_FILES} files of a message are read; {left} more {'was' if left == 1 else 'were'} not."
    return (File("", "", problem=told),)


def limit_of(offer: Offer) -> int:
    """How many bytes of it are read at most."""
    return LARGEST_PICTURE if _is_picture(declared_type(offer)) else LARGEST_TEXT


def refusal(offer: Offer) -> str:
    """Why it is not even asked for, as a sentence, or nothing."""
    name, kind = shown_name(offer.name), declared_type(offer)
    if offer.problem:
        return offer.problem
    for beginning, words in _UNREADABLE.items():
        if kind.startswith(beginning):
            return f"{name}: {words} cannot be read here."
    if offer.size is not None and offer.size > limit_of(offer):
        return _too_large(offer)
    return ""


def checked(offer: Offer, data: bytes) -> File:
    """The file with the type that it really has, or with a problem: too large, or no picture though declared to be one."""
    name, kind = shown_name(offer.name), declared_type(offer)
    seen = picture_type(data)
    if len(data) > limit_of(offer):
        return File(name, seen or kind, problem=_too_large(offer))
    if seen is None and _is_picture(kind):
        return File(
            name, kind, problem=f"{name}: no picture that can be read here (PNG, JPEG, GIF, WebP); it says {kind}."
        )
    return File(name, seen or kind, data)


def declared_type(offer: Offer) -> str:
    """The type that it was declared to be, without parameters. Where nothing is said the name tells whether it is a picture."""
    said = offer.media_type.partition(";")[0].strip().lower()
    name = offer.name.lower()
    if said.startswith("video/") and name.endswith(_TYPESCRIPT):
        return "text/plain"
    if said and said != _UNKNOWN:
        return said
    return next((kind for suffix, kind in _PICTURE_SUFFIXES.items() if name.endswith(suffix)), _UNKNOWN)


def picture_type(data: bytes) -> str | None:
    """The type of a picture by its first bytes: PNG, JPEG, GIF or WebP. None for everything else."""
    if data.startswith(b"\x89PNG\r\n\x1a\n"):
        return "image/png"
    if data.startswith(b"\xff\xd8\xff"):
        return "image/jpeg"
    if data.startswith((b"GIF87a", b"GIF89a")):
        return "image/gif"
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return "image/webp"
    return None


def shown_name(name: str) -> str:
    """A file's name on one line, without characters that show nothing or turn the writing round, and not too long."""
    clean = " ".join("".join(c if c.isprintable() else " " for c in name).split()) or "file"
    return clean if len(clean) <= _LONGEST_NAME else f"{clean[: _LONGEST_NAME - 1]}…"


def _is_picture(kind: str) -> bool:
    return kind.startswith("image/") and not kind.startswith("image/svg")


def _too_large(offer: Offer) -> str:
    what = (
        "5 MB, the limit for a picture" if limit_of(offer) == LARGEST_PICTURE else "512 KB, the limit for a text file"
    )
    return f"{shown_name(offer.name)}: larger than {what}."


def _late(offer: Offer) -> File:
    name = shown_name(offer.name)
    return File(
        name, declared_type(offer), problem=f"{name}: did not arrive within {FETCH_SECONDS:g} s. Send it again."
    )


async def _fetched(offer: Offer, download: Download, gate: asyncio.Semaphore) -> File:
    name, kind = shown_name(offer.name), declared_type(offer)
    if told := refusal(offer):
        return File(name, kind, problem=told)
    try:
        async with gate:
            data = await download(offer, limit_of(offer))
    except NotFetched as error:
        return File(name, kind, problem=f"{name}: {error}.")
    except Exception as error:
        # Its text and its trace may show where the file lies, which for some platforms includes a token.
        log.error("a file could not be fetched, for an unexpected reason: %s", type(error).__name__)
        return File(name, kind, problem=f"{name}: could not be fetched.")
    return checked(offer, data)
