"""The same stores twice: in memory and in a real database. A contract asks both the same questions."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from adapters.storage import migrate
from adapters.storage.engine import open_database
from adapters.storage.health import SqlHealthStore
from adapters.storage.inbox import SqlInbox
from adapters.storage.reader import SqliteStatusReader
from adapters.storage.sessions import SqlSessionStore
from adapters.storage.shown import SqlShownStore
from adapters.storage.state import SqlStateReader
from core.auth.ports import HealthStore
from core.ports import Inbox
from core.resolution.ports import StateReader
from core.sessions.ports import SessionStore, ShownStore
from tests.fakes.health_store import FakeHealthStore
from tests.fakes.inbox import FakeInbox
from tests.fakes.session_store import FakeSessionStore
from tests.fakes.shown_store import FakeShownStore
from tests.fakes.state_reader import FakeStateReader


@dataclass(frozen=True)
class Stores:
    """Every port of the database, over one and the same state."""

    sessions: SessionStore
    shown: ShownStore
    health: HealthStore
    inbox: Inbox
    state: StateReader


@pytest.fixture(scope="session")
def empty_database(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """A database at rest with the current schema and nothing in it."""
    path = tmp_path_factory.mktemp("empty") / "remoteclaw.db"
    migrate.upgrade(path)
    return path.read_bytes()


@pytest.fixture(params=["fake", "sqlite"])
def stores(request: pytest.FixtureRequest, tmp_path: Path, empty_database: bytes) -> Iterator[Stores]:
    if request.param == "fake":
        yield fake_stores()
    else:
        yield from sql_stores(tmp_path / "remoteclaw.db", empty_database)


@pytest.fixture(params=["fake", "sqlalchemy", "sqlite3"])
def readable(request: pytest.FixtureRequest, tmp_path: Path, empty_database: bytes) -> Iterator[Stores]:
    """Stores whose `state` is, in turn, every reader that there is."""
    if request.param == "fake":
        yield fake_stores()
        return
    path = tmp_path / "remoteclaw.db"
    for stores in sql_stores(path, empty_database):
        if request.param == "sqlite3":
            yield Stores(stores.sessions, stores.shown, stores.health, stores.inbox, SqliteStatusReader(path))
        else:
            yield stores


def fake_stores() -> Stores:
    inbox = FakeInbox()
    health = FakeHealthStore()
    used: dict[str, int | None] = {}
    sessions = FakeSessionStore(inbox, health, used)
    return Stores(sessions, FakeShownStore(used), health, inbox, FakeStateReader(sessions, health))


def sql_stores(path: Path, content: bytes) -> Iterator[Stores]:
    path.write_bytes(content)
    with open_database(path) as database:
        yield Stores(
            SqlSessionStore(database),
            SqlShownStore(database),
            SqlHealthStore(database),
            SqlInbox(database),
            SqlStateReader(database),
        )
