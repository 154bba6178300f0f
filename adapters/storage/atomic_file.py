"""Replacing a file so that whoever looks sees the old one or the new one, also after a crash or a power cut."""

import errno
import os
import secrets
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from core.errors import StoreError

_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
_NO_SYNC = (errno.EINVAL, errno.ENOTSUP)
"""What file systems say that cannot sync a directory."""


def replace_file(path: Path, content: bytes, mode: int = 0o600, check: Callable[[], None] = lambda: None) -> None:
    """Write `content` beside the file, make it durable, and rename it into place. Call it only while the file's lock is held:
    drafts that a killed process left behind are removed.

    `check` is called just before the rename and may raise, which leaves everything as it was. Raises StoreError, in which case
    the old file stands, except where it says that the new one does.
    """
    draft = path.with_name(f".{path.name}.{os.getpid()}.{secrets.token_hex(4)}.tmp")
    try:
        for left in path.parent.glob(f".{path.name}.*.tmp"):
            left.unlink(missing_ok=True)
        try:
            _write(draft, content, mode)
            check()
            os.replace(draft, path)
        except BaseException:
            with suppress(OSError):
                os.unlink(draft)
            raise
    except OSError as error:
        raise _refused(path, error) from error
    try:
        sync_directory(path.parent)
    except OSError as error:
        raise StoreError(
            "store_write",
            f"{path} was changed, but the disk did not confirm it: {error.strerror or 'unknown reason'}.",
            "Check the disk and the system's log.",
        ) from error


def sync_directory(directory: Path) -> None:
    """Make a new name in a directory durable."""
    handle = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(handle)
    except OSError as error:
        if error.errno not in _NO_SYNC:
            raise
    finally:
        os.close(handle)


def _write(draft: Path, content: bytes, mode: int) -> None:
    handle = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    try:
        if mode != 0o600:
            os.fchmod(handle, mode)
        rest = memoryview(content)
        while rest:
            rest = rest[os.write(handle, rest) :]
        os.fsync(handle)
    finally:
        os.close(handle)


def _refused(path: Path, error: OSError) -> StoreError:
    hint = "Check who owns it and its directory, and their permissions."
    if error.errno in _FULL:
        hint = "Free some space, then try again."
    return StoreError(
        "store_write", f"{path} cannot be written: {error.strerror or 'unknown reason'}. It is as it was.", hint
    )
