"""A way to a server on loopback that can be cut, or go silent, and be mended: with the same address all the time."""

import asyncio
import socket
import threading
from collections.abc import Coroutine
from typing import Any, Self
from urllib.parse import urlsplit


class Wire:
    """`with Wire(server.url) as wire`; clients use `wire.url`. In a thread of its own."""

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        self._behind = str(parts.hostname), int(parts.port or 0)
        self.silent = 0
        """Connections that were accepted, or were under way, and got no answer since it went silent."""
        self._goes_through = asyncio.Event()
        self._ends: set[asyncio.StreamWriter] = set()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="wire", daemon=True)

    def __enter__(self) -> Self:
        self._socket = _bound(0)
        self.url = f"http://127.0.0.1:{self._socket.getsockname()[1]}"
        self._thread.start()
        self._do(self._open())
        return self

    def __exit__(self, *_: object) -> None:
        self._do(self._close())
        self._socket.close()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(5)
        self._loop.close()

    def cut(self) -> None:
        """Break every connection, and refuse new ones."""
        self._do(self._close())

    def hang(self) -> None:
        """Accept connections, and let nothing through any more."""
        self._do(self._fall_silent())

    def mend(self) -> None:
        """Be as it was. Connections that were silent are broken: whoever waited for an answer has to ask again."""
        self._do(self._open())

    def _do(self, work: Coroutine[Any, Any, None]) -> None:
        asyncio.run_coroutine_threadsafe(work, self._loop).result(10)

    async def _open(self) -> None:
        await self._close()
        self._goes_through.set()
        await self._listen()

    async def _fall_silent(self) -> None:
        self._goes_through.clear()
        if not self._server.is_serving():
            await self._listen()

    async def _listen(self) -> None:
        self._server = await asyncio.start_server(self._connected, sock=self._socket)

    async def _close(self) -> None:
        if hasattr(self, "_server") and self._server.is_serving():
            port = self._socket.getsockname()[1]
            self._server.close()
            self._socket = _bound(port)  # nobody else gets it meanwhile; without a listener it refuses
        for end in list(self._ends):
            end.transport.abort()

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if not self._goes_through.is_set():
            self.silent += 1
        self._ends.add(writer)
        try:
            await self._goes_through.wait()
            to_reader, to_writer = await asyncio.open_connection(*self._behind)
            self._ends.add(to_writer)
            try:
                pumps = [
                    asyncio.create_task(self._pump(reader, to_writer)),
                    asyncio.create_task(self._pump(to_reader, writer)),
                ]
                await asyncio.wait(pumps, return_when=asyncio.FIRST_COMPLETED)
                for pump in pumps:
                    pump.cancel()
                await asyncio.gather(*pumps, return_exceptions=True)
            finally:
                self._ends.discard(to_writer)
                to_writer.close()
        except OSError:
            pass
        finally:
            self._ends.discard(writer)
            writer.close()

    async def _pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(65536):
            if not self._goes_through.is_set():
                self.silent += 1
            await self._goes_through.wait()
            writer.write(data)
            await writer.drain()


def _bound(port: int) -> socket.socket:
    bound = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    bound.bind(("127.0.0.1", port))
    return bound
