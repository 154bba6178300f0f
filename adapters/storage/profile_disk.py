"""The JSON documents of an agent's folder on disk: read only if nobody else could have changed them, written whole, removed
for good. Every function raises StoreError, and then the file is as it was, except where the sentence says otherwise."""

import os
import stat
from collections.abc import Callable
from pathlib import Path

from adapters.storage.atomic_file import replace_file, sync_directory
from adapters.storage.guarded_file import LARGEST, GuardedFile
from adapters.storage.profile_document import Document, encoded
from core.errors import StoreError

CLOSED = 0o077
"""Permission bits that a file with secrets must not have."""
UNWRITABLE = 0o022
"""Those of a file that may be read by others: who can write it decides which credential serves."""

Check = Callable[[], None]
"""Called just before a change becomes visible; raises where it must not."""


def read_document(path: Path, forbidden: int, *, to_replace: bool = True) -> Document | None:
    """What a file holds, None without one. A link is refused where it is `to_replace`: a change would take the link's place
    and leave its target with the old secrets."""
    try:
        is_link = to_replace and path.is_symlink()
    except OSError as error:
        raise unusable(f"{path}: cannot be read ({error.strerror or 'unknown reason'}).") from error
    if is_link:
        raise unusable(f"{path}: is a symbolic link.", "Put the file itself there.")
    read = GuardedFile(path, forbidden).read()
    if read.error is not None:
        raise unusable(read.error)
    return read.data


def write_document(path: Path, before: Document, after: Document, check: Check) -> None:
    """Put a document in the place of what was read before. Nothing is written where they are the same."""
    try:
        content = encoded(after)
        is_same = content == encoded(before)
    except ValueError as error:
        raise unusable(f"{path}: {error}.") from None
    if is_same and os.path.lexists(path):
        return
    if len(content) > LARGEST:
        raise StoreError("store_write", f"{path} would grow beyond {LARGEST // 2**20} MiB.", "Remove profiles.")
    replace_file(path, content, check=check)


def remove_document(path: Path, check: Check) -> None:
    """Remove a file whose content is kept elsewhere by now. One that is gone already is fine."""
    check()
    try:
        path.unlink(missing_ok=True)
        sync_directory(path.parent)
    except OSError as error:
        raise StoreError(
            "store_write",
            f"{path} is not needed any more, but it cannot be removed: {error.strerror or 'unknown reason'}.",
            "Remove it by hand.",
        ) from error


def unusable(sentence: str, hint: str = "") -> StoreError:
    """The error for a file that is there and cannot be used. A command in the sentence comes last, so that it can be copied."""
    told, run, command = sentence.partition(" Run: ")
    return StoreError("store_unusable", f"{told} Nothing was changed.", f"Run: {command}" if run else hint)


def make_private_folders(root: Path, folder: Path) -> None:
    """See that an agent's folder below `root`/agents is there, each level closed to others."""
    try:
        root.mkdir(mode=0o700, parents=True, exist_ok=True)
        for level in (folder.parents[1], folder.parent, folder):
            _make_private(level)
    except OSError as error:
        raise StoreError(
            "store_write",
            f"{folder} cannot be made: {error.strerror or 'unknown reason'}.",
            f"Check the owner, the permissions and the space of {root}.",
        ) from error


def _make_private(folder: Path) -> None:
    try:
        folder.mkdir(mode=0o700)
    except FileExistsError:
        found = folder.stat()
        if not stat.S_ISDIR(found.st_mode):
            raise
        if found.st_uid not in (os.geteuid(), 0):
            raise unusable(f"{folder}: belongs to another user.", f"Run: chown {os.geteuid()} {folder}") from None
        if found.st_mode & CLOSED:
            folder.chmod(0o700)
    else:
        sync_directory(folder.parent)
