"""The end of a login in the browser: a server on this machine that takes one redirect (RFC 8252 7.3).

It listens on loopback alone, answers to its own name only, so that no page of the web can pose as the provider, and what is not
the awaited redirect changes nothing.
"""

import asyncio
import errno
import ipaddress
import os
import socket
from collections.abc import Callable
from contextlib import suppress
from html import escape
from typing import Self

from adapters.oauth.authorization import ForeignRedirect
from core.auth.oauth import OAuthProvider
from core.auth.secret import Secret
from core.errors import BotError

_NO_IPV6 = (errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT)
"""What says that this machine has no IPv6. There `localhost` is the other address alone."""
_TRIES = 20
"""How many ports are tried where any will do: one may be free at one address and taken at the other."""
_LARGEST_REQUEST = 32 * 1024
_REQUEST_SECONDS = 10.0
_DONE = "You are logged in as far as the browser goes. Close this window and look at the terminal."
_PAGE = (
    "<!doctype html><html lang=en><meta charset=utf-8><title>RemoteClaw</title>"
    "<body style='font:1.1rem system-ui;max-width:34rem;margin:20vh auto;padding:0 1rem'><h1>RemoteClaw</h1><p>{words}</p>"
)


class Loopback:
    """`async with Loopback(provider) as door`. Raises BotError (code port_busy) where the provider's port cannot be had.

    `localhost` is two addresses, and a browser takes either: whoever held the port at one of them would be given the code."""

    def __init__(self, provider: OAuthProvider) -> None:
        self._host = provider.redirect_host
        self._port = provider.redirect_port
        self._path = provider.redirect_path
        self._servers: list[asyncio.Server] = []
        self._read: Callable[[str], Secret] | None = None

    async def __aenter__(self) -> Self:
        self._answer: asyncio.Future[Secret] = asyncio.get_running_loop().create_future()
        doors = _opened(self._host, self._port)
        self._port = doors[0].getsockname()[1]
        for door in doors:
            self._servers.append(await asyncio.start_server(self._serve, sock=door, limit=_LARGEST_REQUEST))
        return self

    async def __aexit__(self, *_: object) -> None:
        for server in self._servers:
            server.close()
        for server in self._servers:
            await server.wait_closed()
        if self._answer.done() and not self._answer.cancelled():
            self._answer.exception()

    @property
    def redirect_uri(self) -> str:
        """Where the provider is to send the browser: exactly this."""
        return f"http://{self._host}:{self._port}{self._path}"

    def expect(self, read: Callable[[str], Secret]) -> None:
        """From now on there is a redirect to wait for. `read` takes the code out of its query; it raises ForeignRedirect for one
        that is not awaited, and any other BotError ends the waiting."""
        self._read = read

    async def code(self) -> Secret:
        """Wait for the redirect. Raises what `read` has raised."""
        return await self._answer

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            async with asyncio.timeout(_REQUEST_SECONDS):
                head = await reader.readuntil(b"\r\n\r\n")
                status, words = self._answered(head.decode("latin-1").split("\r\n"))
                writer.write(_page(status, words))
                await writer.drain()
        except (TimeoutError, OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            pass
        finally:
            with suppress(OSError):
                writer.close()

    def _answered(self, lines: list[str]) -> tuple[str, str]:
        method, _, rest = lines[0].partition(" ")
        path, _, query = rest.partition(" ")[0].partition("?")
        hosts = [line.partition(":")[2].strip() for line in lines[1:] if line.lower().startswith("host:")]
        if len(hosts) != 1 or not _is_loopback(hosts[0]):
            return "421 Misdirected Request", "This address is not answered here."
        if method != "GET" or path != self._path or self._read is None:
            return "404 Not Found", "There is nothing here."
        if self._answer.done():
            return "410 Gone", "This login is over."
        try:
            code = self._read(query)
        except ForeignRedirect as error:
            return "400 Bad Request", f"{error} The login that the terminal waits for goes on."
        except BotError as error:
            self._answer.set_exception(error)
            return "200 OK", str(error)
        self._answer.set_result(code)
        return "200 OK", _DONE


def _opened(host: str, port: int) -> list[socket.socket]:
    """The same port at every address of the host; `port` 0: any. Raises BotError."""
    tries = _TRIES if port == 0 else 1
    while True:
        try:
            return _at_each_address(host, port)
        except OSError as error:
            tries -= 1
            if tries and error.errno == errno.EADDRINUSE:
                continue
            raise _busy(port, error) from error


def _at_each_address(host: str, port: int) -> list[socket.socket]:
    first = socket.create_server(("127.0.0.1", port))
    if host != "localhost":
        return [first]
    try:
        return [first, socket.create_server(("::1", first.getsockname()[1]), family=socket.AF_INET6)]
    except OSError as error:
        if error.errno in _NO_IPV6:
            return [first]
        first.close()
        raise


def _busy(port: int, error: OSError) -> BotError:
    if error.errno != errno.EADDRINUSE:
        what = f"Port {port}" if port else "A port"
        why = os.strerror(error.errno) if error.errno else "unknown reason"
        reason = f"{what} on this machine cannot be opened ({why})."
    elif port:
        reason = f"Port {port} on this machine is taken, and the provider answers there only."
    else:
        reason = "No port is free on this machine."
    return BotError("port_busy", reason, "End what uses it, or add --method paste.")


def _is_loopback(host: str) -> bool:
    name = host.rpartition(":")[0] if host.rpartition(":")[2].isdigit() else host
    if name == "localhost":
        return True
    try:
        return ipaddress.ip_address(name.strip("[]")).is_loopback
    except ValueError:
        return False


def _page(status: str, words: str) -> bytes:
    body = _PAGE.format(words=escape(words)).encode()
    head = (
        f"HTTP/1.1 {status}\r\nContent-Type: text/html; charset=utf-8\r\nContent-Length: {len(body)}\r\n"
        "Connection: close\r\nCache-Control: no-store\r\nReferrer-Policy: no-referrer\r\n"
        "Content-Security-Policy: default-src 'none'; style-src 'unsafe-inline'\r\n\r\n"
    )
    return head.encode() + body
