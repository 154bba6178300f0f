"""Copies of files for backups: private from the beginning, whole and durable, and only of regular files."""

import errno
import os
import stat
from pathlib import Path

_PIECE = 1024 * 1024
_NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW


def copy_below(source: Path, folder: Path, inner: Path) -> None:
    """Copy a file to `inner` in a folder of ours, with its times. Raises OSError, also where something is there already."""
    below = folder
    for part in inner.parent.parts:
        below = below / part
        below.mkdir(mode=0o700, exist_ok=True)
    copy(source, folder / inner)


def copy(source: Path, target: Path) -> None:
    """Copy a regular file, with its times, to a new one of the mode 0600. A link is followed, a pipe not waited for. Raises
    OSError."""
    opened = os.open(source, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    with open(opened, "rb") as file:
        found = os.fstat(opened)
        if not stat.S_ISREG(found.st_mode):
            raise OSError(errno.EINVAL, "it is not a regular file")
        handle = os.open(target, _NEW, 0o600)
        with open(handle, "wb") as made:
            while piece := file.read(_PIECE):
                made.write(piece)
            made.flush()
            os.utime(handle, ns=(found.st_atime_ns, found.st_mtime_ns))
            os.fsync(handle)
    sync(target.parent)


def write(path: Path, content: bytes) -> None:
    """Write a private file, in the place of one that is there. Raises OSError."""
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    with open(handle, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(handle)


def sync(folder: Path) -> None:
    """Make new names in a folder durable. Raises OSError."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
