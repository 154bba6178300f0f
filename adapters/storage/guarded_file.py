"""Reading a small file of the state directory that holds secrets: only if nobody else could have read or changed it."""

import json
import os
import stat
import time
from dataclasses import dataclass, field
from pathlib import Path

LARGEST = 8 * 1024 * 1024
_SETTLED_NS = 2_000_000_000


class Unusable(Exception):
    """The file cannot be used; the text names it, why, and what to run."""


@dataclass(frozen=True, slots=True)
class Read:
    """What was read: a JSON object, None where there is no file. `error` tells why a file that is there was not used."""

    data: dict[str, object] | None = None
    error: str | None = None


_Stamp = tuple[int, ...]


@dataclass(slots=True)
class GuardedFile:
    """One JSON file. `read` looks at the file's state each time and parses it again only if that has changed.

    `forbidden` are the permission bits of others that make it unusable.
    """

    path: Path
    forbidden: int = 0o077
    _stamp: _Stamp | None = field(default=None, init=False)
    _settled: bool = field(default=False, init=False)
    _last: Read = field(default=Read(), init=False)

    def read(self) -> Read:
        """The file as it is now. Returns the very same object while it is unchanged; never raises."""
        try:
            stamp = _stamp(os.stat(self.path))
        except FileNotFoundError:
            stamp = None
        except OSError as error:
            self._settled = False
            return self._keep(None, Read(error=f"{self.path}: cannot be read ({error.strerror or 'unknown reason'})."))
        if stamp == self._stamp and self._settled:
            return self._last
        # The times of a file have a coarse tick: one that changed a moment ago may change again and look the same.
        self._settled = stamp is None or time.time_ns() - max(stamp[0], stamp[1]) > _SETTLED_NS
        return self._keep(stamp, Read() if stamp is None else self._parse())

    def _keep(self, stamp: _Stamp | None, fresh: Read) -> Read:
        self._stamp = stamp
        if fresh != self._last:
            self._last = fresh
        return self._last

    def _parse(self) -> Read:
        try:
            data = _decode(self.path, read_guarded(self.path, self.forbidden))
        except FileNotFoundError:
            return Read()
        except Unusable as error:
            return Read(error=str(error))
        return Read(data)


def read_guarded(path: Path, forbidden: int = 0o077, largest: int = LARGEST) -> bytes:
    """The bytes of a regular file that belongs to this user (or root) and is closed to others.

    Raises FileNotFoundError, and Unusable for everything else. Symbolic links are followed; the target is judged.
    """
    try:
        # Without O_NONBLOCK a pipe in the place of the file would block for ever.
        handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    except FileNotFoundError:
        raise
    except OSError as error:
        raise Unusable(f"{path}: cannot be read ({error.strerror or 'unknown reason'}).") from error
    try:
        _refuse_unless_private(path, os.fstat(handle), forbidden)
        with open(handle, "rb", closefd=False) as file:
            content = file.read(largest + 1)
    except OSError as error:
        raise Unusable(f"{path}: cannot be read ({error.strerror or 'unknown reason'}).") from error
    finally:
        os.close(handle)
    if len(content) > largest:
        raise Unusable(f"{path}: is larger than {largest // (1024 * 1024)} MiB, so it is not used.")
    return content


def _refuse_unless_private(path: Path, found: os.stat_result, forbidden: int) -> None:
    if not stat.S_ISREG(found.st_mode):
        raise Unusable(f"{path}: is not a regular file.")
    if found.st_uid not in (os.geteuid(), 0):
        raise Unusable(f"{path}: belongs to another user. Run: chown {os.geteuid()} {path}")
    if found.st_mode & forbidden:
        mode = stat.S_IMODE(found.st_mode)
        raise Unusable(f"{path}: open to other users (mode {mode:04o}), so it is not used. Run: chmod 600 {path}")


def _stamp(found: os.stat_result) -> _Stamp:
    return (found.st_mtime_ns, found.st_ctime_ns, found.st_size, found.st_ino, found.st_mode, found.st_uid)


def _decode(path: Path, content: bytes) -> dict[str, object]:
    if not content.strip():
        raise Unusable(f"{path}: is empty.")
    try:
        data = json.loads(content.decode("utf-8-sig"))
    except (ValueError, RecursionError) as error:
        where = f" (line {error.lineno})" if isinstance(error, json.JSONDecodeError) else ""
        # The cause quotes the file, and the file holds secrets.
        raise Unusable(f"{path}: is not valid JSON{where}.") from None
    if not isinstance(data, dict):
        raise Unusable(f"{path}: is not a JSON object.")
    return data
