"""The lock that every program which writes these stores knows: a file `<target>.lock` beside the target (credentials.md 1.6).

It is made with exclusive create, holds `{"pid", "createdAt"}`, and is stale once its owner is dead or 30 seconds have passed.
Taking over a stale file is a race that this protocol alone cannot win, so processes of this program also hold an flock on
`.<target>.guard` meanwhile; the kernel drops that one whatever happens.
"""

import atexit
import fcntl
import json
import os
import random
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

from core.clock import Clock
from core.durations import format_duration
from core.errors import StoreError

ATTEMPTS = 11
STALE_AFTER = timedelta(seconds=30)
_SHORTEST_MS, _LONGEST_MS = 100, 10_000
_LARGEST_PAYLOAD = 4096
_TAKEOVERS = 3
"""Stale files that one attempt removes before it counts as failed."""


@dataclass(slots=True)
class _Held:
    """What this process has of one lock. `turn` lets one thread in at a time, that one as often as it likes."""

    lock: Path
    turn: threading.RLock = field(default_factory=threading.RLock)
    depth: int = 0
    pid: int = 0
    content: bytes = b""
    guard: int = -1

    def release(self) -> None:
        if self.is_on_disk():
            with suppress(OSError):
                self.lock.unlink()
        os.close(self.guard)
        self.guard, self.content = -1, b""

    def is_on_disk(self) -> bool:
        return bool(self.content) and self.pid == os.getpid() and _payload(self.lock) == self.content


_held: dict[Path, _Held] = {}
_registry = threading.Lock()


@atexit.register
def _release_all() -> None:
    for held in list(_held.values()):
        if held.depth and held.pid == os.getpid():
            held.release()


class SidecarLock:
    """The lock of one file. `jitter` gives numbers from 0 to 1; `sleep` blocks for that many seconds; `attempts` is how often it
    is tried before somebody else's lock is an error."""

    def __init__(
        self,
        target: Path,
        clock: Clock,
        sleep: Callable[[float], None] = time.sleep,
        jitter: Callable[[], float] = random.random,
        attempts: int = ATTEMPTS,
    ) -> None:
        self._target = target
        self._clock = clock
        self._sleep = sleep
        self._jitter = jitter
        self._attempts = attempts

    @contextmanager
    def held(self) -> Iterator[Callable[[], None]]:
        """Hold it; inside a process a thread may hold it repeatedly. Gives a check to call just before a change becomes visible.

        Raises StoreError: `store_locked` after the last attempt, and from the check if somebody took the lock away meanwhile;
        `store_write` if the lock cannot be made.
        """
        held = self._own()
        with held.turn:
            if held.depth == 0:
                self._acquire(held)
            held.depth += 1
            try:
                yield lambda: self._refuse_if_lost(held)
            finally:
                held.depth -= 1
                if held.depth == 0:
                    held.release()

    def is_left_behind(self) -> bool:
        """Whether a lock file is there whose owner is dead or long done: the next `held` takes it over. Changes nothing."""
        lock = self._file()
        return os.path.lexists(lock) and self._is_stale(lock)

    def _own(self) -> _Held:
        lock = self._file()
        with _registry:
            return _held.setdefault(lock, _Held(lock))

    def _file(self) -> Path:
        return Path(os.path.realpath(self._target.parent)) / f"{self._target.name}.lock"

    def _refuse_if_lost(self, held: _Held) -> None:
        if not held.is_on_disk():
            raise StoreError(
                "store_locked",
                f"Another program took over the lock of {self._target}; nothing was changed.",
                "Try again.",
            )

    def _acquire(self, held: _Held) -> None:
        for attempt in range(self._attempts):
            if attempt:
                self._sleep(self._delay(attempt - 1))
            try:
                if self._try(held):
                    return
            except OSError as error:
                raise StoreError(
                    "store_write",
                    f"{self._target} cannot be locked: {error.strerror or 'unknown reason'}.",
                    f"Check the owner, the permissions and the space of {held.lock.parent}.",
                ) from error
        raise StoreError(
            "store_locked",
            f"file lock timeout for {self._target}: {self._holder(held.lock)}. Nothing was changed.",
            "Wait until that program is done, or end it, and try again.",
        )

    def _delay(self, attempt: int) -> float:
        """Seconds before another attempt: doubled each time, spread, never over ten."""
        plain = min(_LONGEST_MS, max(_SHORTEST_MS, _SHORTEST_MS << attempt))
        return min(_LONGEST_MS, plain * (1 + self._jitter())) / 1000

    def _try(self, held: _Held) -> bool:
        guard = os.open(
            held.lock.with_name(f".{self._target.name}.guard"),
            os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW,
            0o600,
        )
        try:
            with suppress(BlockingIOError):
                fcntl.flock(guard, fcntl.LOCK_EX | fcntl.LOCK_NB)
                for _ in range(_TAKEOVERS):
                    content = self._create(held.lock)
                    if content:
                        held.content, held.pid, held.guard = content, os.getpid(), guard
                        guard = -1
                        return True
                    if not self._is_stale(held.lock):
                        return False
                    with suppress(FileNotFoundError):
                        held.lock.unlink()
            return False
        finally:
            if guard >= 0:
                os.close(guard)

    def _create(self, lock: Path) -> bytes:
        """What was written into the new lock file; nothing if there is one already."""
        created = self._clock.now().isoformat(timespec="milliseconds").replace("+00:00", "Z")
        content = json.dumps({"pid": os.getpid(), "createdAt": created}).encode()
        try:
            handle = os.open(lock, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        except FileExistsError:
            return b""
        try:
            os.write(handle, content)
        except OSError:
            lock.unlink()
            raise
        finally:
            os.close(handle)
        return content

    def _is_stale(self, lock: Path) -> bool:
        content = _payload(lock)
        claim = _claim(content)
        if claim is None:
            try:
                made = datetime.fromtimestamp(lock.lstat().st_mtime, UTC)
            except FileNotFoundError:
                return True
            return self._is_old(made)
        pid, created = claim.get("pid"), _moment(claim.get("createdAt"))
        return created is None or self._is_old(created) or (_is_pid(pid) and not _lives(int(str(pid))))

    def _is_old(self, moment: datetime) -> bool:
        """A clock that was set back makes a lock of the future, which is as old as one of the past."""
        return abs(self._clock.now() - moment) > STALE_AFTER

    def _holder(self, lock: Path) -> str:
        claim = _claim(_payload(lock)) or {}
        pid, created = claim.get("pid"), _moment(claim.get("createdAt"))
        if not _is_pid(pid):
            return "another program holds it"
        since = "" if created is None else f" for {format_duration(self._clock.now() - created)}"
        return f"process {pid} has held it{since}"


def _payload(lock: Path) -> bytes:
    """What a lock file holds; nothing if it cannot be read. A link or a pipe in its place is not followed or waited for."""
    try:
        handle = os.open(lock, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK)
    except OSError:
        return b""
    try:
        return os.read(handle, _LARGEST_PAYLOAD)
    except OSError:
        return b""
    finally:
        os.close(handle)


def _claim(content: bytes) -> dict[str, object] | None:
    try:
        claim = json.loads(content)
    except (ValueError, RecursionError):
        return None
    return claim if isinstance(claim, dict) else None


def _moment(value: object) -> datetime | None:
    try:
        moment = datetime.fromisoformat(value) if isinstance(value, str) else None
    except ValueError:
        return None
    return moment if moment is None or moment.tzinfo else moment.replace(tzinfo=UTC)


def _is_pid(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 < value < 2**31


def _lives(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except OSError:
        return True  # it is somebody else's, and alive
    return True
