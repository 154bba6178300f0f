"""What `remoteclaw onboard` does to files: all of them are looked at before the first is written, and what was is told."""

import resource
import stat
from pathlib import Path

import pytest

from tests.bot.onboard_home import COMMENTED, KEY, OTHER, Home
from tests.e2e.installation import PATIENCE, Installation
from tests.fakes.telegram_server import TOKEN

NEW = (
    "--skip-checks", "--provider", "acme", "--model", "large", "--profile-id", "acme:two", "--api-key-stdin",
    "--telegram-token-stdin", "--owner", "telegram:1",
)  # fmt: skip
GIVEN = f"{KEY}\n{TOKEN}\n"
NOWHERE = "http://127.0.0.1:9/v1"


@pytest.fixture
def home(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Home:
    """With a provider and a key."""
    state = tmp_path / "home" / "state"
    monkeypatch.setenv("REMOTECLAW_STATE_DIR", str(state))
    home = Home(state, capsys, monkeypatch)
    home.make(COMMENTED.format(url=NOWHERE), {"acme:work": OTHER})
    home.does("--owner", "discord:8")  # the files beside the config that belong to locks are there from now on
    return home


@pytest.fixture
def store(home: Home) -> Path:
    return home.state / "agents" / "main" / "agent" / "auth-profiles.json"


def written(home: Home) -> dict[str, bytes]:
    """Without what belongs to locks."""
    return {name: content for name, content in home.files().items() if not name.endswith((".lock", ".guard"))}


class TestBeforeTheFirst:
    def test_a_store_that_cannot_be_read_leaves_the_variables_too(self, home: Home, store: Path) -> None:
        store.write_text("{ nothing")
        before = written(home)
        code, out, err = home.run(*NEW, given=GIVEN)
        assert (code, out) == (1, "")
        assert "is not valid JSON" in err
        assert written(home) == before

    def test_a_config_that_is_no_file_leaves_variables_and_store(self, home: Home, tmp_path: Path) -> None:
        """What another program has put there while questions were asked: here by a name that leads elsewhere when it is written."""
        folder = tmp_path / "elsewhere"
        folder.mkdir()
        config = folder / "config.toml"
        config.write_bytes(home.config.read_bytes())
        (folder / ".config.toml.guard").mkdir()  # so that it cannot be locked
        home.monkeypatch.setenv("REMOTECLAW_CONFIG_PATH", str(config))
        before = written(home)
        code, out, err = home.run(*NEW, given=GIVEN)
        assert (code, out) == (1, "")
        assert f"{config} cannot be locked" in err
        assert "Updated" not in err
        assert written(home) == before

    def test_what_is_linked_to_is_closed_before_a_token_comes_into_it(self, home: Home, tmp_path: Path) -> None:
        real = tmp_path / "variables"
        real.write_text("MINE=1\n")
        real.chmod(0o644)
        (home.state / ".env").symlink_to(real)
        assert home.run(*NEW, given=GIVEN)[0] == 0
        assert real.read_text() == f"MINE=1\nTELEGRAM_BOT_TOKEN={TOKEN}\n"
        assert stat.S_IMODE(real.stat().st_mode) == 0o600
        assert (home.state / ".env").is_symlink()


def test_a_disk_that_is_full_after_the_first_file_is_told_with_that_file(home: Home, store: Path) -> None:
    """The variables are shorter than the store."""
    before = store.read_bytes()
    house = Installation(home.state, HOME=str(home.state.parent), PYTHONDONTWRITEBYTECODE="1")
    with house.start("onboard", "--non-interactive", *NEW) as process:
        _, most = resource.prlimit(process.pid, resource.RLIMIT_FSIZE)
        resource.prlimit(process.pid, resource.RLIMIT_FSIZE, (100, most))
        out, err = process.communicate(GIVEN, timeout=PATIENCE)
    assert (process.returncode, out) == (1, "")
    assert f"{store} cannot be written" in err
    assert f"Updated before that: {home.state / '.env'}." in err
    assert "Nothing was changed" not in err
    assert TOKEN in (home.state / ".env").read_text()
    assert store.read_bytes() == before
