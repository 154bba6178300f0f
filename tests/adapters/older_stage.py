"""What the tests of older stores look at, and the processes that they start."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from adapters.storage.older_stores import import_older_stores
from adapters.storage.profile_file import AuthProfileFiles
from adapters.storage.profile_writer import ProfileWriter
from bot.system_clock import SystemClock
from tests.adapters.older_child import Fingerprinted
from tests.fakes.clock import FakeClock
from tests.fakes.health_store import FakeHealthStore

ROOT = Path(__file__).parents[2]
MAIN, WRITER, SHARED = "agents/main/agent/", "agents/writer/agent/", "credentials/oauth.json"
STORE, AUTH, STATE = MAIN + "auth-profiles.json", MAIN + "auth.json", MAIN + "auth-state.json"
CANARY = "confidential"


def writer_of(state: Path, agent: str = "main") -> ProfileWriter:
    return ProfileWriter(state, agent, SystemClock())


def content(state: Path, name: str = STORE) -> Any:
    return json.loads((state / name).read_text())


def secrets(state: Path, agent: str = "main") -> dict[str, str | None]:
    found = AuthProfileFiles(state).load(agent).profiles
    return {name: profile.secret.reveal() if profile.secret else None for name, profile in found.items()}


async def bring_in(state: Path, health: Any = None, clock: Any = None) -> tuple[str, ...]:
    return await import_older_stores(
        state,
        ["writer"],
        state / "credentials",
        clock or FakeClock(),
        health or FakeHealthStore(),
        Fingerprinted(state),
    )


def child(state: Path, what: str) -> "subprocess.Popen[str]":
    command = [sys.executable, "-m", "tests.adapters.older_child", str(state), what]
    return subprocess.Popen(command, cwd=ROOT, text=True, stdout=subprocess.PIPE)


def view(state: Path, agent: str) -> object:
    """What a reader sees of the stores, wherever it stands."""
    found = AuthProfileFiles(state).load(agent)
    return secrets(state, agent), found.order, found.problems, found.unreadable
