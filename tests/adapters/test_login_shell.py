"""What the login shell sets, asked of real shells."""

import os
import select
import time
from collections.abc import Mapping
from contextlib import suppress
from datetime import timedelta
from pathlib import Path

import pytest

from adapters.secret_sources.login_shell import login_shell_variables
from core.errors import BotError

PATIENCE = timedelta(seconds=20)


class Host:
    """A home, shells that are scripts, and the file that lists those that count."""

    def __init__(self, folder: Path) -> None:
        self.home = folder / "home"
        self.home.mkdir()
        self.shells = folder / "shells"
        self.folder = folder
        self.environ = {"HOME": str(self.home), "PATH": os.environ["PATH"]}

    def shell(self, script: str, name: str = "shell", listed: bool = True) -> str:
        path = self.folder / name
        path.write_text(f"#!/bin/sh\n{script}\n")
        path.chmod(0o755)
        self.shells.write_text(f"# valid login shells\n{path if listed else '/bin/other'}\n")
        self.environ["SHELL"] = str(path)
        return str(path)

    def ask(self, timeout: timedelta = PATIENCE, **environ: str) -> Mapping[str, str]:
        return login_shell_variables({**self.environ, **environ}, timeout, self.shells)


@pytest.fixture
def host(tmp_path: Path) -> Host:
    return Host(tmp_path)


def test_the_users_profile_is_read(host: Host):
    (host.home / ".profile").write_text("export GROQ_API_KEY=from-profile\nNOT_EXPORTED=x\n")
    found = host.ask()
    assert found["GROQ_API_KEY"] == "from-profile"
    assert "NOT_EXPORTED" not in found


def test_the_users_own_shell_is_run_as_a_login_shell_if_the_system_lists_it(host: Host):
    path = host.shell('echo "$1 $2 $3" > "$HOME/called"; MINE=yes exec /bin/sh -c "$3"')
    assert host.ask()["MINE"] == "yes"
    assert (host.home / "called").read_text().startswith("-l -c ")
    assert (host.home / "called").read_text().rstrip().endswith("env -0")
    assert host.ask()["SHELL"] == path


@pytest.mark.parametrize(
    "spoil",
    [
        pytest.param(lambda host: host.shell("touch $HOME/run", listed=False), id="C212"),
        pytest.param(lambda host: host.environ.update(SHELL="shell"), id="not absolute"),
        pytest.param(lambda host: host.environ.update(SHELL=f"{host.folder}/x/../shell"), id="not plain"),
        pytest.param(lambda host: host.environ.update(SHELL=f"{host.folder}//shell"), id="double slash"),
        pytest.param(lambda host: host.environ.update(SHELL=""), id="blank"),
        pytest.param(lambda host: host.shells.unlink(), id="no list"),
        pytest.param(lambda host: (host.shells.unlink(), host.shells.mkdir()), id="no file"),
    ],
)
def test_any_other_shell_is_replaced_by_the_usual_one(host: Host, spoil):
    host.shell("touch $HOME/run")
    spoil(host)
    assert host.ask()["SHELL"] == "/bin/sh"
    assert not (host.home / "run").exists()


def test_what_would_make_a_shell_run_something_else_is_taken_away(host: Host):
    (host.folder / "evil").write_text("export EVIL=1\n")
    evil = str(host.folder / "evil")
    found = host.ask(BASH_ENV=evil, ENV=evil, ZDOTDIR=evil, LD_PRELOAD="", PYTHONPATH=evil, GIT_SSH=evil, KEPT="yes")
    assert not set(found) & {"EVIL", "BASH_ENV", "ENV", "ZDOTDIR", "LD_PRELOAD", "PYTHONPATH", "GIT_SSH"}
    assert (found["KEPT"], found["HOME"]) == ("yes", str(host.home))


def test_without_a_home_it_is_that_of_the_user(host: Host):
    assert host.ask(HOME=" ")["HOME"] == str(Path.home())


def test_what_a_profile_prints_is_not_taken_for_a_variable(host: Host):
    (host.home / ".profile").write_text("echo Welcome; echo FAKE=1; printf 'A=2\\n'; export REAL='two\nlines=x'\n")
    found = host.ask()
    assert found["REAL"] == "two\nlines=x"
    assert not set(found) & {"FAKE", "A"}


def test_bytes_that_are_no_text_and_names_that_are_none_are_left_out(host: Host):
    host.shell(r"printf '\0A=\377\0B=b\0=c\0D\0a b=c\0\303\244=x\0'")
    assert host.ask() == {"B": "b"}


@pytest.mark.parametrize(
    ("script", "timeout", "why"),
    [
        pytest.param("sleep 600", timedelta(milliseconds=300), "timed out after 300ms", id="slow"),
        pytest.param("yes sk-printed", PATIENCE, "exceeded maxOutputBytes (2097152)", id="endless"),
        pytest.param("echo sk-printed >&2; exit 3", PATIENCE, "exited with code 3", id="failed"),
        pytest.param("kill -9 $$", PATIENCE, "was ended by signal 9", id="killed"),
    ],
)
def test_a_shell_that_gives_nothing_is_told_by_name_and_without_its_words(
    host: Host, script: str, timeout: timedelta, why: str
):
    path = host.shell(script)
    with pytest.raises(BotError) as caught:
        host.ask(timeout)
    assert str(caught.value) == f"The login shell {path} {why}; no variables were taken from it."
    assert caught.value.code == "login_shell"


def test_a_shell_that_cannot_be_started_is_told(host: Host):
    path = host.shell("")
    os.unlink(path)
    with pytest.raises(BotError, match="could not be started"):
        host.ask()


def test_whatever_the_profile_leaves_behind_is_ended_with_it(host: Host):
    (host.home / ".profile").write_text('sleep 600 & echo $! > "$HOME/left"\nexport K=1\n')
    started = time.monotonic()
    assert host.ask()["K"] == "1"
    assert time.monotonic() - started < 10
    left = int((host.home / "left").read_text())
    with suppress(ProcessLookupError):
        handle = os.pidfd_open(left)
        assert select.select([handle], [], [], 10)[0], "it lives on"
        os.close(handle)
