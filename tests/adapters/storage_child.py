"""Another process on the same database, for what only another process can show."""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]

PRELUDE = """
import asyncio, os, sys
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from adapters.storage import migrate
from adapters.storage.engine import open_database
from adapters.storage.sessions import SqlSessionStore
from adapters.storage.state import SqlStateReader
from core.errors import LostRace, StorageError
from core.sessions.key import SessionKey
from core.sessions.session import Choice, Decision, Session
from core.models.ref import ModelRef

path = Path(sys.argv[1])
now = datetime(2026, 3, 1, tzinfo=UTC)
key = SessionKey("main", "terminal:child")

def say(*words):
    os.write(1, (" ".join(map(str, words)) + "\\n").encode())

def decision(text):
    return Decision(at=now, actor="child", action="select", before="", after=str(text), reason="")

def choice(name):
    return Choice(model=ModelRef("acme", str(name)), pin=None, set_by="child", set_at=now)
"""


def start(script: str, *arguments: object) -> "subprocess.Popen[str]":
    """Run the script after the prelude; it may `say` lines, and reads lines from its standard input."""
    command = [sys.executable, "-W", "error", "-c", PRELUDE + script, *map(str, arguments)]
    return subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


def finish(child: "subprocess.Popen[str]", send: str = "") -> list[str]:
    """What it said until its end, which must be a good one."""
    output, _ = child.communicate(send, timeout=30)
    assert child.returncode == 0
    return output.splitlines()
