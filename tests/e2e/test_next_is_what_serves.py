"""Whatever happened before, what status calls `next` is what the next request carries: the real core on the real database.

A random history of commands, failures, steps of the clock, edits of the credentials and restarts. Before every message
`/model status` and `models explain` are asked; then the message is sent, and the provider's record is compared.
"""

import asyncio
import shutil
import tempfile
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule

from adapters.storage.announcements import SqlAnnouncements
from adapters.storage.chats import SqlChatBook
from adapters.storage.engine import Database, open_database
from adapters.storage.health import SqlHealthStore
from adapters.storage.migrate import ensure
from adapters.storage.pairings import SqlPairingStore
from adapters.storage.reader import SqliteStatusReader
from adapters.storage.sessions import SqlSessionStore
from adapters.storage.shown import SqlShownStore
from adapters.storage.state import SqlStateReader
from core.announcements import Announcer
from core.auth.profiles import CredentialKind
from core.chat.turn import Turns
from core.commands.checks import Checks
from core.commands.explain import explain
from core.errors import Failure, FailureReason
from core.gateway import Gateway
from core.messages import Reply, ReplyKind
from core.models.ref import ModelRef
from core.offers import Offers
from core.pairing import Pairing
from core.resolution.resolver import PinSource, resolve
from core.resolution.rules import AgentRules
from core.resolution.source import SnapshotSource
from core.resolution.view import session_view
from core.sessions.key import SessionKey
from tests.fakes.turn_guard import FakeTurnGuard
from tests.world import DIRECT, GROUP, World, profile, rules

KEYS = (DIRECT, GROUP, f"{GROUP}:thread:7")
PROFILES = ("acme:a", "acme:b", "acme:c", "zeta:x", "zeta:y")
COMMANDS = (
    "/model small", "/model big", "/model opus", "/model sonnet-1", "/model auto", "/model default", "/model undo",
    "/model prefer", "/model strict", "/model @a", "/model @b once", "/model @c prefer", "/model big@acme:b for 2m",
    "/model opus@x once", "/model opus@zeta:y", "/model nope", "/model big@x", "/model @gone", "/model", "/model 1",
    "/model 2", "/model 3", "/model status", "/new", "/model why", "/reset",
)  # fmt: skip


class SqlWorld(World):
    """The World on a database file, which can be closed and opened again."""

    def open(self, path: Path) -> None:
        ensure(path)
        self.database: Database = open_database(path)
        store, health = SqlSessionStore(self.database), SqlHealthStore(self.database)
        self.snapshots = SnapshotSource(lambda: self.rules, self.credentials, SqlStateReader(self.database), self.clock)
        turns = Turns(self.snapshots, store, health, self.provider, self.clock)
        shown, checks = SqlShownStore(self.database), Checks(self.snapshots, health, self.check)
        offers = Offers(shown, self.snapshots, self.clock)
        stored, chats = SqlAnnouncements(self.database), SqlChatBook(self.database)
        announcer = Announcer(stored, chats, offers, lambda: self.rules.access.owners, self.redact, self.clock)
        pairing = Pairing(SqlPairingStore(self.database), self.clock, announcer)
        parts = (self.redact, FakeTurnGuard(), checks, pairing, announcer)
        self.gateway = Gateway(self.snapshots, store, shown, turns, self.clock, *parts)
        self.from_outside = SnapshotSource(lambda: self.rules, self.credentials, SqliteStatusReader(path), self.clock)


class NextIsWhatServes(RuleBasedStateMachine):
    """The machine; see the module."""

    def __init__(self) -> None:
        super().__init__()
        self.directory = Path(tempfile.mkdtemp())
        self.runner = asyncio.Runner()

    @initialize(
        fallbacks=st.booleans(),
        order=st.one_of(st.none(), st.lists(st.sampled_from(PROFILES[:3]), max_size=3, unique=True)),
        kind=st.sampled_from([CredentialKind.API_KEY, CredentialKind.TOKEN]),
    )
    def begin(self, fallbacks: bool, order: list[str] | None, kind: CredentialKind) -> None:
        main = AgentRules(
            id="main",
            default=ModelRef("acme", "small"),
            fallbacks=(ModelRef("zeta", "sonnet-1"),) if fallbacks else (),
        )
        self.world = SqlWorld(rules=replace(rules(), agents={"main": main}), profiles=[])
        for name in PROFILES:
            self.world.credentials.put(profile(name, kind if name == "acme:b" else CredentialKind.API_KEY))
        if order is not None:
            self.world.credentials.order("acme", *order)
        self.world.open(self.directory / "state.db")

    def _do(self, text: str, key: str) -> list[Reply]:
        return self.runner.run(self.world.do(self.world.inbound(text, key=key)))

    @rule(command=st.sampled_from(COMMANDS), key=st.sampled_from(KEYS))
    def command(self, command: str, key: str) -> None:
        session = SessionKey.parse(key)
        self.runner.run(self._tell_what_ended(key))
        before = self.world.snapshots.take(session).session
        asked = len(self.world.served)
        replies = self._do(command, key)
        if replies and replies[-1].kind is ReplyKind.ERROR and len(self.world.served) == asked:
            assert self.world.snapshots.take(session).session == before, "an error stores nothing"
        if replies and replies[-1].kind is ReplyKind.NOTICE and command.startswith("/model @"):
            pinned = self.world.resolution(key).pinned
            assert pinned is not None
            assert pinned.source is PinSource.USER

    async def _tell_what_ended(self, key: str) -> None:
        await self.world.do(self.world.inbound("/status", key=key))

    @rule(
        key=st.sampled_from(KEYS),
        outcomes=st.dictionaries(
            st.sampled_from(PROFILES),
            st.tuples(st.sampled_from(list(FailureReason)), st.one_of(st.none(), st.integers(-5, 400))),
            max_size=4,
        ),
    )
    def message(self, key: str, outcomes: dict[str, tuple[FailureReason, int | None]]) -> None:
        world, session = self.world, SessionKey.parse(key)
        for name, (reason, seconds) in outcomes.items():
            retry_at = None if seconds is None else world.clock.now() + timedelta(seconds=seconds)
            world.provider.script[name] = [Failure(reason=reason, retry_at=retry_at)]
        status = self._do("/model status", key)[-1].data
        outside = explain(world.from_outside.take(session), "", ())
        explained = session_view(outside, resolve(outside))
        assert explained["next"] == status["next"]
        assert explained["candidates"] == status["candidates"]
        head = status["candidates"][0] if status["candidates"] else None
        assert (head["profile"] if head else None) == status["next"]["profile"]
        pinned = world.resolution(key).pinned
        asked = len(world.served)
        self._do("hi", key)
        made = [
            (f"{r.endpoint.provider}/{r.model}", p) for r, p in zip(world.provider.requests, world.served, strict=True)
        ]
        made = made[asked:]
        if head is None:
            assert not made, "nothing could serve, so nothing was asked"
        else:
            assert made[0] == (head["model"], head["profile"])
        if pinned is not None and pinned.pin is not None and pinned.mode == "strict":
            assert {p for _, p in made} <= {pinned.profile}, "a strict pin's key is never replaced"
        world.provider.script.clear()

    @rule(seconds=st.sampled_from([1, 29, 30, 31, 60, 119, 120, 121, 300, 3599, 3600, 40_000, -1, -30, -7200]))
    def step(self, seconds: int) -> None:
        self.world.wait(seconds=seconds)

    @rule()
    def restart(self) -> None:
        self.world.database.close()
        self.world.open(self.directory / "state.db")

    @rule(name=st.sampled_from(PROFILES), there=st.booleans(), fingerprint=st.sampled_from(["one", "two"]))
    def edit(self, name: str, there: bool, fingerprint: str) -> None:
        if there:
            self.world.credentials.put(profile(name, fingerprint=fingerprint))
        elif name in self.world.credentials.load("main").profiles:
            self.world.credentials.remove(name)

    @rule(order=st.lists(st.sampled_from(PROFILES[:3]), max_size=3, unique=True))
    def reorder(self, order: list[str]) -> None:
        self.world.credentials.order("acme", *order)

    def teardown(self) -> None:
        if hasattr(self, "world") and hasattr(self.world, "database"):
            self.world.database.close()
        self.runner.close()
        shutil.rmtree(self.directory)


TestNextIsWhatServes = NextIsWhatServes.TestCase
TestNextIsWhatServes.settings = settings(
    max_examples=60,
    stateful_step_count=30,
    deadline=None,
    suppress_health_check=list(HealthCheck),
)
