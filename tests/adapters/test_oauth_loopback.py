"""Where the browser comes back to: every address that its name means, or none."""

import asyncio
import errno
import os
import socket
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

import pytest

from adapters.oauth.loopback import Loopback
from core.auth.oauth import OAuthProvider
from core.auth.secret import Secret
from core.errors import BotError

_create_server = socket.create_server


def _has_ipv6() -> bool:
    try:
        _create_server(("::1", 0), family=socket.AF_INET6).close()
    except OSError:
        return False
    return True


needs_ipv6 = pytest.mark.skipif(not _has_ipv6(), reason="this machine has no IPv6")


def localhost(port: int = 0) -> OAuthProvider:
    return OAuthProvider(id="acme", redirect_host="localhost", redirect_port=port)


async def page(address: str, port: int) -> bytes:
    reader, writer = await asyncio.open_connection(address, port)
    writer.write(b"GET /callback?code=c HTTP/1.1\r\nhost: localhost\r\n\r\n")
    answer = await reader.read()
    writer.close()
    await writer.wait_closed()
    return answer


@needs_ipv6
async def test_localhost_is_answered_at_both_of_its_addresses() -> None:
    for address in ("127.0.0.1", "::1"):
        async with Loopback(localhost()) as door:
            door.expect(Secret)
            port = urlsplit(door.redirect_uri).port or 0
            assert b"You are logged in" in await page(address, port)
            assert (await door.code()).reveal() == "code=c"


@needs_ipv6
@pytest.mark.parametrize(("address", "family"), [("::1", socket.AF_INET6), ("127.0.0.1", socket.AF_INET)])
async def test_a_port_that_another_program_has_at_one_of_them_is_busy(address: str, family: Any) -> None:
    """A browser may take either, and that program would be given the code."""
    with _create_server((address, 0), family=family) as other:
        port = other.getsockname()[1]
        with pytest.raises(BotError) as told:
            async with Loopback(localhost(port)):
                pass
    assert told.value.code == "port_busy"
    assert f"Port {port} on this machine is taken" in str(told.value)
    async with Loopback(localhost(port)) as door:
        assert door.redirect_uri == f"http://localhost:{port}/callback"


class Machine:
    """`socket.create_server`, where the other address of `localhost` does what a test says."""

    def __init__(self, at_ipv6: Callable[[int], None]) -> None:
        self._at_ipv6 = at_ipv6
        self.asked: list[int] = []

    def __call__(self, address: tuple[str, int], **more: Any) -> socket.socket:
        if address[0] == "::1":
            self.asked.append(address[1])
            self._at_ipv6(address[1])
        return _create_server(address, **more)


@needs_ipv6
async def test_where_any_port_will_do_one_is_taken_that_is_free_at_both(monkeypatch: pytest.MonkeyPatch) -> None:
    others: list[socket.socket] = []

    def take(port: int) -> None:
        if len(others) < 3:
            others.append(_create_server(("::1", port), family=socket.AF_INET6))

    machine = Machine(take)
    monkeypatch.setattr(socket, "create_server", machine)
    async with Loopback(localhost()) as door:
        assert urlsplit(door.redirect_uri).port == machine.asked[-1]
        assert machine.asked[-1] not in {other.getsockname()[1] for other in others}
    assert (len(others), len(machine.asked)) == (3, 4)
    for other in others:
        other.close()


@pytest.mark.parametrize("number", [errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT])
async def test_a_machine_without_ipv6_answers_at_the_address_that_it_has(
    number: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(_: int) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(socket, "create_server", Machine(refuse))
    async with Loopback(localhost()) as door:
        door.expect(Secret)
        assert b"You are logged in" in await page("127.0.0.1", urlsplit(door.redirect_uri).port or 0)


@pytest.mark.parametrize(
    ("port", "number", "words"),
    [
        pytest.param(0, errno.EADDRINUSE, "No port is free on this machine.", id="all are taken"),
        pytest.param(0, errno.EMFILE, "A port on this machine cannot be opened (Too many open files).", id="another trouble"),
        pytest.param(None, errno.EACCES, "on this machine cannot be opened (Permission denied).", id="not allowed"),
    ],
)  # fmt: skip
async def test_what_keeps_it_from_listening_is_said_and_no_port_stays_open(
    port: int | None, number: int, words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with _create_server(("127.0.0.1", 0)) as free:
        fixed = free.getsockname()[1] if port is None else port

    def refuse(_: int) -> None:
        raise OSError(number, os.strerror(number))

    machine = Machine(refuse)
    monkeypatch.setattr(socket, "create_server", machine)
    with pytest.raises(BotError) as told:
        async with Loopback(localhost(fixed)):
            pass
    assert (told.value.code, words in str(told.value), "--method paste" in str(told.value)) == ("port_busy", True, True)
    for tried in machine.asked:
        _create_server(("127.0.0.1", tried)).close()
