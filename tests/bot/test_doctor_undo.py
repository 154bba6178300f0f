"""`remoteclaw doctor --undo`: what repairs have kept is put back, whole, and only where that is safe."""

import json
import os
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from bot.instance import only_instance
from tests.adapters.store_child import die_at
from tests.bot.doctor_damages import DAMAGES
from tests.bot.doctor_house import CANARY, House, in_a_process

CALLS = ("open", "write", "fsync", "replace", "unlink", "mkdir", "chmod", "utime")
KILLED = -9


@pytest.fixture
def house(state_dir: Path, capsys: pytest.CaptureFixture[str]) -> House:
    return House(state_dir, capsys)


@pytest.fixture
def repaired(house: House) -> House:
    """An order was repaired."""
    house.keep_order(acme=["acme:gone", "acme:work"])
    house.doctor("--yes")
    return house


def order(house: House) -> Any:
    return json.loads(house.store.read_text())["order"]


def test_a_repair_is_undone_and_so_is_its_undoing(repaired: House) -> None:
    (folder,) = repaired.backups()
    code, out, err = repaired.doctor("--undo", str(folder))
    assert code == 0
    assert order(repaired) == {"acme": ["acme:gone", "acme:work"]}
    assert f"Put back {repaired.store}." in out
    undoing = max(repaired.backups(), key=lambda path: path.stat().st_mtime_ns)
    assert f"What was there until now: {undoing}" in err
    assert repaired.doctor("--undo", f"{undoing.parent.name}/{undoing.name}")[0] == 0
    assert order(repaired) == {"acme": ["acme:work"]}


def test_json_tells_what_was_put_back_and_what_was_kept(repaired: House) -> None:
    (folder,) = repaired.backups()
    code, out, _ = repaired.doctor("--undo", str(folder), "--json")
    told = json.loads(out)
    assert code == 0
    assert str(repaired.store) in told["undone"]
    assert Path(told["backup"]).is_dir()
    assert "refresh token" in told["notes"][0]


def test_logins_that_were_renewed_since_are_told(repaired: House) -> None:
    (folder,) = repaired.backups()
    assert "Logins that were renewed since then" in repaired.doctor("--undo", str(folder))[2]


def test_nothing_is_put_under_a_gateway(repaired: House) -> None:
    (folder,) = repaired.backups()
    with only_instance(repaired.state):
        code, _, err = repaired.doctor("--undo", str(folder))
    assert code == 1
    assert "already serves" in err
    assert order(repaired) == {"acme": ["acme:work"]}
    assert repaired.backups() == [folder]


def test_a_database_comes_back_without_the_log_of_the_one_that_goes(house: House) -> None:
    next(one for one in DAMAGES if one.name == "the database is of an earlier version").make(house)
    before = house.database.read_bytes()
    house.doctor("--yes")
    (folder,) = house.backups()
    with closing(sqlite3.connect(house.database, isolation_level=None)) as writer:
        writer.execute("INSERT INTO marks VALUES ('p', 'a', 'b')")
        for suffix in ("", "-wal", "-shm"):  # as a gateway that was killed leaves them
            shutil.copy(f"{house.database}{suffix}", f"{house.state}/kept{suffix}")
    for suffix in ("", "-wal", "-shm"):
        os.replace(f"{house.state}/kept{suffix}", f"{house.database}{suffix}")
    assert house.doctor("--undo", str(folder))[0] == 0
    assert house.database.read_bytes() == before
    assert not [path.name for path in house.state.glob("remoteclaw.db-*")]
    assert house.wrong() == {"db.behind"}


def undo(house: House) -> None:
    """The repair, and not what an undoing before has kept."""
    folder = next(path for path in house.backups() if path.name == "1-order.remove")
    assert house.doctor("--undo", str(folder))[0] == 0


def test_killed_in_the_middle_the_same_command_goes_on(repaired: House, tmp_path: Path) -> None:
    aside = tmp_path / "aside"
    shutil.copytree(repaired.state, aside)
    code = KILLED
    for step in range(1, 400, 3):
        shutil.rmtree(repaired.state)
        shutil.copytree(aside, repaired.state)
        code = in_a_process(lambda step=step: (die_at(step, CALLS), undo(repaired)))  # type: ignore[misc]
        assert code in (KILLED, 0)
        assert order(repaired) in ({"acme": ["acme:gone", "acme:work"]}, {"acme": ["acme:work"]})
        if step in (10, 31) or code == 0:
            undo(repaired)
            assert order(repaired) == {"acme": ["acme:gone", "acme:work"]}
        if code == 0:
            break
    assert code == 0


class TestWhatIsRefused:
    def _refused(self, house: House, folder: object) -> str:
        before = house.files()
        code, _, err = house.doctor("--undo", str(folder))
        assert code == 1
        assert house.files() == before
        return err

    @pytest.mark.parametrize("folder", ["none", "..", "/", "."])
    def test_a_folder_that_is_no_backup(self, folder: str, repaired: House) -> None:
        assert "is no folder of a backup" in self._refused(repaired, folder)

    @pytest.mark.parametrize(
        "manifest",
        [
            "", "[]", '{"version": 2, "files": []}', '{"version": 1}', '{"version": 1, "files": [1]}',
            '{"version": 1, "files": [{"path": "x", "mode": null, "copy": null}]}',
            '{"version": 1, "files": [{"path": "/x", "mode": "0600", "copy": "../../../config.toml"}]}',
        ],
    )  # fmt: skip
    def test_a_manifest_that_is_not_as_it_was_written(self, manifest: str, repaired: House) -> None:
        (folder,) = repaired.backups()
        (folder / "manifest.json").write_text(manifest)
        assert "manifest.json" in self._refused(repaired, folder)

    def test_a_copy_that_is_gone(self, repaired: House) -> None:
        (folder,) = repaired.backups()
        next(folder.rglob("auth-profiles.json")).unlink()
        assert "manifest.json" in self._refused(repaired, folder)

    def test_the_backup_of_a_directory_that_has_moved(
        self, repaired: House, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        (folder,) = repaired.backups()
        moved = tmp_path / "moved"
        shutil.copytree(repaired.state, moved)
        monkeypatch.setenv("REMOTECLAW_STATE_DIR", str(moved))
        assert "manifest.json" in self._refused(repaired, moved / folder.relative_to(repaired.state))

    @pytest.mark.parametrize("flag", ["--yes", "--online", "--non-interactive"])
    def test_together_with_a_look_it_is_wrong_usage(self, flag: str, repaired: House) -> None:
        assert repaired.doctor("--undo", "x", flag)[0] == 2


def test_no_secret_is_told(repaired: House) -> None:
    """The house looks at every output; this one has the most."""
    (folder,) = repaired.backups()
    assert CANARY in next(folder.rglob("auth-profiles.json")).read_text()
    repaired.doctor("--undo", str(folder.parent), "--json")
