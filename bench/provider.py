"""A provider on loopback in a process of its own, as fast as it can be made: what is measured is the caller.

`python -m bench.provider` prints its port and serves until it is told to end.
"""

import asyncio
import json
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from bot.demo.vendor_formats import OpenAIFormat

PIECES = 60
_VENDOR = OpenAIFormat()
_TEXT = "word " * PIECES
_PLAIN = json.dumps(_VENDOR.answer("model-0", _TEXT, (100, PIECES))).encode()
_PLAIN_ANSWER = (
    b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n" % len(_PLAIN)
) + _PLAIN
_EVENTS = list(_VENDOR.events("model-0", ["word "] * PIECES, (100, PIECES)))
_STREAM_HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"
_CHUNKS = [b"%x\r\n%s\r\n" % (len(event), event) for event in _EVENTS]


@asynccontextmanager
async def provider_process() -> AsyncIterator[str]:
    """Start one; yields its base URL."""
    server = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "bench.provider", stdout=asyncio.subprocess.PIPE
    )
    assert server.stdout is not None
    try:
        yield f"http://127.0.0.1:{int(await server.stdout.readline())}/v1"
    finally:
        server.terminate()
        await server.wait()


async def _answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while True:
            head = (await reader.readuntil(b"\r\n\r\n")).lower()
            length = int(head.split(b"content-length:")[1].split(b"\r\n")[0])
            body = await reader.readexactly(length)
            if json.loads(body).get("stream"):
                writer.write(_STREAM_HEAD)
                for chunk in _CHUNKS:
                    writer.write(chunk)
                    await asyncio.sleep(0)
                writer.write(b"0\r\n\r\n")
            else:
                writer.write(_PLAIN_ANSWER)
            await writer.drain()
    except (asyncio.IncompleteReadError, ConnectionError):
        writer.close()


async def _serve() -> None:
    server = await asyncio.start_server(_answer, "127.0.0.1", 0)
    sys.stdout.write(f"{server.sockets[0].getsockname()[1]}\n")
    sys.stdout.flush()
    async with server:
        await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(_serve())
