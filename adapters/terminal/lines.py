"""Standard input as messages: one line, one message."""

import asyncio
import os
import threading
from collections.abc import AsyncIterator

_CHUNK = 65536


async def read_lines(descriptor: int) -> AsyncIterator[str]:
    """Yield the lines of a descriptor (file, pipe or terminal) without their ends; the last needs none. Blank ones are left out.

    A line may be of any length. Bytes that are no UTF-8 are replaced. A closed or unreadable descriptor is an empty one.
    The next piece is asked for only after the lines of the piece before were used, so a large file is not read ahead.
    """
    parts: list[bytes] = []
    while chunk := await _read(descriptor):
        *ended, rest = chunk.split(b"\n")
        for line in ended:
            parts.append(line)
            text = _text(parts)
            parts.clear()
            if text:
                yield text
        parts.append(rest)
    if text := _text(parts):
        yield text


def _text(parts: list[bytes]) -> str:
    line = b"".join(parts).decode("utf-8", "replace").removeprefix("\ufeff").removesuffix("\r")
    return line if line.strip() else ""


async def _read(descriptor: int) -> bytes:
    """One read in a thread of its own: only a thread can wait for files, pipes and terminals alike.

    It is a daemon that holds no lock of the interpreter's streams, so a process that is told to end does not wait for a line.
    """
    loop = asyncio.get_running_loop()
    done: asyncio.Future[bytes] = loop.create_future()

    def settle(chunk: bytes) -> None:
        if not done.done():
            done.set_result(chunk)

    def work() -> None:
        try:
            chunk = os.read(descriptor, _CHUNK)
        except OSError:
            chunk = b""
        try:
            loop.call_soon_threadsafe(settle, chunk)
        except RuntimeError:
            return  # the loop has ended meanwhile; nobody asks any more

    threading.Thread(target=work, daemon=True, name="terminal-input").start()
    return await done
