"""`python -m bench.transport`: plain httpx against httpx on aiohttp, against a provider in a process of its own.

Rounds are interleaved, so that a busy machine slows both alike; read the ratios. CPU is this process's time a call.
"""

import asyncio
import json
import statistics
import sys
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

import aiohttp
import httpx
from httpx_aiohttp import AiohttpTransport
from httpx_sse import EventSource

_Call = Callable[[httpx.AsyncClient, str], Awaitable[None]]

ROUNDS = 6
PIECES = 60
_BODY = json.dumps({"model": "m", "stream": True, "messages": [{"role": "user", "content": "hello " * 200}]}).encode()
_ANSWER = json.dumps({"choices": [{"message": {"content": "word " * PIECES}, "finish_reason": "stop"}]}).encode()
_EVENT = b"data: " + json.dumps({"choices": [{"index": 0, "delta": {"content": "word "}}]}).encode() + b"\n\n"


async def _answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while True:
            head = (await reader.readuntil(b"\r\n\r\n")).lower()
            length = int(head.split(b"content-length:")[1].split(b"\r\n")[0])
            await reader.readexactly(length)
            if head.startswith(b"post /stream"):
                writer.write(
                    b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"
                )
                for _ in range(PIECES):
                    writer.write(b"%x\r\n%s\r\n" % (len(_EVENT), _EVENT))
                    await asyncio.sleep(0)
                writer.write(b"e\r\ndata: [DONE]\n\n\r\n0\r\n\r\n")
            else:
                head = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n" % len(_ANSWER)
                writer.write(head + _ANSWER)
            await writer.drain()
    except (asyncio.IncompleteReadError, ConnectionError):
        writer.close()


async def _serve() -> None:
    server = await asyncio.start_server(_answer, "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    async with server:
        await server.serve_forever()


def _on_httpx() -> httpx.AsyncClient:
    return httpx.AsyncClient(trust_env=False, timeout=30)


def _on_aiohttp() -> httpx.AsyncClient:
    def session() -> aiohttp.ClientSession:
        connector = aiohttp.TCPConnector(limit=0)
        return aiohttp.ClientSession(connector=connector, cookie_jar=aiohttp.DummyCookieJar())

    transport = AiohttpTransport(verify=False, client=session)
    return httpx.AsyncClient(transport=transport, trust_env=False, timeout=30)


TRANSPORTS: dict[str, Callable[[], httpx.AsyncClient]] = {"httpx": _on_httpx, "httpx-aiohttp": _on_aiohttp}


async def _plain(client: httpx.AsyncClient, base: str) -> None:
    answer = await client.post(f"{base}/plain", content=_BODY)
    assert answer.json()["choices"]


async def _stream(client: httpx.AsyncClient, base: str) -> None:
    pieces = 0
    async with client.stream("POST", f"{base}/stream", content=_BODY) as answer:
        async for event in EventSource(answer).aiter_sse():
            pieces += event.data != "[DONE]" and len(json.loads(event.data)["choices"])
    assert pieces == PIECES


@dataclass
class _Row:
    """Figures of one transport under one load, over all rounds."""

    latency: list[float] = field(default_factory=list)
    cpu: list[float] = field(default_factory=list)
    rate: list[float] = field(default_factory=list)


async def _measure(row: _Row, client: httpx.AsyncClient, base: str, call: _Call, calls: int, at_once: int) -> None:
    async def worker() -> None:
        for _ in range(calls // at_once):
            begin = time.perf_counter()
            await call(client, base)
            row.latency.append(time.perf_counter() - begin)

    cpu, wall = time.process_time(), time.perf_counter()
    await asyncio.gather(*(worker() for _ in range(at_once)))
    row.cpu.append((time.process_time() - cpu) / calls)
    row.rate.append(calls / (time.perf_counter() - wall))


LOADS: tuple[tuple[str, _Call, int, int], ...] = (
    ("plain, 1 at once", _plain, 128, 1),
    ("plain, 16 at once", _plain, 256, 16),
    ("stream, 1 at once", _stream, 48, 1),
    ("stream, 16 at once", _stream, 96, 16),
)


async def _run(base: str) -> dict[tuple[str, str], _Row]:
    rows = {(load[0], name): _Row() for load in LOADS for name in TRANSPORTS}
    clients = {name: make() for name, make in TRANSPORTS.items()}
    for warm in (True, *[False] * ROUNDS):
        for label, call, calls, at_once in LOADS:
            for name, client in clients.items():
                row = _Row() if warm else rows[label, name]
                await _measure(row, client, base, call, calls, at_once)
    for client in clients.values():
        await client.aclose()
    return rows


def _print(rows: dict[tuple[str, str], _Row]) -> None:
    print(f"{'':20}{'transport':15}{'p50 ms':>8}{'p99 ms':>8}{'CPU ms/call':>13}{'calls/s':>9}{'CPU ratio':>11}")
    for label, *_ in LOADS:
        base = statistics.median(rows[label, "httpx"].cpu)
        for name in TRANSPORTS:
            row = rows[label, name]
            cpu = statistics.median(row.cpu)
            ordered = sorted(row.latency)
            print(
                f"{label:20}{name:15}{statistics.median(ordered) * 1e3:8.2f}{ordered[int(len(ordered) * 0.99)] * 1e3:8.2f}"
                f"{cpu * 1e3:13.2f}{statistics.median(row.rate):9.0f}{cpu / base:11.2f}"
            )


async def _with_server() -> dict[tuple[str, str], _Row]:
    server = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "bench.transport", "--serve", stdout=asyncio.subprocess.PIPE
    )
    assert server.stdout is not None
    try:
        port = int(await server.stdout.readline())
        return await _run(f"http://127.0.0.1:{port}")
    finally:
        server.terminate()
        await server.wait()


def main() -> None:
    """Run both transports under every load and print a table."""
    _print(asyncio.run(_with_server()))


if __name__ == "__main__":
    asyncio.run(_serve()) if sys.argv[1:] == ["--serve"] else main()
