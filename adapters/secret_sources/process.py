"""Runs a command that gives secrets: no shell, a named environment, and an end to it and to all that it has started.

The command is the leader of a process group of its own. The group is killed when the command has ended, in whatever way: no
child that it leaves behind lives on or keeps its output open. Only who leaves the group on purpose gets away.
"""

import os
import selectors
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from datetime import timedelta
from typing import IO

from adapters.secret_sources.command import Command
from adapters.secret_sources.options import milliseconds

_CHUNK = 65536
_LEFT_OVER = 0.2
"""Seconds for what a process outside the group still holds open after the command has ended."""


class Stopped(Exception):
    """The command gave no answer; the text continues a sentence about it and holds nothing that it has written."""


@dataclass(frozen=True, slots=True)
class Bounds:
    """How long a run may take, how long it may say nothing, and how many bytes it may write to both its outputs."""

    timeout: timedelta
    silence: timedelta
    output: int


def run(command: Command, args: Sequence[str], environ: Mapping[str, str], request: bytes, bounds: Bounds) -> bytes:
    """What the command writes to standard output. Raises Stopped, also for an exit code that is not 0."""
    try:
        process = subprocess.Popen(  # noqa: S603 - an argument list, checked by command.py, and never a shell
            [command.name, *args],
            executable=command.target,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            cwd=command.folder,
            env=dict(environ),
            start_new_session=True,
        )
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else "an argument or variable is not valid"
        raise Stopped(f"could not be started ({reason or 'unknown reason'})") from error
    try:
        with _Conversation(process, request, bounds) as conversation:
            output = conversation.hold()
    finally:
        _end(process)
    if process.returncode < 0:
        raise Stopped(f"was ended by signal {-process.returncode}")
    if process.returncode > 0:
        raise Stopped(f"exited with code {process.returncode}")
    return output


def _end(process: "subprocess.Popen[bytes]") -> None:
    """Kill the group while its leader is not reaped yet, for until then nobody else can have its number."""
    _kill_group(process)
    for pipe in (process.stdin, process.stdout, process.stderr):
        if pipe is not None:
            with suppress(OSError):
                pipe.close()
    with suppress(subprocess.TimeoutExpired):
        process.wait(timeout=1)


def _kill_group(process: "subprocess.Popen[bytes]") -> None:
    if process.returncode is None:
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)


class _Conversation:
    """One request in, two outputs out, until the command has ended or a bound is reached."""

    def __init__(self, process: "subprocess.Popen[bytes]", request: bytes, bounds: Bounds) -> None:
        self._process = process
        self._request = memoryview(request)
        self._bounds = bounds
        self._output = bytearray()
        self._written = 0
        self._started = self._heard = time.monotonic()
        self._ended: float | None = None
        self._open: set[int] = set()
        self._kept = ExitStack()
        self._selector = self._kept.enter_context(selectors.DefaultSelector())
        self._out, self._err, self._in = (_number(pipe) for pipe in (process.stdout, process.stderr, process.stdin))

    def __enter__(self) -> "_Conversation":
        for handle in (self._out, self._err):
            os.set_blocking(handle, False)
            self._selector.register(handle, selectors.EVENT_READ)
            self._open.add(handle)
        os.set_blocking(self._in, False)
        self._selector.register(self._in, selectors.EVENT_WRITE)
        self._exit = self._watch_exit()
        return self

    def __exit__(self, *_: object) -> None:
        self._kept.close()

    def hold(self) -> bytes:
        """Standard output when all is said. Raises Stopped."""
        while self._open and not self._is_over():
            for key, _ in self._selector.select(self._patience()):
                if key.fd == self._in:
                    self._write()
                elif key.fd == self._exit:
                    self._ended = time.monotonic()
                    self._selector.unregister(key.fd)
                    _kill_group(self._process)
                else:
                    self._read(key.fd)
            self._refuse_if_late()
        self._await_exit()
        return bytes(self._output)

    def _watch_exit(self) -> int | None:
        """A handle that tells of the end without reaping. Without one the end is that of both outputs."""
        try:
            handle = os.pidfd_open(self._process.pid)
        except (AttributeError, OSError):
            return None
        self._kept.callback(os.close, handle)
        self._selector.register(handle, selectors.EVENT_READ)
        return handle

    def _read(self, handle: int) -> None:
        try:
            chunk = os.read(handle, _CHUNK)
        except BlockingIOError:
            return
        if not chunk:
            self._selector.unregister(handle)
            self._open.discard(handle)
            return
        self._heard = time.monotonic()
        self._written += len(chunk)
        if self._written > self._bounds.output:
            raise Stopped(f"exceeded maxOutputBytes ({self._bounds.output})")
        if handle == self._out:
            self._output += chunk

    def _write(self) -> None:
        """Give a piece of the request. A command that does not want it may close its input."""
        try:
            self._request = self._request[os.write(self._in, self._request[:_CHUNK]) :]
        except BlockingIOError:
            return
        except BrokenPipeError:
            self._request = self._request[:0]
        if not self._request:
            self._selector.unregister(self._in)
            assert self._process.stdin is not None
            self._process.stdin.close()

    def _patience(self) -> float:
        """Seconds until the next bound."""
        if self._ended is not None:
            return max(0.0, self._ended + _LEFT_OVER - time.monotonic())
        total = self._started + self._bounds.timeout.total_seconds()
        silence = self._heard + self._bounds.silence.total_seconds()
        return max(0.0, min(total, silence) - time.monotonic())

    def _is_over(self) -> bool:
        return self._ended is not None and time.monotonic() >= self._ended + _LEFT_OVER

    def _refuse_if_late(self) -> None:
        if self._ended is not None:
            return
        now = time.monotonic()
        if now - self._started >= self._bounds.timeout.total_seconds():
            raise Stopped(f"timed out after {milliseconds(self._bounds.timeout)}ms")
        if now - self._heard >= self._bounds.silence.total_seconds():
            raise Stopped(f"produced no output for {milliseconds(self._bounds.silence)}ms")

    def _await_exit(self) -> None:
        """Both outputs are closed; the command itself may still go on."""
        if self._exit is None:
            self._reap()
            return
        while self._ended is None:
            for key, _ in self._selector.select(self._patience()):
                if key.fd == self._exit:
                    self._ended = time.monotonic()
                elif key.fd == self._in:
                    self._write()
            self._refuse_if_late()

    def _reap(self) -> None:
        """Where the end cannot be seen without reaping: what is left of the group is killed at once after it."""
        left = self._started + self._bounds.timeout.total_seconds() - time.monotonic()
        try:
            self._process.wait(timeout=max(0.0, left))
        except subprocess.TimeoutExpired:
            raise Stopped(f"timed out after {milliseconds(self._bounds.timeout)}ms") from None
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(self._process.pid, signal.SIGKILL)


def _number(pipe: IO[bytes] | None) -> int:
    assert pipe is not None, "every stream of the command is a pipe"
    return pipe.fileno()
