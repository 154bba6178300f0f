"""The way to speak to a running gateway: a Unix socket in the state directory, one JSON line each way.

Who may open the directory (0700) may ask. A request is `{"command": NAME}` and what the command wants; an answer has `ok`, and
then what the command gave or `code`, `message` and `hint` of its error.
"""

import asyncio
import json
import os
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any

from bot.log import redact, report
from core.errors import BotError, StoreError

SOCKET = "gateway.sock"
_LONGEST_LINE = 64 * 1024
_PATIENCE = 5.0
"""Seconds that a client may take to ask."""
_LONGEST_ADDRESS = 100
"""The kernel takes 107 bytes, on some systems 103."""

Request = Mapping[str, Any]
Answers = Mapping[str, Callable[[Request], Awaitable[Mapping[str, Any]]]]


@asynccontextmanager
async def listen(state: Path, answers: Answers) -> AsyncIterator[None]:
    """Answer while the context is open. The caller holds the directory's gateway lock, so a socket that is there is a leftover.

    Raises StoreError where the socket cannot be made.
    """
    path = state / SOCKET
    path.unlink(missing_ok=True)
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        with _address(path) as address:
            listener.bind(address)
        path.chmod(0o600)
        server = await asyncio.start_unix_server(
            lambda reader, writer: _serve(reader, writer, answers), sock=listener, limit=_LONGEST_LINE
        )
    except OSError as error:
        listener.close()
        raise StoreError("control_socket", f"{path} cannot be made: {error.strerror or 'unknown reason'}.") from error
    try:
        async with server:
            yield
    finally:
        path.unlink(missing_ok=True)


async def _serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, answers: Answers) -> None:
    try:
        async with asyncio.timeout(_PATIENCE):
            line = await reader.readuntil(b"\n")
        answer = await _answer(line, answers)
        writer.write(redact(json.dumps(answer)).encode() + b"\n")
        await writer.drain()
    except (OSError, ValueError, asyncio.IncompleteReadError, asyncio.LimitOverrunError, TimeoutError):
        pass  # who says nothing sensible, or has gone, gets nothing
    finally:
        writer.close()


async def _answer(line: bytes, answers: Answers) -> Mapping[str, Any]:
    try:
        request = json.loads(line)
        command = answers.get(request["command"])
    except (ValueError, KeyError, TypeError, RecursionError):
        return _refusal(BotError("usage", "The gateway did not understand the request."))
    if command is None:
        return _refusal(BotError("usage", "This gateway does not know that command.", "Start it anew after an update."))
    try:
        return {"ok": True, **await command(request)}
    except BotError as error:
        return _refusal(error)
    except Exception as error:
        reference = report(error, "A request on the control socket")
        return _refusal(BotError("internal", f"The gateway failed, reference {reference}.", "Its log has the details."))


def _refusal(error: BotError) -> Mapping[str, Any]:
    return {"ok": False, "code": error.code, "message": error.message, "hint": error.hint}


def ask(state: Path, command: str, timeout: float, **wants: str) -> Mapping[str, Any]:
    """Ask the gateway that serves this directory and give its answer. `timeout` is in seconds, for all of it; `wants` is what the
    command takes.

    Raises BotError: what the gateway refused, or code `no_gateway` where none listens, or `timeout`.
    """
    path = state / SOCKET
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as channel, _address(path) as address:
            channel.settimeout(timeout)
            channel.connect(address)
            channel.sendall(json.dumps({**wants, "command": command}).encode() + b"\n")
            with channel.makefile("rb") as stream:
                line = stream.readline(_LONGEST_LINE)
        answer = json.loads(line)
    except TimeoutError:
        raise BotError("timeout", f"The gateway did not answer within {timeout:g} s.", "Its log says why.") from None
    except (FileNotFoundError, NotADirectoryError, ConnectionRefusedError):
        raise BotError("no_gateway", f"No gateway serves {state}.", "Start it: remoteclaw gateway") from None
    except OSError as error:
        raise BotError("no_gateway", f"{path} cannot be used: {error.strerror or 'unknown reason'}.") from error
    except ValueError:
        raise BotError("no_gateway", "The gateway ended before it answered.", "Its log says why.") from None
    if not isinstance(answer, dict):
        raise BotError("no_gateway", "The gateway gave an answer that this version does not understand.")
    if not answer.get("ok"):
        raise BotError(str(answer.get("code")), str(answer.get("message")), str(answer.get("hint") or ""))
    return answer


@contextmanager
def _address(path: Path) -> Iterator[str]:
    """What to bind or connect to. A path that is too long for the kernel is named by its open directory, where that exists."""
    if len(os.fsencode(path)) <= _LONGEST_ADDRESS or not Path("/proc/self/fd").is_dir():
        yield str(path)
        return
    directory = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        yield f"/proc/self/fd/{directory}/{path.name}"
    finally:
        os.close(directory)
