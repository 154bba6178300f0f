"""What keeps a test run from hurting anybody: no network but loopback, no real home, no credential of the environment."""

import os
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.fakes.clock import FakeClock
from tests.socket_guard import SocketGuard

_CREDENTIAL = re.compile(r"_API_KEYS?($|_)|_TOKEN$|_SECRET$|_PASSWORD$|^AWS_|^CLAUDE_|^CLAUDECODE|^ANTHROPIC_|^OPENAI_")
_OWN = ("REMOTECLAW_FUZZ",)
"""Variables of the tests themselves: how many random cases, from which seed."""
_GUARD = SocketGuard()


def pytest_configure(config: pytest.Config) -> None:
    """Before any module of the product is imported."""
    for name in list(os.environ):
        if name.startswith(_OWN):
            continue
        if name.startswith(("REMOTECLAW_", "XDG_")) or _CREDENTIAL.search(name.upper()):
            del os.environ[name]
    _GUARD.install()


@pytest.fixture(autouse=True)
def _own_environment() -> Iterator[None]:
    """What a command run inside the test adds to the environment (keys of a `.env`) is gone with it."""
    before = dict(os.environ)
    yield
    for name in os.environ.keys() - before.keys():
        del os.environ[name]
    os.environ.update(before)


@pytest.fixture(autouse=True)
def _own_home(
    _own_environment: None, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`~` is an empty directory, for subprocesses too."""
    monkeypatch.setenv("HOME", str(tmp_path_factory.mktemp("home")))


@pytest.fixture(autouse=True)
def _no_outside_calls() -> Iterator[None]:
    """Fail the test that tried to leave the machine, also where its error was caught."""
    _GUARD.refused.clear()
    yield
    if _GUARD.refused:
        pytest.fail("; ".join(dict.fromkeys(_GUARD.refused)))


@pytest.fixture
def socket_guard() -> SocketGuard:
    """The guard, for the tests of the guard itself."""
    return _GUARD


@pytest.fixture
def state_dir(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty state directory, 0700, that the environment names."""
    path = tmp_path / "state"
    path.mkdir(mode=0o700)
    monkeypatch.setenv("REMOTECLAW_STATE_DIR", str(path))
    return path


@pytest.fixture
def clock() -> FakeClock:
    """A clock that stands still; a sleep is over at once and moves it."""
    return FakeClock()
