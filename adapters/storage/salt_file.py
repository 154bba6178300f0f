"""The installation's random salt: what makes its fingerprints of credentials say nothing to anybody else."""

import os
from contextlib import suppress
from pathlib import Path

from adapters.storage.guarded_file import Unusable, read_guarded

LENGTH = 32


def load_salt(path: Path) -> bytes:
    """The salt, made on the first call. Of two processes that make it at once both get the same.

    Raises Unusable, naming the file and what to do: then there are no fingerprints.
    """
    try:
        return _read(path)
    except FileNotFoundError:
        pass
    try:
        _make(path)
    except OSError as error:
        raise Unusable(f"{path}: cannot be made ({error.strerror or 'unknown reason'}).") from error
    return _read(path)


def _read(path: Path) -> bytes:
    salt = read_guarded(path)
    if len(salt) != LENGTH:
        raise Unusable(f"{path}: is damaged. Remove it; cooldowns that are being kept are then forgotten.")
    return salt


def _make(path: Path) -> None:
    """Write under another name and link, so that the file is there either whole or not at all."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    draft = path.with_name(f".{path.name}.{os.getpid()}.{os.urandom(4).hex()}")
    handle = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        with open(handle, "wb") as file:
            file.write(os.urandom(LENGTH))
            file.flush()
            os.fsync(handle)
        with suppress(FileExistsError):  # another process was first, and its salt is as good
            os.link(draft, path)
    finally:
        os.unlink(draft)
