"""Closing a file or folder to others, and what may be open."""

import os
import pwd
import stat
from dataclasses import dataclass
from pathlib import Path

from bot.doctor.check import Check, Keep, Repair, Verdict, changed, error, warning
from bot.doctor.steps import chmod, typed
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
    """Not used where it is a link: a file that is changed by another one in its place, or a folder that is to hold secrets."""


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
        return [error("files.unreadable", path, f"{path} cannot be looked at: {why}.", f"Check the owner of {path}.")]
    if stat.S_ISDIR(found.st_mode) != place.is_folder or not (place.is_folder or stat.S_ISREG(found.st_mode)):
        what = "a folder" if place.is_folder else "a regular file"
        return [error("files.kind", path, f"{path} is not {what}.", "Move it away.")]
    if found.st_uid not in (os.geteuid(), 0):
        step = f"As root: {_chown(path)}"
        return [error("files.owner", path, f"{path} belongs to another user.", step)]
    made = [_linked(place)] if is_link and place.is_replaced else []
    return [*made, *_mode_checks(place, found)]


def user_name(uid: int) -> str:
    """How a user is called; empty for one that the system does not know."""
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return ""


def _mode_checks(place: Guarded, found: os.stat_result) -> list[Check]:
    path, mode, is_own = place.path, stat.S_IMODE(found.st_mode), found.st_uid == os.geteuid()
    needed = os.R_OK | os.X_OK if place.is_folder else os.R_OK
    lacks_own = mode & _own_bits(place) != _own_bits(place) if is_own else not os.access(path, needed)
    others = mode & (place.refused | place.unwanted)
    if not is_own and found.st_gid in (os.getegid(), *os.getgroups()):
        others &= ~0o040 | place.refused  # root's, and given to this user by the group: how packages install a config
    if not others and not lacks_own:
        return []
    told = _told(mode, others, lacks_own, place)
    is_bad = bool(others & (place.refused | UNWRITABLE)) or lacks_own
    wanted = 0o700 if place.is_folder else 0o600
    step = chmod(f"{wanted:04o}", path) if is_own else f"As root: {_chown(path)} && chmod {wanted:04o} {_word(path)}"
    repair = closing(path, wanted) if is_own else None
    verdict = Verdict.ERROR if is_bad else Verdict.WARNING
    return [Check("files.mode", verdict, str(path), told, step, repair)]


def _own_bits(place: Guarded) -> int:
    return 0o500 if place.is_folder else 0o400


def _told(mode: int, others: int, lacks_own: bool, place: Guarded) -> str:
    if lacks_own:
        return f"{place.path} cannot be read by the user of this program (mode {mode:04o})."
    what = "written" if others & UNWRITABLE else "read"
    unused = ", so it is not used" if others & place.refused else ""
    return f"{place.path} can be {what} by other users (mode {mode:04o}){unused}."


def _chown(path: Path) -> str:
    return f"chown {os.geteuid()} {_word(path)}"


def _word(path: Path) -> str:
    return typed("{path}", "the file", path=path)


def closing(path: Path, mode: int) -> Repair:
    """Of what belongs to this user. A link's target is closed: that is what is read."""

    def run(keep: Keep) -> None:
        try:
            found = path.stat()
            if found.st_uid != os.geteuid():
                raise changed(f"{path} belongs to another user by now.")
            if stat.S_IMODE(found.st_mode) != mode:
                keep.mode(path)
                path.chmod(mode)
        except OSError as failure:
            raise StoreError(
                "store_write", f"{path} cannot be closed: {failure.strerror or 'unknown reason'}.", "Do it by hand."
            ) from failure

    return Repair(id="files.close", text=f"set the mode of {path} to {mode:04o}", run=run)


def _dangling(path: Path) -> Check:
    return error("files.link", path, f"{path} is a symbolic link to nothing.", "Put the file itself there.")


def _linked(place: Guarded) -> Check:
    path = place.path
    if place.is_folder:
        told = f"{path} is a symbolic link, so nothing is kept there and nothing can be repaired."
        return warning("files.link", path, told, "Put a folder there, or move the link away.")
    told = f"{path} is a symbolic link, so it is read and never changed."
    return warning("files.link", path, told, "Put the file itself there.")
