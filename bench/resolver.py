"""The resolver alone: a pure function of a snapshot, with ever more credentials of one provider. How does its cost grow?

Pinned: by a user, strictly. Kept: the credential that served last, as in nearly every turn. Neither: all of them are put in order.
"""

import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

from bench.rounds import Case, Group
from core.auth.health import ProfileHealth
from core.auth.order import order_fingerprint
from core.auth.profiles import AuthProfile, CredentialKind, PinMode, ProfileSet
from core.auth.secret import Secret
from core.models.catalog import Catalog, ModelEntry, ProviderEntry
from core.models.ref import ModelRef
from core.resolution.resolver import resolve
from core.resolution.rules import AgentRules, Rules
from core.resolution.snapshot import Snapshot, health_by_credential
from core.sessions.key import SessionKey
from core.sessions.session import AutoPin, Choice, Pin, Session

SIZES = (1, 10, 100, 1_000)
_NOW = datetime(2026, 1, 1, tzinfo=UTC)
_MODEL = ModelRef("acme", "small")
_SECONDS = 0.05
"""About how long a measurement lasts, whatever the size."""


@asynccontextmanager
async def resolver(directory: Path) -> AsyncIterator[Group]:
    """Pinned, kept and neither, each against itself with one profile."""
    cases = []
    for word in ("unpinned", "kept", "pinned"):
        for size in SIZES:
            snapshot = _snapshot(size, word)
            base = None if size == 1 else f"{word}, 1 profile"
            name = f"{word}, {size:,} profile{'s' if size > 1 else ''}"
            cases.append(Case(name, partial(_measure, snapshot), base, runs=2))
    shared = _snapshot(SIZES[-1], "unpinned", an_account=4)
    name = f"unpinned, {SIZES[-1]:,} profiles, 4 to an account"
    cases.append(Case(name, partial(_measure, shared), f"unpinned, {SIZES[0]} profile", runs=2))
    yield Group(cases)


async def _measure(snapshot: Snapshot) -> float:
    count, spent = 0, 0.0
    begin = time.perf_counter()
    while spent < _SECONDS:
        resolve(replace(snapshot))  # another one each time: a snapshot keeps what it was asked
        count += 1
        spent = time.perf_counter() - begin
    return spent / count


def _snapshot(size: int, word: str, an_account: int = 0) -> Snapshot:
    profiles = [
        AuthProfile(
            id=f"acme:p{n}",
            provider="acme",
            kind=CredentialKind.API_KEY,
            secret=Secret(f"sk-{n}"),
            fingerprint=f"{n:08x}",
            account=f"account {n // an_account}" if an_account else None,
        )
        for n in range(size)
    ]
    health = tuple(
        ProfileHealth(profile=p.id, fingerprint=p.fingerprint or "", last_used=_NOW - timedelta(seconds=n % 97))
        for n, p in enumerate(profiles)
    )
    provider = ProviderEntry(
        id="acme", base_url="http://127.0.0.1/v1", api="openai-completions", models=(ModelEntry(ref=_MODEL),)
    )
    rules = Rules(agents={"main": AgentRules(id="main", default=_MODEL)}, catalog=Catalog({"acme": provider}))
    session = Session(key=SessionKey("main", "telegram:default:direct:1"))
    middle = f"acme:p{size // 2}"
    if word == "kept":
        auto = AutoPin(
            profile=middle, provider="acme", set_at=_NOW, used_at=_NOW, order_fingerprint=order_fingerprint(None)
        )
        session = replace(session, autos=(auto,))
    elif word == "pinned":
        pin = Pin(
            profile=middle,
            mode=PinMode.STRICT,
            set_by="telegram:1",
            set_at=_NOW,
            order_fingerprint="implicit",
        )
        session = replace(session, choices=(Choice(model=None, pin=pin, set_by="telegram:1", set_at=_NOW),))
    return Snapshot(
        now=_NOW,
        rules=rules,
        session=session,
        parent=None,
        credentials=ProfileSet(profiles={p.id: p for p in profiles}),
        health=health_by_credential(health),
    )
