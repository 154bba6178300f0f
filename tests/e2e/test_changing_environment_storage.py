"""The database is locked by another program, or the disk is full: what comes is taken in when it can be stored."""

import resource
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.e2e.environment_stage import listening, served, told, unready, well
from tests.e2e.installation import KEYS, PATIENCE, Gateway, Installation, until
from tests.e2e.telegram_stage import Stage
from tests.fakes.provider_script import slow
from tests.fakes.provider_server import ThreadedProviderServer
from tests.fakes.telegram_server import TelegramServer

pytestmark = pytest.mark.xdist_group("changing environment")

_LOCKER = """
import sqlite3, sys
database = sqlite3.connect(sys.argv[1], isolation_level=None, timeout=30)
database.execute("BEGIN EXCLUSIVE")
print("locked", flush=True)
sys.stdin.read()
"""


@contextmanager
def locked(database: Path) -> Iterator[None]:
    """Another program holds the database."""
    command = [sys.executable, "-c", _LOCKER, str(database)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as locker:
        try:
            assert locker.stdout
            assert locker.stdout.readline() == "locked\n"
            yield
        finally:
            assert locker.stdin
            locker.stdin.close()
            locker.wait(PATIENCE)


@pytest.fixture
def stage(state_dir: Path) -> Iterator[Stage]:
    with TelegramServer() as telegram, ThreadedProviderServer() as provider:
        stage = Stage(Installation(state_dir), telegram, provider)
        listening(stage.house)
        yield stage


def test_a_database_that_is_locked_keeps_messages_at_the_platform_and_answers_them_once_afterwards(
    stage: Stage,
) -> None:
    ada, bob = stage.telegram.private(stage.ada), stage.telegram.private(stage.bob)
    with stage.gateway() as gateway:
        end = stage.serves(stage.ada, ada, "before")
        with locked(stage.house.database):
            stage.ada.says(ada, "one")
            stage.ada.says(ada, "two")
            stage.bob.says(bob, "three")
            unready(gateway, "is locked by another program")
            assert len(served(ada)) == 1
        stage.telegram.wait(lambda: len(served(ada)) == 3 and len(served(bob)) == 1, 30)
        well(gateway)
        stage.settled(stage.ada, ada)
        stage.settled(stage.bob, bob)
        assert (served(ada), len(served(bob)), len(stage.provider.seen)) == ([f"served-by:{end}"] * 3, 1, 4)
        assert (told(gateway, "is locked by another"), told(gateway, "The database can be written again.")) == (1, 1)
        assert told(gateway, "telegram (default):") == 1, "it was connected all the time"


def test_an_answer_that_is_under_way_when_the_database_is_locked_is_shown_once_and_never_again(stage: Stage) -> None:
    ada = stage.telegram.private(stage.ada)
    with stage.gateway() as gateway:
        end = stage.serves(stage.ada, ada, "before")
        (key,) = [key for key in KEYS.values() if key.endswith(end)]
        stage.provider.script[key] = [slow("served-by:LATE")]
        stage.ada.says(ada, "under way")
        stage.provider.wait_seen(2)
        with locked(stage.house.database):
            stage.provider.release()
            gateway.says("could not be stored")
        stage.telegram.wait(lambda: "served-by:LATE" in served(ada), 30)
        until(lambda: stage.house.rows("select count(*) from inbox where state != 'done'") == [(0,)])
        gateway.kill()
    with stage.gateway():
        stage.settled(stage.ada, ada)
        assert served(ada) == [f"served-by:{end}", "served-by:LATE"]
        assert len(stage.provider.seen) == 2


def limit_files(gateway: Gateway, size: int | None) -> None:
    """No file of the process may grow beyond this, as on a full disk; None: as it was."""
    _, most = resource.prlimit(gateway.process.pid, resource.RLIMIT_FSIZE)
    resource.prlimit(gateway.process.pid, resource.RLIMIT_FSIZE, (most if size is None else size, most))


@pytest.mark.skipif(not hasattr(resource, "prlimit"), reason="only Linux limits the files of a running process")
def test_a_disk_that_is_full_keeps_messages_at_the_platform_and_answers_them_once_afterwards(stage: Stage) -> None:
    ada = stage.telegram.private(stage.ada)
    with stage.gateway() as gateway:
        end = stage.serves(stage.ada, ada, "before")
        until(lambda: stage.house.rows("select count(*) from inbox where state != 'done'") == [(0,)])
        limit_files(gateway, 0)
        stage.ada.says(ada, "one")
        stage.ada.says(ada, "two")
        unready(gateway, "database: The database")
        assert told(gateway, "Check the disk") == 1
        limit_files(gateway, None)
        stage.telegram.wait(lambda: len(served(ada)) == 3, 30)
        well(gateway)
        stage.settled(stage.ada, ada)
        assert (served(ada), len(stage.provider.seen)) == ([f"served-by:{end}"] * 3, 3)
        assert (told(gateway, "Check the disk"), told(gateway, "The database can be written again.")) == (1, 1)
