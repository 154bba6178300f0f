"""One gateway per state directory, and what it tells the service manager that started it."""

import fcntl
import os
import socket
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from core.errors import StoreError

LOCK_FILE = "gateway.lock"


@contextmanager
def only_instance(state: Path) -> Iterator[None]:
    """Hold the state directory's gateway lock; the kernel releases it however the process ends.

    Raises StoreError (code `gateway_running`), naming the other process, if another gateway holds it.
    """
    path = state / LOCK_FILE
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600)
    except OSError as error:
        raise StoreError(
            "state_dir", f"{path} cannot be written: {error.strerror}.", "Check who owns the state directory."
        ) from error
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            pid = os.read(descriptor, 20).decode("ascii", "replace").strip() or "unknown"
            raise StoreError(
                "gateway_running",
                f"A gateway (pid {pid}) already serves {state}.",
                "Stop it first, or name another directory in REMOTECLAW_STATE_DIR.",
            ) from error
        os.ftruncate(descriptor, 0)
        os.write(descriptor, f"{os.getpid()}\n".encode())
        yield
    finally:
        os.close(descriptor)


def tell_service_manager(state: str, environ: Mapping[str, str]) -> None:
    """Send `READY=1` or `STOPPING=1` to systemd, if it asked for that. Never fails: the gateway does not depend on it."""
    address = environ.get("NOTIFY_SOCKET", "")
    if not address.startswith(("/", "@")):
        return
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as channel:
            channel.settimeout(1)
            channel.sendto(state.encode(), "\0" + address[1:] if address.startswith("@") else address)
    except OSError:
        return
