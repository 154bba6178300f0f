"""The database of one process: one writing connection in a thread of its own, and reading connections beside it.

WAL with synchronous=FULL: with NORMAL a power cut takes acknowledged writes. Reading never waits for writing.
"""

import asyncio
import sqlite3
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Any, TypeVar

from sqlalchemy import Connection, Engine, NullPool, QueuePool, create_engine, event

from adapters.storage.checkpoints import Checkpoints
from adapters.storage.files import address, locked, make_private
from adapters.storage.sql_errors import translating
from adapters.storage.writer import Submission, Writer, driver_of
from core.errors import ConfigError, StorageError

T = TypeVar("T")

_SETUP_SECONDS = 60.0
_WRITING = (
    "PRAGMA synchronous = FULL",
    "PRAGMA fullfsync = ON",  # macOS: without it a sync stops at the disk's own cache
    "PRAGMA foreign_keys = ON",
    "PRAGMA secure_delete = ON",  # what was erased is overwritten, not only forgotten
    "PRAGMA journal_size_limit = 16777216",
)
_READING = ("PRAGMA query_only = ON",)


class Database:
    """An open database; made by `open_database`. Close it, or use it as a context manager."""

    def __init__(self, path: Path, readers: Engine, writer: Writer | None, checkpoints: Checkpoints) -> None:
        self.path = path
        self._readers = readers
        self._writer = writer
        self._checkpoints = checkpoints
        self._dedicated: list[Connection] = []
        self._closed = False

    @property
    def commits(self) -> int:
        """Transactions committed since the opening: fewer than writes, where writes come together."""
        return self._writer.commits if self._writer else 0

    @property
    def checkpoints_itself(self) -> bool:
        """Whether this process is the one with automatic checkpoints."""
        return self._checkpoints.are_ours

    async def write(self, run: Callable[[Connection], T]) -> T:
        """Run `run` in the next transaction; returns its result when that is durable, or raises what it raised.

        `run` is called in the writer's thread and must not commit. If the caller is cancelled, the write may still be done.
        Raises StorageError for what the database refuses; then nothing of this write is stored.
        """
        if self._writer is None:
            raise StorageError("storage", f"The database {self.path} is open for reading only.", "Open it for writing.")
        loop = asyncio.get_running_loop()
        submission = Submission(run, loop, loop.create_future())
        self._writer.submit(submission)
        result: T = await submission.future
        return result

    def read(self, question: Callable[[Connection], T]) -> T:
        """Ask within one snapshot. From any thread; never waits for a writer. Raises StorageError."""
        self._refuse_if_closed()
        with translating(self.path), self._readers.connect() as connection, connection.begin():
            return question(connection)

    async def query(self, question: Callable[[Connection], T]) -> T:
        """`read`, off the loop."""
        return await asyncio.to_thread(self.read, question)

    def dedicated_reader(self) -> Connection:
        """A reading connection of one's own, for who needs to see what changed since. Closed with the database."""
        self._refuse_if_closed()
        with translating(self.path):
            connection = self._readers.connect()
        self._dedicated.append(connection)
        return connection

    def close(self) -> None:
        """Write what is queued, then close every connection. May be called twice. Blocks until the writes are durable."""
        self._closed = True
        if self._writer is not None:
            self._writer.close()
        while self._dedicated:
            self._dedicated.pop().close()
        self._readers.dispose()

    def _refuse_if_closed(self) -> None:
        if self._closed:
            raise StorageError("storage", f"The database {self.path} is closed.", "Start the program again.")

    def __enter__(self) -> "Database":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def open_database(target: Path | str, *, write: bool = True, busy_seconds: float = 5.0) -> Database:
    """Open the database at a path, or at the `sqlite:///` URL of one; with `write` make it, private, if it is missing.

    `busy_seconds` is how long a write waits for another process's. The schema is the business of `migrate.ensure`.
    Raises ConfigError for a URL of another kind, StorageError for a file that cannot be used.
    """
    path = _path_of(target)
    checkpoints = Checkpoints(path)
    if write:
        make_private(path)
        _use_wal(path, busy_seconds)
    elif not path.exists():
        raise StorageError("storage", f"There is no database at {path}.", "Run `remoteclaw db upgrade`.")
    readers = _engine(path, "rw" if write else "ro", busy_seconds, _READING, "BEGIN")
    if not write:
        return Database(path, readers, None, checkpoints)
    engine = _engine(path, "rw", busy_seconds, _WRITING, "BEGIN IMMEDIATE")

    def connect() -> Connection:
        with translating(path), ExitStack() as unfinished:
            connection = unfinished.enter_context(engine.connect())
            checkpoints.begin(driver_of(connection))
            unfinished.pop_all()
            return connection

    return Database(path, readers, Writer(connect, checkpoints, path), checkpoints)


def _path_of(target: Path | str) -> Path:
    if isinstance(target, Path):
        return target
    scheme, separator, rest = target.partition("://")
    if not separator:
        return Path(target)
    kind = scheme.partition("+")[0]
    if kind != "sqlite" or not rest.startswith("/") or len(rest) == 1:
        raise ConfigError(
            "database.url",
            "the URL names no file" if kind == "sqlite" else f"a database of the kind {kind!r} cannot be used",
            "Remove the setting, or name a file: sqlite:////absolute/path/remoteclaw.db",
        )
    return Path(rest[1:])


def _use_wal(path: Path, busy_seconds: float) -> None:
    """The journal mode is kept in the file, so this happens once, under a lock: the switch itself cannot wait for others."""
    with translating(path):
        connection = sqlite3.connect(address(path, "rw"), uri=True, timeout=busy_seconds, isolation_level=None)
        try:
            if connection.execute("PRAGMA journal_mode").fetchone()[0] != "wal":
                with locked(Path(f"{path}.setup-lock"), _SETUP_SECONDS):
                    connection.execute("PRAGMA journal_mode = WAL")
        finally:
            connection.close()


def _engine(path: Path, mode: str, busy_seconds: float, pragmas: tuple[str, ...], begin: str) -> Engine:
    """An engine whose transactions begin as `begin` says; sqlite3's own habit of beginning them is off."""

    def connect() -> sqlite3.Connection:
        connection = sqlite3.connect(
            address(path, mode), uri=True, timeout=busy_seconds, isolation_level=None, check_same_thread=False
        )
        for pragma in pragmas:
            connection.execute(pragma)
        return connection

    def begin_transaction(connection: Connection) -> None:
        connection.exec_driver_sql(begin)

    pool: dict[str, Any] = (
        {"poolclass": NullPool} if pragmas is _WRITING else {"poolclass": QueuePool, "max_overflow": -1}
    )
    engine = create_engine("sqlite://", creator=connect, hide_parameters=True, **pool)
    event.listen(engine, "begin", begin_transaction)
    return engine
