"""No test reaches beyond this machine: an audit hook refuses every address but loopback and unix sockets.

A refusal raises where the call was made and is remembered, so that a test fails also where the product caught the error.
"""

import ipaddress
import os
import sys

_NAMES = {"localhost", "localhost.localdomain", "ip6-localhost", ""}
_FORGOTTEN = (
    ("telegram", "channels.telegram.api_base_url"),
    ("discord", "channels.discord.api_base_url or channels.discord.gateway_url"),
)


class OutsideCall(OSError):
    """A test tried to leave the machine."""


class SocketGuard:
    """Refuses connections and look-ups beyond loopback from `install` on; a process keeps it until it ends."""

    def __init__(self) -> None:
        self.refused: list[str] = []

    def install(self) -> None:
        """Begin to watch. Cannot be undone: audit hooks stay."""
        sys.addaudithook(self._watch)

    def _watch(self, event: str, args: tuple[object, ...]) -> None:
        if event in ("socket.connect", "socket.sendto", "socket.sendmsg", "socket.bind"):
            self._judge(args[-1])
        elif event == "socket.getaddrinfo":
            self._judge((args[0], args[1]))
        elif event in ("socket.gethostbyname", "socket.gethostbyaddr"):
            self._judge((args[0], "any port"))

    def _judge(self, address: object) -> None:
        if not isinstance(address, tuple) or len(address) < 2 or _is_local(address[0]):
            return
        host, port = address[0], address[1]
        name = host.decode(errors="replace") if isinstance(host, bytes) else str(host)
        setting = next((key for part, key in _FORGOTTEN if part in name), "models.providers.<id>.base_url")
        sentence = f"a test tried to reach {name}:{port}. It forgot to point {setting} to a server on 127.0.0.1."
        self.refused.append(sentence)
        raise OutsideCall(sentence)


def _is_local(host: object) -> bool:
    if host is None:
        return True
    text = os.fsdecode(host) if isinstance(host, bytes | str) else str(host)
    if text.lower() in _NAMES:
        return True
    try:
        return ipaddress.ip_address(text.split("%", 1)[0]).is_loopback
    except ValueError:
        return False
