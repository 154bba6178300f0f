"""Closing a file or folder to others, and what may be open."""

import os
import stat
from dataclasses import dataclass
from pathlib import Path

from bot.doctor.check import Check, Keep, Repair, Verdict
from core.errors import StoreError

CLOSED, UNWRITABLE = 0o077, 0o022


@dataclass(frozen=True, slots=True)
class Guarded:
    """A file or folder of the installation. `refused` are the rights of others with which the program does not use it,
    `unwanted` all that it should not have."""

    path: Path
    refused: int = 0
    unwanted: int = CLOSED
    is_folder: bool = False
    is_replaced: bool = False
    """Changed by another file in its place: a link there would be lost, so it is refused."""


def look(place: Guarded) -> list[Check]:
    """What is wrong with it, if it is there."""
    path = place.path
    try:
        is_link = path.is_symlink()
        found = path.stat()
    except FileNotFoundError:
        return [_dangling(path)] if path.is_symlink() else []
    except NotADirectoryError:
        return []
    except OSError as failure:
        why = failure.strerror or "unknown reason"
        return [_error("files.unreadable", path, f"{path} cannot be looked at: {why}.", f"Check the owner of {path}.")]
    if stat.S_ISDIR(found.st_mode) != place.is_folder or not (place.is_folder or stat.S_ISREG(found.st_mode)):
        what = "a folder" if place.is_folder else "a regular file"
        return [_error("files.kind", path, f"{path} is not {what}.", "Move it away.")]
    if found.st_uid not in (os.geteuid(), 0):
        step = f"Run as root: chown {os.geteuid()} {path}"
        return [_error("files.owner", path, f"{path} belongs to another user.", step)]
    made = [_linked(path)] if is_link and place.is_replaced else []
    mode = _mode_check(place, stat.S_IMODE(found.st_mode), found.st_uid)
    return made if mode is None else [*made, mode]


def _mode_check(place: Guarded, mode: int, owner: int) -> Check | None:
    path, wanted = place.path, 0o700 if place.is_folder else 0o600
    lacks_own = mode & (0o500 if place.is_folder else 0o400) != (0o500 if place.is_folder else 0o400)
    others = mode & (place.refused | place.unwanted)
    if not others and not lacks_own:
        return None
    told = _told(mode, others, lacks_own, place)
    is_bad = bool(others & (place.refused | UNWRITABLE)) or lacks_own
    repair = closing(path, wanted) if owner == os.geteuid() else None
    verdict = Verdict.ERROR if is_bad else Verdict.WARNING
    return Check("files.mode", verdict, str(path), told, f"Run: chmod {wanted:04o} {path}", repair)


def _told(mode: int, others: int, lacks_own: bool, place: Guarded) -> str:
    if lacks_own:
        return f"{place.path} cannot be read by its own user (mode {mode:04o})."
    what = "written" if others & UNWRITABLE else "read"
    unused = ", so it is not used" if mode & place.refused else ""
    return f"{place.path} can be {what} by other users (mode {mode:04o}){unused}."


def closing(path: Path, mode: int) -> Repair:
    """Of what belongs to this user. A link's target is closed: that is what is read."""

    def run(keep: Keep) -> None:
        try:
            if stat.S_IMODE(path.stat().st_mode) != mode:
                keep.mode(path)
                path.chmod(mode)
        except OSError as failure:
            raise StoreError(
                "store_write", f"{path} cannot be closed: {failure.strerror or 'unknown reason'}.", "Do it by hand."
            ) from failure

    return Repair(id="files.close", text=f"set the mode of {path} to {mode:04o}", run=run)


def _dangling(path: Path) -> Check:
    return _error("files.link", path, f"{path} is a symbolic link to nothing.", "Put the file itself there.")


def _linked(path: Path) -> Check:
    told = f"{path} is a symbolic link, so it is read and never changed."
    return Check("files.link", Verdict.WARNING, str(path), told, "Put the file itself there.")


def _error(name: str, path: Path, text: str, step: str) -> Check:
    return Check(name, Verdict.ERROR, str(path), text, step)
