"""The schema's way up and down, and who is turned away."""

import logging
import shutil
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest
from alembic.config import Config
from alembic.script import ScriptDirectory

from adapters.storage import migrate, schema_steps
from adapters.storage.files import make_private
from adapters.storage.revision import HEAD, REVISIONS
from core.errors import StorageError

ROOT = Path(__file__).parents[2]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "state" / "remoteclaw.db"


def contents(directory: Path) -> dict[str, bytes]:
    return {file.name: file.read_bytes() for file in directory.iterdir()}


def run(path: Path, sql: str) -> None:
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute(sql)


def tables(path: Path) -> set[str]:
    with closing(sqlite3.connect(path)) as connection:
        return {row[0] for row in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}


def test_an_empty_place_gets_the_whole_schema(path: Path):
    assert migrate.current(path) is None
    assert migrate.upgrade(path) == (None, HEAD)
    assert migrate.current(path) == migrate.head() == HEAD
    assert {
        "sessions",
        "choices",
        "history",
        "images",
        "spending",
        "decisions",
        "credentials",
        "windows",
        "shown",
        "inbox",
        "marks",
        "chats",
        "members",
        "pairings",
    } <= tables(path)
    assert path.stat().st_mode & 0o777 == 0o600
    assert migrate.upgrade(path) == (HEAD, HEAD)


def test_there_is_no_drift_between_the_tables_and_the_migrations(path: Path):
    migrate.upgrade(path)
    before = contents(path.parent)
    migrate.check(path)
    assert contents(path.parent) == before


def test_the_revisions_named_in_the_program_are_those_of_the_migrations():
    config = Config()
    config.set_main_option("script_location", str(ROOT / "migrations"))
    script = ScriptDirectory.from_config(config)
    assert tuple(reversed([revision.revision for revision in script.walk_revisions()])) == REVISIONS
    assert script.get_heads() == [HEAD]


def test_every_step_can_be_taken_back(path: Path):
    migrate.upgrade(path)
    for revision in [*reversed(REVISIONS[:-1]), "base"]:
        migrate.downgrade(path, revision)
    assert migrate.current(path) is None
    assert tables(path) <= {"alembic_version", "sqlite_sequence"}
    assert migrate.upgrade(path) == (None, HEAD)
    migrate.check(path)


def test_an_unknown_revision_is_no_way_back(path: Path):
    migrate.upgrade(path)
    with pytest.raises(StorageError, match="no schema 'yesterday'"):
        migrate.downgrade(path, "yesterday")


def test_ensure_does_something_once(path: Path):
    assert migrate.ensure(path) is True
    before = contents(path.parent)
    assert migrate.ensure(path) is False
    assert contents(path.parent) == before


def test_ensure_loads_alembic_only_where_something_is_to_do(path: Path):
    script = (
        "import sys; from pathlib import Path; from adapters.storage import migrate;"
        "print(migrate.ensure(Path(sys.argv[1])), 'alembic' in sys.modules, 'sqlalchemy' in sys.modules)"
    )
    said = [
        subprocess.run(
            [sys.executable, "-W", "error", "-c", script, path], cwd=ROOT, capture_output=True, text=True, check=True
        ).stdout.split()
        for _ in range(2)
    ]
    assert said == [["True", "True", "True"], ["False", "False", "False"]]


@pytest.mark.parametrize("step", [migrate.ensure, migrate.upgrade, migrate.current, migrate.check])
@pytest.mark.parametrize("in_use", [pytest.param(False, id="at rest"), pytest.param(True, id="in use")])
def test_a_newer_database_is_refused_untouched_with_two_ways_out(path: Path, step, in_use: bool):
    migrate.upgrade(path)
    run(path, "UPDATE alembic_version SET version_num = '0999_from_tomorrow'")
    with closing(sqlite3.connect(path)) as user:
        if in_use:
            user.execute("SELECT * FROM sessions")
        before = contents(path.parent)
        with pytest.raises(StorageError) as caught:
            step(path)
        assert contents(path.parent) == before
        assert ("remoteclaw.db-wal" in before) is in_use
    assert caught.value.code == "db_newer"
    assert str(path) in caught.value.message
    assert "Upgrade RemoteClaw" in caught.value.hint
    assert "another state directory" in caught.value.hint
    assert "backup" in caught.value.hint


def write_letter(path: Path) -> None:
    path.write_text("Dear database,\n" * 500)


def write_stranger(path: Path) -> None:
    run(path, "CREATE TABLE recipes (name TEXT)")


@pytest.mark.parametrize("step", [migrate.ensure, migrate.upgrade, migrate.current, migrate.check])
@pytest.mark.parametrize(
    "make", [pytest.param(write_letter, id="a letter"), pytest.param(write_stranger, id="another program's database")]
)
def test_a_file_that_is_not_our_database_is_refused_untouched(path: Path, make, step):
    path.parent.mkdir()
    make(path)
    before = contents(path.parent)
    with pytest.raises(StorageError) as caught:
        step(path)
    assert caught.value.code == "db_unreadable"
    assert str(path) in caught.value.message
    assert contents(path.parent) == before


def test_processes_that_start_at_once_migrate_once(path: Path):
    script = (
        "import sys; from pathlib import Path; from adapters.storage import migrate; import alembic.command, sqlalchemy;"
        "print('ready', flush=True); sys.stdin.readline(); print(*migrate.upgrade(Path(sys.argv[1])))"
    )
    children = [
        subprocess.Popen(
            [sys.executable, "-c", script, str(path)],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for _ in range(3)
    ]
    for child in children:
        assert child.stdout.readline() == "ready\n"
    for child in children:
        child.stdin.write("go\n")
        child.stdin.flush()
    said = sorted(child.communicate(timeout=30)[0].strip() for child in children)
    assert [child.returncode for child in children] == [0, 0, 0]
    assert said == [f"{HEAD} {HEAD}", f"{HEAD} {HEAD}", f"None {HEAD}"]
    migrate.check(path)


def test_a_step_that_fails_changes_nothing(path: Path, tmp_path: Path):
    """A migration that breaks before its last table: the whole step is one transaction."""
    scripts = tmp_path / "migrations"
    shutil.copytree(ROOT / "migrations", scripts, ignore=shutil.ignore_patterns("__pycache__"))
    first = scripts / "versions" / "0001_initial.py"
    head, last_table, tail = first.read_text().partition('    op.create_table(\n        "windows"')
    assert last_table
    first.write_text(f"{head}    raise ZeroDivisionError\n{last_table}{tail}")
    make_private(path)
    with pytest.raises(ZeroDivisionError):
        schema_steps.run(path, HEAD, "upgrade", scripts)
    assert tables(path) == set()
    assert migrate.upgrade(path) == (None, HEAD)
    migrate.check(path)


def test_an_incomplete_installation_is_told(path: Path, tmp_path: Path):
    make_private(path)
    with pytest.raises(StorageError, match="Install RemoteClaw anew"):
        schema_steps.run(path, HEAD, "upgrade", tmp_path / "nothing")


@pytest.mark.parametrize(
    ("change", "code"),
    [
        pytest.param("ALTER TABLE sessions ADD COLUMN mood TEXT", "db_drift", id="a column too many"),
        pytest.param("DROP INDEX ix_shown_at", "db_drift", id="an index missing"),
        pytest.param("DROP TABLE marks", "db_drift", id="a table missing"),
        pytest.param("DELETE FROM alembic_version", "db_behind", id="no revision"),
    ],
)
def test_check_finds_what_is_wrong(path: Path, change: str, code: str):
    migrate.upgrade(path)
    run(path, change)
    with pytest.raises(StorageError) as caught:
        migrate.check(path)
    assert caught.value.code == code


def test_check_of_a_missing_database_says_what_to_do(path: Path):
    with pytest.raises(StorageError, match="no schema yet") as caught:
        migrate.check(path)
    assert caught.value.code == "db_behind"
    assert not path.parent.exists()


def test_migrating_leaves_the_program_s_logging_alone(path: Path):
    before = (logging.root.level, list(logging.root.handlers))
    migrate.upgrade(path)
    assert (logging.root.level, list(logging.root.handlers)) == before


def test_the_scripts_lie_beside_an_installed_program(tmp_path: Path):
    """As in a wheel: the package with the migrations inside it, nothing else of the checkout in sight."""
    for package in ("adapters", "core"):
        shutil.copytree(ROOT / package, tmp_path / package, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copytree(
        ROOT / "migrations",
        tmp_path / "adapters" / "storage" / "migrations",
        ignore=shutil.ignore_patterns("__pycache__"),
    )
    script = (
        "import sys; sys.path.insert(0, sys.argv[1]); from pathlib import Path; from adapters.storage import migrate;"
        "assert migrate.__file__.startswith(sys.argv[1]); print(*migrate.upgrade(Path(sys.argv[2])))"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, tmp_path, tmp_path / "x.db"], cwd="/", capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == f"None {HEAD}"
