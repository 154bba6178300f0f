"""One run of the program, inside the event loop: no shell, a named environment, bounded output, and an end to it and to all that it
has started.

The program is the leader of a session and a process group of its own. The group is killed when the run ends, in whatever way: also
when it was cancelled, and also children that outlive their parent. Only who leaves the group on purpose gets away.
"""

import asyncio
import os
import signal
import subprocess
from collections import deque
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import IO

LONGEST_OUTPUT = 64 * 1024 * 1024
"""Bytes of standard output. An answer of the longest kind comes several times over: piece by piece, whole, and as the result."""
_LONGEST_COMPLAINT = 4096
_LEFT_OVER = 0.2
"""Seconds for what is still in a pipe, or held open by a child, after the program has ended."""


class Silent(Exception):
    """Nothing was written for so many seconds."""


class Overflow(Exception):
    """More was written than any answer has."""


class Run:
    """A run that goes on. Make it with `start`, and leave it with `end` whatever happens."""

    def __init__(self, process: "subprocess.Popen[bytes]") -> None:
        self._process = process
        self._input, self._output, self._errors = map(_opened, (process.stdin, process.stdout, process.stderr))
        self._transports: list[asyncio.ReadTransport] = []
        self._giving: asyncio.WriteTransport | None = None
        self._rest = bytearray()
        self._lines: deque[bytes] = deque()
        self._changed = asyncio.Event()
        self._is_closed = False
        self._written = 0
        self._complaint = bytearray()
        self._exit: int | None = None
        self._exited = asyncio.Event()

    @classmethod
    async def start(
        cls, executable: str, args: Sequence[str], environ: Mapping[str, str], folder: Path, request: bytes
    ) -> "Run":
        """Start it and give it the request. Raises OSError or ValueError where it cannot be started."""
        run = cls(_spawned(executable, args, environ, folder))
        try:
            await run._connect(request)
        except BaseException:
            await run.end()
            raise
        return run

    async def _connect(self, request: bytes) -> None:
        loop = asyncio.get_running_loop()
        output, _ = await loop.connect_read_pipe(lambda: _Listener(self._take, self._close), self._output)
        errors, _ = await loop.connect_read_pipe(lambda: _Listener(self._complain, _nothing), self._errors)
        self._transports = [output, errors]
        self._giving, _ = await loop.connect_write_pipe(lambda: _Listener(_ignore, self._given), self._input)
        with suppress(AttributeError, OSError):
            # Without such a handle (macOS) the end of its output is the end of the program.
            self._exit = os.pidfd_open(self._process.pid)
            loop.add_reader(self._exit, self._has_exited)
        self._giving.write(request)
        self._giving.close()  # once all of it was taken

    async def lines(self, first: float, silence: float) -> AsyncGenerator[bytes, None]:
        """The lines of standard output, until it ends. Raises Silent where the first or the next one does not come within so many
        seconds, Overflow for more than any answer has."""
        patience = first
        while True:
            while self._lines:
                yield self._lines.popleft()
            if self._written > LONGEST_OUTPUT:
                raise Overflow
            if self._is_closed:
                break
            self._changed.clear()
            try:
                async with asyncio.timeout(patience):
                    await self._changed.wait()
            except TimeoutError:
                raise Silent from None
            patience = silence
        if self._rest:
            yield bytes(self._rest)

    async def leave(self, seconds: float) -> None:
        """Wait for the program to end by itself, so long at most: it writes down the conversation last."""
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._exited.wait()

    async def end(self) -> int:
        """Kill whatever is left, and return the exit code: negative for the signal that ended it."""
        _kill_group(self._process)
        if self._exit is not None:
            asyncio.get_running_loop().remove_reader(self._exit)
            os.close(self._exit)
            self._exit = None
        for transport in self._transports:
            transport.close()
        if self._giving is not None:
            self._giving.abort()
        for pipe in (self._input, self._output, self._errors):
            pipe.close()
        return await asyncio.to_thread(self._process.wait)

    @property
    def complaint(self) -> str:
        """The beginning of what it wrote to standard error."""
        return self._complaint.decode(errors="replace")

    def _take(self, data: bytes) -> None:
        self._written += len(data)
        if self._written <= LONGEST_OUTPUT:
            *whole, rest = (self._rest + data).split(b"\n")
            self._lines.extend(bytes(line) for line in whole)
            self._rest = rest
        self._changed.set()

    def _complain(self, data: bytes) -> None:
        self._complaint += data[: _LONGEST_COMPLAINT - len(self._complaint)]

    def _given(self) -> None:
        """All of the request was taken, or the program wants no more of it."""
        self._giving = None

    def _close(self) -> None:
        self._is_closed = True
        self._changed.set()
        if self._exit is None:
            self._exited.set()

    def _has_exited(self) -> None:
        """It has ended, and is not reaped yet: what is left of its group can be told by its number."""
        loop = asyncio.get_running_loop()
        if self._exit is not None:
            loop.remove_reader(self._exit)
        self._exited.set()
        loop.call_later(_LEFT_OVER, self._close)


def _spawned(
    executable: str, args: Sequence[str], environ: Mapping[str, str], folder: Path
) -> "subprocess.Popen[bytes]":
    return subprocess.Popen(  # noqa: S603 - an argument list without a shell, and no word of a chat in it
        [executable, *args],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        cwd=folder,
        env=dict(environ),
        start_new_session=True,
    )


class _Listener(asyncio.Protocol):
    """Hands on what is read, and its end."""

    def __init__(self, take: Callable[[bytes], None], closed: Callable[[], None]) -> None:
        self._take = take
        self._closed = closed

    def data_received(self, data: bytes) -> None:
        self._take(data)

    def connection_lost(self, error: Exception | None) -> None:
        self._closed()


def _ignore(data: bytes) -> None:
    """Standard input gives nothing back."""


def _nothing() -> None:
    """The end of standard error says nothing."""


def _opened(pipe: IO[bytes] | None) -> IO[bytes]:
    assert pipe is not None, "every stream of the program is a pipe"
    return pipe


def _kill_group(process: "subprocess.Popen[bytes]") -> None:
    """While its leader is not reaped nobody else can have its number."""
    if process.returncode is None:
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)
