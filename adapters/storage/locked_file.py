"""Editing a file that people also write by hand: locked, read inside the lock, replaced whole, its permissions kept."""

import os
import stat
from collections.abc import Callable
from pathlib import Path

from adapters.storage.atomic_file import replace_file
from adapters.storage.sidecar_lock import SidecarLock
from core.clock import Clock
from core.errors import StoreError

_PERMISSIONS = 0o666


def edit_file(path: Path, clock: Clock, change: Callable[[bytes], bytes]) -> bool:
    """Put `change` of the content in its place; whether it differs. A missing file is empty, and made 0600. A link is followed.

    Raises StoreError, and what `change` raises; then the file is as it was.
    """
    real = Path(os.path.realpath(path))
    try:
        real.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise _refused(path, error) from error
    with SidecarLock(real, clock).held() as check:
        try:
            before, mode = _read(real)
        except OSError as error:
            raise _refused(path, error) from error
        after = change(before)
        if after == before:
            return False
        replace_file(real, after, mode, check)
    return True


def _read(path: Path) -> tuple[bytes, int]:
    try:
        found = path.stat()
    except FileNotFoundError:
        return b"", 0o600
    if not stat.S_ISREG(found.st_mode):
        raise StoreError("store_unusable", f"{path} is not a regular file. Nothing was changed.")
    if found.st_uid != os.geteuid():
        # A replaced file belongs to whoever replaced it, and its owner could no longer read it.
        raise StoreError(
            "store_unusable", f"{path} belongs to another user. Nothing was changed.", "Run the command as that user."
        )
    return path.read_bytes(), found.st_mode & _PERMISSIONS


def _refused(path: Path, error: OSError) -> StoreError:
    return StoreError(
        "store_write",
        f"{path} cannot be changed: {error.strerror or 'unknown reason'}.",
        "Check who owns it and its directory, and their permissions.",
    )
