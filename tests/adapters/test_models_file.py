"""models.json on disk: private, whole, locked, and never written over when it cannot be read."""

import json
import os
import stat
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from adapters.storage.models_file import ModelsFiles
from core.errors import StoreError
from core.models.document import Json
from tests.fakes.clock import FakeClock

CONTENT = {
    "generated": {"digest": "d", "providers": ["acme"]},
    "providers": {"acme": {"api": "x", "models": [{"id": "m"}]}},
}


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "state"


@pytest.fixture
def files(root: Path, clock: FakeClock) -> ModelsFiles:
    return ModelsFiles(root, clock)


def keep(files: ModelsFiles, content: object, agent: str = "main", mode: int = 0o600) -> Path:
    path = files.path(agent)
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    path.write_text(content if isinstance(content, str) else json.dumps(content))
    path.chmod(mode)
    return path


def test_a_missing_file_is_an_empty_one(files: ModelsFiles) -> None:
    document = files.load("main")
    assert (dict(document.providers), document.problem, files.digest("main")) == ({}, None, None)
    assert files.load("main") is document


def test_what_is_written_is_private_and_read_again(files: ModelsFiles, root: Path) -> None:
    assert files.edit("writer", lambda _: CONTENT)
    path = root / "agents" / "writer" / "agent" / "models.json"
    assert path == files.path("writer")
    assert json.loads(path.read_text()) == CONTENT
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert {stat.S_IMODE(folder.stat().st_mode) for folder in (path.parent, path.parents[1], path.parents[2])} == {
        0o700
    }
    document = files.load("writer")
    assert [model.ref.name for model in document.providers["acme"].models] == ["m"]
    assert (document.source, document.generated, files.digest("writer")) == (str(path), {"acme"}, "d")
    assert not files.load("main").providers, "another agent has its own"
    assert sorted(os.listdir(path.parent)) == [".models.json.guard", "models.json"], "no lock, no draft is left"


def test_nothing_is_written_where_nothing_differs(files: ModelsFiles) -> None:
    files.edit("main", lambda _: CONTENT)
    before = files.path("main").stat()
    document = files.load("main")
    assert not files.edit("main", lambda found: json.loads(json.dumps(found)))
    assert files.path("main").stat() == before
    assert files.load("main") is document


def test_a_change_is_made_to_what_is_there_when_the_lock_is_held(
    files: ModelsFiles, root: Path, clock: FakeClock
) -> None:
    keep(files, {"providers": {"old": {"apiKey": "sk-old", "baseUrl": "http://h/v1/", "models": None}}, "more": 1})
    files.load("main")
    ModelsFiles(root, clock).edit("main", lambda found: {**found, "more": 2})
    seen: list[Json] = []

    def change(found: Json) -> Json:
        seen.append(found)
        return {**found, "again": True}

    assert files.edit("main", change)
    assert seen[0]["more"] == 2
    old = files.load("main").providers["old"]
    assert old.api_key is not None
    assert (old.api_key.reveal(), old.base_url) == ("sk-old", "http://h/v1")


BROKEN = [
    pytest.param("{", 0o600, "is not valid JSON", id="not JSON"),
    pytest.param("[]", 0o600, "is not a JSON object", id="no object"),
    pytest.param("", 0o600, "is empty", id="empty"),
    pytest.param("[" * 100_000, 0o600, "is not valid JSON", id="deeply nested"),
    pytest.param("{}", 0o644, "open to other users", id="open to others"),
    pytest.param(f'{{"a": "{"x" * 8 * 2**20}"}}', 0o600, "larger than 8 MiB", id="too large"),
]


@pytest.mark.parametrize(("content", "mode", "why"), BROKEN)
def test_a_file_that_cannot_be_used_says_why_and_is_never_written_over(
    files: ModelsFiles, content: str, mode: int, why: str
) -> None:
    path = keep(files, content, mode=mode)
    document = files.load("main")
    assert document.problem is not None
    assert why in document.problem
    assert str(path) in document.problem
    assert (dict(document.providers), files.digest("main")) == ({}, None)
    with pytest.raises(StoreError, match="Nothing was changed"):
        files.edit("main", lambda _: CONTENT)
    assert path.read_text() == content


def test_a_link_is_not_written_through(files: ModelsFiles, tmp_path: Path) -> None:
    target = tmp_path / "elsewhere.json"
    target.write_text("{}")
    target.chmod(0o600)
    path = files.path("main")
    path.parent.mkdir(mode=0o700, parents=True)
    path.symlink_to(target)
    with pytest.raises(StoreError, match="symbolic link"):
        files.edit("main", lambda _: CONTENT)
    assert target.read_text() == "{}"


def test_a_file_would_not_grow_beyond_what_is_read(files: ModelsFiles) -> None:
    files.edit("main", lambda _: CONTENT)
    with pytest.raises(StoreError, match="8 MiB"):
        files.edit("main", lambda found: {**found, "x": "y" * 9 * 2**20})
    assert json.loads(files.path("main").read_text()) == CONTENT


def test_somebody_elses_lock_is_waited_for_so_long_and_no_longer(files: ModelsFiles, clock: FakeClock) -> None:
    path = keep(files, CONTENT)
    stamp = clock.now().isoformat(timespec="milliseconds").replace("+00:00", "Z")
    path.with_name("models.json.lock").write_text(json.dumps({"pid": os.getpid(), "createdAt": stamp}))
    with pytest.raises(StoreError, match="file lock timeout"):
        files.edit("main", lambda _: {}, attempts=1)
    assert json.loads(path.read_text()) == CONTENT


def test_a_directory_that_cannot_be_made_is_a_sentence(files: ModelsFiles, root: Path) -> None:
    root.write_text("a file in its place")
    with pytest.raises(StoreError, match="cannot be made"):
        files.edit("main", lambda _: CONTENT)


@pytest.mark.parametrize("agent", ["../../etc", "a/b", "UPPER case"])
def test_an_agents_name_never_leads_elsewhere(files: ModelsFiles, root: Path, agent: str) -> None:
    path = files.path(agent)
    assert path.is_relative_to(root)
    assert len(path.relative_to(root).parts) == 4


WRITER = """
import sys
from pathlib import Path
from adapters.storage.models_file import ModelsFiles
from bot.system_clock import SystemClock
files = ModelsFiles(Path(sys.argv[1]), SystemClock())
for n in range(int(sys.argv[3])):
    key = f"{sys.argv[2]}{n}"
    files.edit("main", lambda found: {**found, key: True})
"""


def test_processes_that_write_at_once_lose_nothing(files: ModelsFiles, root: Path) -> None:
    commands = [[sys.executable, "-c", WRITER, str(root), name, "8"] for name in ("a", "b")]
    running = [subprocess.Popen(command, stderr=subprocess.PIPE) for command in commands]
    errors = [process.communicate(timeout=60)[1] for process in running]
    assert errors == [b"", b""]
    found: dict[str, Any] = json.loads(files.path("main").read_text())
    assert set(found) == {f"{name}{n}" for name in "ab" for n in range(8)}
