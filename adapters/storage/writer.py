"""Group commit: one thread, one connection, one transaction for all that was submitted while the last one was written.

Each submission runs inside its own savepoint; one that fails is taken back alone. Nobody hears of success before the COMMIT,
which is durable: the disk has it. If the transaction as a whole fails (disk full, I/O error), all of it is taken back,
everybody in it hears so, and the next one begins with a new connection.
"""

import asyncio
import queue
import sqlite3
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import Connection

from adapters.storage.checkpoints import Checkpoints
from adapters.storage.sql_errors import translation
from core.errors import StorageError

LARGEST_BATCH = 256
"""Submissions in one transaction, so that the first of them never waits for an endless queue."""

_SAVE, _KEEP, _TAKE_BACK = "SAVEPOINT submission", "RELEASE submission", "ROLLBACK TO submission"


@dataclass(slots=True, eq=False)
class Submission:
    """One write and who waits for it."""

    run: Callable[[Connection], Any]
    loop: asyncio.AbstractEventLoop
    future: "asyncio.Future[Any]"
    result: Any = None
    error: Exception | None = None

    def settle(self) -> None:
        """Tell the caller, on the caller's loop. One that was cancelled meanwhile is not told."""
        if self.future.done():
            return
        if self.error is not None:
            self.future.set_exception(self.error)
        else:
            self.future.set_result(self.result)


class Writer:
    """The writing half of a database. `connect` opens its connection, and opens it again after a failure."""

    def __init__(self, connect: Callable[[], Connection], checkpoints: Checkpoints, path: Path) -> None:
        self.commits = 0
        self._connect = connect
        self._checkpoints = checkpoints
        self._path = path
        self._connection: Connection | None = connect()
        self._queue: queue.SimpleQueue[Submission | None] = queue.SimpleQueue()
        self._gate = threading.Lock()
        self._closed = False
        self._thread = threading.Thread(target=self._work, name=f"writer of {path.name}", daemon=True)
        self._thread.start()

    def submit(self, submission: Submission) -> None:
        """Queue it. Raises StorageError after `close`."""
        with self._gate:
            if self._closed:
                raise StorageError("storage", f"The database {self._path} is closed.", "Start the program again.")
            self._queue.put(submission)

    def close(self) -> None:
        """Write what is queued, then end. May be called twice, and from any thread."""
        with self._gate:
            if not self._closed:
                self._closed = True
                self._queue.put(None)
        self._thread.join()

    def _work(self) -> None:
        while (batch := self._next_batch()) is not None:
            try:
                self._write(batch)
            except Exception as error:
                self._drop_connection()
                for submission in batch:
                    submission.error = translation(error, self._path)
            _settle(batch)
        self._drop_connection()
        self._checkpoints.end()

    def _next_batch(self) -> list[Submission] | None:
        first = self._queue.get()
        if first is None:
            return None
        batch = [first]
        while len(batch) < LARGEST_BATCH:
            try:
                following = self._queue.get_nowait()
            except queue.Empty:
                break
            if following is None:
                self._queue.put(None)  # the end comes after this batch
                break
            batch.append(following)
        return batch

    def _write(self, batch: list[Submission]) -> None:
        if self._connection is None:
            self._connection = self._connect()
        driver = driver_of(self._connection)
        self._checkpoints.take_over(driver)
        with self._connection.begin():
            for submission in batch:
                self._run(submission, self._connection, driver)
        self.commits += 1

    def _run(self, submission: Submission, connection: Connection, driver: sqlite3.Connection) -> None:
        driver.execute(_SAVE)
        try:
            submission.result = submission.run(connection)
        except Exception as error:
            if not driver.in_transaction:
                raise  # SQLite has given up the whole transaction, so nothing of this batch may be confirmed
            driver.execute(_TAKE_BACK)
            submission.error = translation(error, self._path)
        driver.execute(_KEEP)

    def _drop_connection(self) -> None:
        if self._connection is not None:
            connection, self._connection = self._connection, None
            connection.invalidate()
            connection.close()


def driver_of(connection: Connection) -> sqlite3.Connection:
    """SQLite's own connection under SQLAlchemy's, for what is SQLite's alone: savepoints at no cost, pragmas."""
    driver = connection.connection.driver_connection
    assert isinstance(driver, sqlite3.Connection)
    return driver


def _settle(batch: list[Submission]) -> None:
    """One call into each loop, not one for each submission. A loop that has ended has nobody left to tell."""
    for loop in {submission.loop for submission in batch}:
        mine = [submission for submission in batch if submission.loop is loop]
        with suppress(RuntimeError):
            loop.call_soon_threadsafe(_settle_all, mine)


def _settle_all(submissions: list[Submission]) -> None:
    for submission in submissions:
        submission.settle()
