"""What was there before a repair: `backups/<UTC time>/<n>-<repair>/` in the state directory, 0700, its files 0600.

A file of the state directory lies there under its own path, any other one under `outside/` and its whole path. `manifest.json`
names each with its mode, and those that were not there; `bot.doctor.undo` puts back what it names.
"""

import errno
import json
import os
import shutil
import stat
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from bot.doctor.copying import copy_below, sync, write
from core.errors import StoreError

FOLDER = "backups"
MANIFEST = "manifest.json"
VERSION = 1
RESERVE = 10 * 1024 * 1024
"""Bytes that a backup leaves free: what a gateway stores meanwhile matters more."""
LOGS = ("-wal", "-journal")
"""What SQLite keeps beside a database and needs with it."""
INDEX = "-shm"
"""What it makes of the log by itself, and must not find beside another one."""
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
        sync(self._run)
        return made

    def discard(self, folder: Path) -> None:
        """Remove the folder of a repair that changes nothing, and those above it where nothing else is in them."""
        shutil.rmtree(folder, ignore_errors=True)
        with suppress(OSError):
            folder.parent.rmdir()
            self._run = None
            self._root.rmdir()

    def inside(self, path: Path) -> Path:
        """Where a file lies in a backup: never outside of it."""
        whole = Path(os.path.normpath(path.absolute()))
        try:
            return whole.relative_to(os.path.normpath(self._state.absolute()))
        except ValueError:
            return Path("outside", *whole.parts[1:])


@dataclass(slots=True)
class Backup:
    """`bot.doctor.check.Keep`. `folder` is None until something was kept."""

    backups: Backups
    name: str
    folder: Path | None = None
    _entries: list[dict[str, Any]] = field(default_factory=list)

    def file(self, path: Path) -> None:
        """Keep a file, or that there is none. A link is followed. Raises StoreError, and then the folder is gone again."""
        try:
            if not self._has(path):
                self._keep_file(path)
        except OSError as error:
            raise self._refused(path, error) from error

    def mode(self, path: Path) -> None:
        """Keep the permissions of a file or folder. Raises StoreError."""
        try:
            if not self._has(path):
                self._enter(path, None, _mode(path))
        except OSError as error:
            raise self._refused(path, error) from error

    def database(self, path: Path) -> None:
        """Keep a SQLite file and its log, byte by byte. Raises StoreError, also if both change all the time.

        No connection of this process may be open: closing a file here would give up its locks.
        """
        files = [path, *(Path(f"{path}{suffix}") for suffix in LOGS)]
        for _ in range(_TRIES):
            before = [_stamp(file) for file in files]
            for file in files:
                self.file(file)
            if [_stamp(file) for file in files] == before:
                self._enter(Path(f"{path}{INDEX}"), None, None)  # to be made anew from the log, whatever it was
                return
            self._drop()
        raise StoreError(
            "backup", f"{path} is being written, so no backup of it can be made.", "Stop the gateway and try again."
        )

    def _has(self, path: Path) -> bool:
        return any(entry["path"] == str(path) for entry in self._entries)

    def _keep_file(self, path: Path) -> None:
        folder = self._own_folder()
        try:
            found = path.stat()
        except FileNotFoundError:
            if path.is_symlink():
                raise FileNotFoundError(errno.ENOENT, "it is a symbolic link to nothing") from None
            self._enter(path, None, None)
            return
        space = os.statvfs(folder)
        if found.st_size > space.f_bavail * space.f_frsize - RESERVE:
            raise OSError(errno.ENOSPC, "there is not enough space for a copy of it")
        inside = self.backups.inside(path)
        copy_below(path, folder, inside)
        self._enter(path, inside, f"{stat.S_IMODE(found.st_mode):04o}")

    def _own_folder(self) -> Path:
        if self.folder is None:
            self.folder = self.backups.folder(self.name)
        return self.folder

    def _enter(self, path: Path, copy: Path | None, mode: str | None) -> None:
        folder = self._own_folder()
        self._entries.append({"path": str(path), "mode": mode, "copy": str(copy) if copy is not None else None})
        draft = folder / f".{MANIFEST}.tmp"
        write(draft, f"{json.dumps({'version': VERSION, 'files': self._entries}, indent=2)}\n".encode())
        os.replace(draft, folder / MANIFEST)
        sync(folder)

    def _drop(self) -> None:
        if self.folder is not None:
            self.backups.discard(self.folder)
        self.folder, self._entries = None, []

    def _refused(self, path: Path, error: OSError) -> StoreError:
        self._drop()
        return StoreError(
            "backup",
            f"No backup of {path} can be made: {error.strerror or 'unknown reason'}. Nothing was changed.",
            "Check the space, the owner and the permissions of the state directory.",
        )


def _private(folder: Path) -> None:
    """A folder of this user alone; one that others can write must not receive secrets."""
    try:
        folder.mkdir(mode=0o700)
    except FileExistsError:
        found = folder.lstat()
        if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.geteuid():
            raise NotADirectoryError(errno.ENOTDIR, f"{folder} is not a folder of this user") from None
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
            sync(root)
            return made


def _mode(path: Path) -> str:
    return f"{stat.S_IMODE(path.stat().st_mode):04o}"


def _stamp(path: Path) -> tuple[int, int, int] | None:
    try:
        found = path.stat()
    except FileNotFoundError:
        return None
    return found.st_mtime_ns, found.st_size, found.st_ino
