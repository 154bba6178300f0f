"""Durable changes of a session's choice: each with its decision, acknowledged when the disk has it. Alone, and 64 at once."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from adapters.storage.engine import open_database
from adapters.storage.migrate import ensure
from adapters.storage.sessions import SqlSessionStore
from bench.raw_commit import RawCommits
from bench.rounds import Case, Group
from core.auth.profiles import PinMode
from core.models.ref import ModelRef
from core.sessions.key import SessionKey
from core.sessions.session import Choice, Decision, Pin, Session

_ALONE = 64
_AT_ONCE = 64
_TIMES = 10
_NOW = datetime(2026, 1, 1, tzinfo=UTC)


@asynccontextmanager
async def writes(directory: Path) -> AsyncIterator[Group]:
    """Pins, against one bare commit each."""
    path = directory / "remoteclaw.db"
    ensure(path)
    with open_database(path) as database, RawCommits(directory / "raw.db") as raw:
        pinning = _Pinning(SqlSessionStore(database))
        base = "a durable commit"
        yield Group(
            [
                Case(base, lambda: raw.measure(_ALONE)),
                Case("a pin, alone", pinning.alone, base),
                Case(f"a pin, {_AT_ONCE} at once", pinning.at_once, base),
            ]
        )


class _Pinning:
    """Pins one session after the other, to and fro."""

    def __init__(self, store: SqlSessionStore) -> None:
        self._store = store
        keys = [SessionKey("main", f"telegram:default:direct:{n}") for n in range(_AT_ONCE)]
        self._sessions = {key: Session(key=key) for key in keys}

    async def alone(self) -> float:
        """Seconds a pin, each waiting for the one before."""
        begin = time.perf_counter()
        for key in list(self._sessions)[:_ALONE]:
            await self._pin(key)
        return (time.perf_counter() - begin) / _ALONE

    async def at_once(self) -> float:
        """Seconds a pin, with so many callers at once."""

        async def caller(key: SessionKey) -> None:
            for _ in range(_TIMES):
                await self._pin(key)

        begin = time.perf_counter()
        await asyncio.gather(*(caller(key) for key in self._sessions))
        return (time.perf_counter() - begin) / (_AT_ONCE * _TIMES)

    async def _pin(self, key: SessionKey) -> None:
        session = self._sessions[key]
        profile = "acme:home" if session.version % 2 else "acme:work"
        pin = Pin(profile=profile, mode=PinMode.STRICT, set_by="telegram:1", set_at=_NOW, order_fingerprint="implicit")
        choice = Choice(model=ModelRef("acme", "large"), pin=pin, set_by="telegram:1", set_at=_NOW)
        decision = Decision(
            at=_NOW, actor="telegram:1", action="pin", before="acme/small", after="acme/large", reason="/model"
        )
        chosen = replace(session, choices=(choice,), undo=session.choices)
        self._sessions[key] = await self._store.save_choice(chosen, (decision,))
