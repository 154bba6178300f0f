"""The least that a durable change costs on this machine: sqlite3 by itself, one row, one commit."""

import sqlite3
import time
from pathlib import Path
from types import TracebackType
from typing import Self


class RawCommits:
    """A database of its own, with the journal and the promise of ours. Use it as a context manager."""

    def __init__(self, path: Path) -> None:
        self._connection = sqlite3.connect(path, isolation_level=None)
        for pragma in ("journal_mode = WAL", "synchronous = FULL"):
            self._connection.execute(f"PRAGMA {pragma}")
        self._connection.execute("CREATE TABLE pins (session TEXT PRIMARY KEY, profile TEXT NOT NULL)")

    async def measure(self, count: int) -> float:
        """Seconds for each of so many commits."""
        begin = time.perf_counter()
        for n in range(count):
            self._connection.execute("BEGIN IMMEDIATE")
            self._connection.execute("INSERT OR REPLACE INTO pins VALUES (?, ?)", (f"session {n}", "acme:work"))
            self._connection.execute("COMMIT")
        return (time.perf_counter() - begin) / count

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._connection.close()
