"""Random stores of today and of older versions: a value or a named problem, never another error, never a hang, nothing lost.

REMOTECLAW_FUZZ is the number of cases, REMOTECLAW_FUZZ_SEED another beginning.
"""

import json
import os
import random
import shutil
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from adapters.storage.older_stores import import_older_stores
from adapters.storage.profile_file import AuthProfileFiles
from adapters.storage.profile_writer import ProfileWriter
from core.auth.profiles import AuthProfile, ProfileSet
from core.errors import StoreError
from tests.adapters.older_child import Fingerprinted
from tests.fakes.clock import START, FakeClock
from tests.fakes.health_store import FakeHealthStore

CASES = int(os.environ.get("REMOTECLAW_FUZZ", "200"))
SEED = int(os.environ.get("REMOTECLAW_FUZZ_SEED", "3"))
LONGEST_SECONDS = 5.0
AGENTS = ("main", "writer")
NOW_MS = int(START.timestamp() * 1000)
_IDS = ("acme:work", "acme:default", "zeta:default", "z.ai:default", "a\\nb", "", "x" * 300, "\\ud800", "p")
_PROVIDERS = ("acme", "zeta", "Z.AI", "z-ai", " Acme ", "", "volcengine-plan", "version", "profiles")
_FIELDS = (
    *("type", "mode", "provider", "key", "apiKey", "keyRef", "token", "tokenRef", "access", "refresh", "expires"),
    *("email", "metadata", "source", "id", "idToken"),
)
_STATS = (
    *("lastUsed", "cooldownUntil", "cooldownReason", "cooldownModel", "disabledUntil", "disabledReason"),
    *("errorCount", "failureCounts", "lastFailureAt"),
)
_TEXTS = ("api_key", "token", "oauth", "sk-1", "sk-2", "${A_KEY}", "env", "default", "rate_limit", "\\ud83d", "", " ")
_NUMBERS = ("0", "-1", "1e999", "-1e999", "NaN", "Infinity", "-Infinity", "1.5", "-0.0", "8640000000000001", "9" * 400)
_REF = '{"source": "env", "provider": "default", "id": "A_KEY"}'


class Author:
    """Writes JSON that is more or less what a store holds. Text, as only text holds a key twice or half a character."""

    def __init__(self, chance: random.Random) -> None:
        self.chance = chance

    def any(self, depth: int = 3) -> str:
        """Anything."""
        kind = self.chance.randrange(9 if depth else 5)
        if kind == 0:
            return self.chance.choice(("null", "true", "false"))
        if kind == 1:
            return self.chance.choice((*_NUMBERS, str(NOW_MS + self.chance.randrange(-(10**9), 10**9))))
        if kind <= 4:
            return self.text(_TEXTS)
        if kind == 5:
            return f"[{', '.join(self.any(depth - 1) for _ in range(self.chance.randrange(3)))}]"
        if kind == 6:
            return _REF
        return self.table((*_FIELDS, *_IDS), lambda: self.any(depth - 1))

    def text(self, among: tuple[str, ...]) -> str:
        return f'"{self.chance.choice(among)}"'

    def table(self, names: tuple[str, ...], value: Callable[[], str], most: int = 4) -> str:
        rows = [f"{self.text(names)}: {value()}" for _ in range(self.chance.randrange(most + 1))]
        return "{" + ", ".join(rows) + "}"

    def mostly(self, value: Callable[[], str]) -> str:
        return self.any() if self.chance.random() < 0.1 else value()

    def entry(self) -> str:
        kind = self.chance.choice(("api_key", "token", "oauth"))
        rows = [f'"type": "{kind}"', f'"provider": {self.text(_PROVIDERS)}', f'"key": {self.text(_TEXTS)}']
        rows += [f"{self.text(_FIELDS)}: {self.any(1)}" for _ in range(self.chance.randrange(4))]
        self.chance.shuffle(rows)
        return "{" + ", ".join(rows[self.chance.randrange(2) :]) + "}"

    def order(self) -> str:
        return self.table(_PROVIDERS, lambda: self.mostly(lambda: f"[{self.text(_IDS)}, {self.text(_IDS)}]"))

    def stats(self) -> str:
        return self.table(_IDS, lambda: self.mostly(lambda: self.table(_STATS, self.any)))

    def store(self) -> str:
        rows = [f'"profiles": {self.mostly(lambda: self.table(_IDS, lambda: self.mostly(self.entry)))}']
        for name, value in (("order", self.order), ("usageStats", self.stats), ("lastGood", self.any)):
            if self.chance.random() < 0.4:
                rows.append(f'"{name}": {self.mostly(value)}')
        if self.chance.random() < 0.2:
            rows.append(f'"imported": {{"auth.json": [{self.text(_IDS)}], "oauth.json": {self.any()}}}')
        if self.chance.random() < 0.5:
            rows.append(f'"version": {self.any(0)}')
        return "{" + ", ".join(rows[1 if self.chance.random() < 0.05 else 0 :]) + "}"

    def logins(self) -> str:
        return self.table(_PROVIDERS, lambda: self.mostly(self.entry))

    def file(self, kind: Callable[[], str]) -> bytes:
        """A file's bytes: mostly whole, sometimes cut off, damaged, without sense or nested without end."""
        fate = self.chance.random()
        content = kind().encode()
        if fate < 0.8:
            return content
        if fate < 0.85:
            return content[: self.chance.randrange(len(content) + 1)]
        if fate < 0.9:
            at = self.chance.randrange(len(content) + 1)
            return content[:at] + self.chance.randbytes(3) + content[at:]
        if fate < 0.93:
            return self.chance.randbytes(self.chance.randrange(40))
        if fate < 0.96:
            depth = self.chance.choice((50, 200, 400, 600, 800, 900, 950, 1000, 5000))
            opening, closing = self.chance.choice((("[", "]"), ('{"a": ', "}")))
            deep = f"{opening * depth}1{closing * depth}"
            return f'{{"profiles": {{"acme:work": {{"type": "api_key", "x": {deep}}}}}, "acme": {deep}}}'.encode()
        return self.any().encode("utf-16") if fate < 0.98 else b"\xef\xbb\xbf" + content


def lay_out(state: Path, author: Author) -> None:
    """Random files in the place of those of the case before."""
    shutil.rmtree(state, ignore_errors=True)
    kinds = {"auth-profiles.json": author.store, "auth.json": author.logins, "auth-state.json": author.store}
    places = [(state / "agents" / agent / "agent" / name, kind) for agent in AGENTS for name, kind in kinds.items()]
    for path, kind in (*places, (state / "credentials" / "oauth.json", author.logins)):
        if author.chance.random() < 0.35:
            continue
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        match author.chance.randrange(60):
            case 0:
                path.symlink_to(author.chance.choice((path, path.with_name("target"), state)))
            case 1:
                os.mkfifo(path, 0o600)
            case 2:
                path.mkdir()
            case n:
                path.touch(0o644 if n == 3 else 0o600)
                path.write_bytes(author.file(kind))


def content(found: ProfileSet) -> dict[str, Any]:
    """Everything of the profiles but where they stand."""

    def one(p: AuthProfile) -> tuple[object, ...]:
        secret = p.secret.reveal() if p.secret else None
        return p.provider, p.kind, secret, p.ref, repr(p.expires), p.refreshable, dict(p.metadata)

    return {name: one(profile) for name, profile in found.profiles.items()}


def read(state: Path) -> dict[str, ProfileSet]:
    files = AuthProfileFiles(state)
    found = {agent: files.load(agent) for agent in AGENTS}
    assert all(problem.isprintable() for one in found.values() for problem in one.problems)
    assert "Secret(***)" in repr(files.secrets()) or not files.secrets()
    return found


async def one_case(state: Path, author: Author) -> None:
    lay_out(state, author)
    before = read(state)
    clock, health = FakeClock(), FakeHealthStore()

    async def bring_in() -> tuple[str, ...]:
        return await import_older_stores(state, AGENTS, state / "credentials", clock, health, Fingerprinted(state))

    said = await bring_in()
    assert all(sentence.isprintable() for sentence in said)
    after = read(state)
    for agent in AGENTS:
        seen, now = content(before[agent]), content(after[agent])
        assert {name: now.get(name) for name in seen} == seen
        assert {**after[agent].order, **before[agent].order} == dict(after[agent].order)
    again = await bring_in()
    assert not [sentence for sentence in again if sentence.startswith("Imported")]
    change(state, author, clock)


def change(state: Path, author: Author, clock: FakeClock) -> None:
    """One edit: refused by name, or it holds."""
    name, agent = author.chance.choice(_IDS[:3]), author.chance.choice(AGENTS)
    writer = ProfileWriter(state, agent, clock)
    refusal = ""
    try:
        if author.chance.random() < 0.5:
            writer.put(name, {"type": "api_key", "provider": "acme", "key": "sk-put"})
            assert content(read(state)[agent])[name][2] == "sk-put"
        else:
            writer.remove(name)
            assert writer.own_provider(name) is None
            writer.set_order("acme", ["acme:work"])
            assert read(state)[agent].order["acme"] == ("acme:work",)
    except StoreError as error:
        refusal = error.message
    assert refusal.isprintable()


async def test_whatever_the_files_hold_it_is_a_value_or_a_named_problem(tmp_path: Path) -> None:
    slowest = 0.0
    for number in range(CASES):
        began = time.perf_counter()
        try:
            await one_case(tmp_path / "state", Author(random.Random(f"{SEED}/{number}")))
        except Exception as error:
            raise AssertionError(f"case {number} of seed {SEED}") from error
        slowest = max(slowest, time.perf_counter() - began)
    assert slowest < LONGEST_SECONDS
    print(json.dumps({"cases": CASES, "seed": SEED, "slowest_ms": round(slowest * 1000)}))
