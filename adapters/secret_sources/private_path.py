"""Which files may be read for a secret, and which may be run for one: only what nobody else can have changed."""

import os
import stat
from pathlib import Path

from core.auth.refs import UnresolvedRef


def refuse_unless_regular(name: str, path: str, found: os.stat_result) -> None:
    """Raises UnresolvedRef for links, folders, pipes and devices. `name` begins the sentence."""
    if stat.S_ISLNK(found.st_mode):
        raise UnresolvedRef(f"{name}: {path} must not be a symlink.")
    if not stat.S_ISREG(found.st_mode):
        raise UnresolvedRef(f"{name}: {path} is not a regular file.")


def refuse_if_others_could(
    name: str, path: str, found: os.stat_result, forbidden: int, owners: tuple[int, ...]
) -> None:
    """Raises UnresolvedRef if the file grants any of the `forbidden` bits or belongs to none of `owners`."""
    mode = stat.S_IMODE(found.st_mode)
    if mode & forbidden:
        wanted = mode & ~forbidden
        raise UnresolvedRef(
            f"{name}: {path} cannot be trusted, its permissions are too open (mode {mode:04o}).",
            f"Run: chmod {wanted:o} {path}",
        )
    if found.st_uid not in owners:
        raise UnresolvedRef(f"{name}: {path} belongs to another user.", f"Run: chown {os.geteuid()} {path}")


def is_inside(path: str, folders: tuple[str, ...]) -> bool:
    """Whether a resolved path lies in one of the folders, whatever links lead to them."""
    return any(Path(path).is_relative_to(os.path.realpath(folder)) for folder in folders)


def why(error: OSError) -> str:
    """The reason of a refused system call, for a sentence."""
    return error.strerror or "unknown reason"
