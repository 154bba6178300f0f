"""What was there before a repair: `backups/<UTC time>/<n>-<repair>/` in the state directory, 0700, its files 0600.

A file of the state directory lies there under its own path, any other one under `outside/` and its whole path. `manifest.json`
names each with its mode, and those that were not there. Copying the files back, with their times, undoes the repair.
"""

import errno
import json
import os
import stat
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from core.errors import StoreError

FOLDER = "backups"
MANIFEST = "manifest.json"
_PIECE = 1024 * 1024
_TRIES = 5
"""How often a database is copied that changes meanwhile."""


class Backups:
    """The backups of one run. Nothing is made before the first repair keeps something."""

    def __init__(self, state: Path, now: datetime) -> None:
        self._root = state / FOLDER
        self._state = state
        self._stamp = now.strftime("%Y%m%dT%H%M%SZ")
        self._run: Path | None = None
        self._made = 0

    def of(self, repair: str) -> "Backup":
        """A place for what one repair changes."""
        self._made += 1
        return Backup(self, f"{self._made}-{repair}")

    def folder(self, name: str) -> Path:
        """Make the folder of one repair. Raises OSError."""
        if self._run is None:
            if self._state.stat().st_uid != os.geteuid():
                raise PermissionError(errno.EPERM, "the state directory belongs to another user")
            _private(self._root)
            self._run = _fresh(self._root, self._stamp)
        made = self._run / name
        made.mkdir(mode=0o700)
        _sync(self._run)
        return made

    def inside(self, path: Path) -> Path:
        """Where a file lies in a backup."""
        try:
            return path.relative_to(self._state)
        except ValueError:
            return Path("outside", *path.absolute().parts[1:])


@dataclass(slots=True)
class Backup:
    """`bot.doctor.check.Keep`. `folder` is None until something was kept."""

    backups: Backups
    name: str
    folder: Path | None = None
    _entries: list[dict[str, Any]] = field(default_factory=list)

    def file(self, path: Path) -> None:
        """Keep a file, or that there is none. A link is followed. Raises StoreError."""
        try:
            self._keep_file(path)
        except OSError as error:
            raise _refused(path, error) from error

    def mode(self, path: Path) -> None:
        """Keep the permissions of a file or folder. Raises StoreError."""
        try:
            self._enter({"path": str(path), "mode": _mode(path), "copy": None})
        except OSError as error:
            raise _refused(path, error) from error

    def database(self, path: Path) -> None:
        """Keep a SQLite file and its log, byte by byte. Raises StoreError, also if both change all the time.

        No connection of this process may be open: closing a file here would give up its locks.
        """
        files = [Path(f"{path}{suffix}") for suffix in ("", "-wal", "-journal")]
        for _ in range(_TRIES):
            before = [_stamp(file) for file in files]
            self._entries = [entry for entry in self._entries if entry["path"] not in map(str, files)]
            for file in files:
                self.file(file)
            if [_stamp(file) for file in files] == before:
                return
        raise StoreError(
            "backup", f"{path} is being written, so no backup of it can be made.", "Stop the gateway and try again."
        )

    def _keep_file(self, path: Path) -> None:
        folder = self._own_folder()
        if not path.exists():
            self._enter({"path": str(path), "mode": None, "copy": None})
            return
        inside = self.backups.inside(path)
        target = folder / inside
        _private_below(folder, inside.parent)
        _copy(path, target)
        self._enter({"path": str(path), "mode": _mode(path), "copy": str(inside)})

    def _own_folder(self) -> Path:
        if self.folder is None:
            self.folder = self.backups.folder(self.name)
        return self.folder

    def _enter(self, entry: dict[str, Any]) -> None:
        folder = self._own_folder()
        self._entries.append(entry)
        draft = folder / f".{MANIFEST}.tmp"
        _write(draft, f"{json.dumps({'version': 1, 'files': self._entries}, indent=2)}\n".encode())
        os.replace(draft, folder / MANIFEST)
        _sync(folder)


def _private(folder: Path) -> None:
    """A folder of this user alone; one that others can write must not receive secrets."""
    try:
        folder.mkdir(mode=0o700)
    except FileExistsError:
        found = folder.lstat()
        if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.geteuid():
            raise
        if found.st_mode & 0o077:
            folder.chmod(0o700)


def _fresh(root: Path, stamp: str) -> Path:
    """A folder that nobody has used: two runs may fall into one second."""
    n = 1
    while True:
        made = root / (stamp if n == 1 else f"{stamp}-{n}")
        try:
            made.mkdir(mode=0o700)
        except FileExistsError:
            n += 1
        else:
            _sync(root)
            return made


def _private_below(folder: Path, inner: Path) -> None:
    for part in inner.parts:
        folder = folder / part
        folder.mkdir(mode=0o700, exist_ok=True)


def _copy(source: Path, target: Path) -> None:
    with source.open("rb") as file:
        handle = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        with open(handle, "wb") as copy:
            while piece := file.read(_PIECE):
                copy.write(piece)
            copy.flush()
            found = os.fstat(file.fileno())
            os.utime(handle, ns=(found.st_atime_ns, found.st_mtime_ns))
            os.fsync(handle)
    _sync(target.parent)


def _write(path: Path, content: bytes) -> None:
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    with open(handle, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(handle)


def _sync(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _mode(path: Path) -> str:
    return f"{stat.S_IMODE(path.stat().st_mode):04o}"


def _stamp(path: Path) -> tuple[int, int, int] | None:
    try:
        found = path.stat()
    except FileNotFoundError:
        return None
    return found.st_mtime_ns, found.st_size, found.st_ino


def _refused(path: Path, error: OSError) -> StoreError:
    return StoreError(
        "backup",
        f"No backup of {path} can be made: {error.strerror or 'unknown reason'}. Nothing was changed.",
        "Check the space, the owner and the permissions of the state directory.",
    )
