"""What a repair keeps before it changes anything: all of it, in one place, or nothing is changed."""

import json
import os
import resource
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from bot.doctor.backups import Backups
from bot.system_clock import SystemClock
from core.errors import StoreError
from tests.bot.doctor_damages import DAMAGES
from tests.bot.doctor_house import House, in_a_process, mode_of, offered


@pytest.fixture
def house(state_dir: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Iterator[House]:
    monkeypatch.setenv("PATH", "/usr/bin:/bin")
    made = House(state_dir, capsys)
    yield made
    for listener in made.open_sockets:
        listener.close()


def break_it(house: House, *names: str) -> None:
    for name in names:
        next(one for one in DAMAGES if one.name == name).make(house)


class TestBackups:
    def test_they_are_private_and_told(self, house: House) -> None:
        break_it(house, "an order of the store names what is gone")
        _, out, err = house.doctor("--yes")
        (folder,) = house.backups()
        assert str(folder) in err
        assert "1 repaired." in out
        for path in (house.state / "backups", folder.parent, folder, *folder.rglob("*")):
            assert mode_of(path) == (0o700 if path.is_dir() else 0o600), path
        manifest = json.loads((folder / "manifest.json").read_text())
        assert manifest["files"][0] == {
            "path": str(house.store),
            "mode": "0600",
            "copy": "agents/main/agent/auth-profiles.json",
        }

    def test_two_runs_in_one_second_do_not_meet(self, house: House) -> None:
        now = SystemClock().now()
        made = []
        for _ in range(2):
            backup = Backups(house.state, now).of("order.remove")
            backup.file(house.config)
            made.append(backup.folder)
        assert made[0] != made[1]
        assert all(folder is not None and (folder / "config.toml").exists() for folder in made)

    def test_a_file_from_elsewhere_is_kept_under_its_whole_path(self, house: House, tmp_path: Path) -> None:
        elsewhere = tmp_path / "elsewhere.toml"
        elsewhere.write_text("x = 1\n")
        backup = Backups(house.state, SystemClock().now()).of("order.remove")
        backup.file(elsewhere)
        assert backup.folder is not None
        assert (backup.folder / "outside" / str(elsewhere)[1:]).read_text() == "x = 1\n"

    def test_one_beside_the_state_directory_lies_outside_whatever_its_path_looks_like(
        self, house: House, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        break_it(house, "an order of the config names what is gone")
        other = house.config.read_bytes()
        elsewhere = house.state.parent / "config.toml"
        house.config.rename(elsewhere)
        house.write("config.toml", "# another one\n")
        monkeypatch.setenv("REMOTECLAW_CONFIG_PATH", f"{house.state}/agents/../../config.toml")
        assert house.wrong("--yes") == set()
        assert house.config.read_text() == "# another one\n"
        (folder,) = house.backups()
        assert (folder / "outside" / str(elsewhere)[1:]).read_bytes() == other
        house.undo()
        assert elsewhere.read_bytes() == other

    @pytest.mark.parametrize("suffix", ["", "/", "/x"])
    def test_no_path_leads_out_of_a_backup(self, suffix: str, house: House) -> None:
        inside = Backups(house.state, SystemClock().now()).inside(Path(f"{house.state}/../../..{suffix}"))
        assert ".." not in inside.parts
        assert not inside.is_absolute()

    def test_what_does_not_fit_is_not_begun(self, house: House) -> None:
        draft = house.write("agents/main/agent/.auth-profiles.json.4242.0a1b2c3d.tmp", "")
        os.truncate(draft, 1 << 42)
        os.utime(draft, (time.time() - 7200,) * 2)
        code, checks = house.checks("--yes")
        (failed,) = [check for check in checks if check["id"] == "files.leftover"]
        assert code == 1  # for the repair that was chosen: what it would have mended is a note
        assert "there is not enough space" in failed["repair"]["failure"]
        assert (failed["verdict"], failed["repair"]["done"]) == ("note", False)
        assert draft.exists()
        assert not (house.state / "backups").exists()

    def test_on_a_full_disk_no_copy_is_offered(self, house: House, monkeypatch: pytest.MonkeyPatch) -> None:
        break_it(house, "an order of the store names what is gone", "the state directory is open to others")
        monkeypatch.setattr("bot.doctor.places.NO_SPACE", 1 << 60)
        offered_now = {check["repair"]["id"] for check in house.checks()[1] if check["repair"]}
        assert offered_now == {"files.close"}

    def test_a_folder_that_is_a_link_is_told_before_anything_is_to_be_kept_there(
        self, house: House, tmp_path: Path
    ) -> None:
        break_it(house, "an order of the store names what is gone")
        (tmp_path / "elsewhere").mkdir(mode=0o700)
        (house.state / "backups").symlink_to(tmp_path / "elsewhere")
        before = house.files()
        assert "files.link" in house.wrong("--yes")
        assert house.files() == before
        assert list((tmp_path / "elsewhere").iterdir()) == []

    def test_without_one_nothing_is_changed(self, house: House) -> None:
        break_it(house, "an order of the store names what is gone", "the state directory is open to others")
        house.write("backups", "in the way")
        before = house.files()
        code, _, err = house.doctor("--yes")
        assert code == 1
        assert "No backup of" in err
        assert "Nothing was changed" in err
        assert house.files() == before

    def test_a_full_disk_leaves_everything_as_it_was(self, house: House) -> None:
        break_it(house, "an order of the store names what is gone")
        before = house.files()

        run = offered("order.remove")

        def starved() -> None:
            resource.setrlimit(resource.RLIMIT_FSIZE, (100, 100))
            with pytest.raises(StoreError):
                run()

        assert in_a_process(starved) == 0
        assert house.files() == before
        assert not (house.state / "backups").exists()
