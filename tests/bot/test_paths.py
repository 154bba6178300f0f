"""Where the installation keeps its files."""

import os
from pathlib import Path

import pytest

from bot.paths import Paths
from core.errors import StoreError


@pytest.mark.parametrize(
    ("environ", "state", "config"),
    [
        pytest.param({"HOME": "/h"}, "/h/.remoteclaw", "/h/.remoteclaw/config.toml", id="home"),
        pytest.param(
            {"HOME": "/h", "REMOTECLAW_HOME": "/m"}, "/m/.remoteclaw", "/m/.remoteclaw/config.toml", id="moved home"
        ),
        pytest.param(
            {"HOME": "/h", "REMOTECLAW_HOME": "~/m"}, "/h/m/.remoteclaw", "/h/m/.remoteclaw/config.toml", id="tilde"
        ),
        pytest.param(
            {"HOME": "/h", "REMOTECLAW_HOME": "/m", "REMOTECLAW_STATE_DIR": "/s"}, "/s", "/s/config.toml", id="state"
        ),
        pytest.param(
            {"HOME": "/h", "REMOTECLAW_STATE_DIR": "~/s", "REMOTECLAW_CONFIG_PATH": "~/c.toml"},
            "/h/s",
            "/h/c.toml",
            id="config",
        ),
        pytest.param(
            {"HOME": "/h", "REMOTECLAW_STATE_DIR": " "}, "/h/.remoteclaw", "/h/.remoteclaw/config.toml", id="blank"
        ),
    ],
)
def test_the_environment_says_where(environ: dict[str, str], state: str, config: str):
    paths = Paths.of(environ)
    assert (paths.state, paths.config) == (Path(state), Path(config))


@pytest.mark.parametrize(
    ("named", "folder"),
    [
        pytest.param("", None, id="C41: not named"),
        pytest.param(" ", None, id="blank"),
        pytest.param("/else/where", Path("/else/where"), id="named"),
        pytest.param("~/logins", Path("/h/logins"), id="of the home"),
    ],
)
def test_the_older_logins_may_lie_elsewhere(named: str, folder: Path | None):
    assert Paths.of({"HOME": "/h", "REMOTECLAW_OAUTH_DIR": named}).oauth == folder


def test_a_relative_directory_does_not_move_with_the_process(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    paths = Paths.of({"REMOTECLAW_STATE_DIR": "s"})
    monkeypatch.chdir("/")
    assert paths.state == tmp_path / "s"


@pytest.mark.parametrize("agent", ["../../etc", "a/b", "", "."])
def test_no_agent_leads_out_of_the_state_directory(agent: str):
    paths = Paths(Path("/s"), Path("/s/config.toml"))
    assert paths.agent(agent).is_relative_to("/s/agents")
    assert ".." not in paths.agent(agent).parts


def test_the_state_directory_is_made_for_this_user_only(tmp_path: Path):
    paths = Paths(tmp_path / "a" / "state", tmp_path / "c")
    assert paths.problem() is None
    old = os.umask(0)
    try:
        paths.create()
        paths.create()
    finally:
        os.umask(old)
    assert paths.state.stat().st_mode & 0o777 == 0o700
    assert paths.problem() is None


def test_one_that_cannot_be_made_is_told(tmp_path: Path):
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError, match="cannot be made"):
        Paths(tmp_path / "file" / "state", tmp_path).create()


@pytest.mark.parametrize("mode", [0o750, 0o705, 0o755, 0o777])
def test_one_that_is_open_to_others_is_reported_with_the_cure(state_dir: Path, mode: int):
    state_dir.chmod(mode)
    problem = Paths(state_dir, state_dir / "c").problem()
    assert problem == f"{state_dir}: open to other users (mode {mode:04o}). Run: chmod 700 {state_dir}"


def test_a_file_in_its_place_is_reported(tmp_path: Path):
    (tmp_path / "state").write_text("")
    assert "is not a directory" in (Paths(tmp_path / "state", tmp_path).problem() or "")
