"""How the doctor repairs: chosen, kept, whole, and nothing else."""

import json
import os
import shutil
import sys
from argparse import Namespace
from collections.abc import Callable, Iterator
from pathlib import Path

import pexpect
import pytest

from bot.cli.doctor_repairs import Repairs
from bot.cli.main import main
from bot.doctor.check import CHANGED, Keep, Repair, changed, warning
from bot.doctor.registry import Group, examine
from bot.doctor.scene import open_scene
from bot.system_clock import SystemClock
from core.errors import StoreError
from tests.adapters.store_child import die_at
from tests.bot.doctor_damages import DAMAGES
from tests.bot.doctor_house import CANARY, House, in_a_process, mode_of, offered

ROOT = Path(__file__).parents[2]
CALLS = ("open", "write", "fsync", "replace", "unlink", "mkdir", "chmod", "utime")
KILLED = -9


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


class TestKilledInTheMiddle:
    @pytest.mark.parametrize(
        ("damage", "repair", "stride"),
        [
            ("an order of the store names what is gone", "order.remove", 2),
            ("an order of the config names what is gone", "order.remove", 1),
            ("the state directory is open to others", "files.close", 1),
            ("an older layout waits", "store.import", 3),
            ("the claude cli is gone", "claude.convert", 3),
            ("a killed program left a draft", "files.remove_draft", 1),
            ("the database is of an earlier version", "db.upgrade", 2),
        ],
    )
    def test_every_file_is_the_old_one_or_the_new_one_and_the_next_run_goes_on(
        self, damage: str, repair: str, stride: int, house: House, tmp_path: Path
    ) -> None:
        break_it(house, damage)
        aside = tmp_path / "aside"
        shutil.copytree(house.state, aside)
        shutil.copystat(house.state, aside)
        old = house.files()
        run = offered(repair)
        run()
        new = house.files()
        assert new != old
        killed = 0
        for step in range(1, 400, stride):
            shutil.rmtree(house.state)
            shutil.copytree(aside, house.state)
            code = in_a_process(lambda step=step: (die_at(step, CALLS), run()))  # type: ignore[misc]
            assert code in (KILLED, 0)
            now = house.files()
            for name in old.keys() | new.keys():
                if not _is_of_sqlite(name):
                    assert now.get(name) in (old.get(name), new.get(name)), (step, name)
            if code == 0:
                break
            killed += 1
            if killed in (1, 5):
                assert not house.wrong("--yes") - _not_mended(damage)
        assert code == 0
        assert killed > 3


def _is_of_sqlite(name: str) -> bool:
    """SQLite's own transaction sees to these; what a killed process left beside the store is a leftover of its own."""
    return name.startswith("remoteclaw.db") or name.endswith(".tmp")


def _not_mended(damage: str) -> set[str]:
    found = next(one for one in DAMAGES if one.name == damage)
    return set(found.says - found.mends) | {"files.leftover"}  # younger than an hour, it is left alone


def somebody_stores_it(house: House) -> None:
    house.keep_also("acme:gone", type="api_key", key=f"new-{CANARY}")


def somebody_names_it_anew(house: House) -> None:
    house.configure('label = "mine"', 'label = "theirs"')


def somebody_logs_in_again(house: House) -> None:
    house.keep_also("acme:ada@example.com", type="api_key", key=f"new-{CANARY}")


class TestJudgedAgain:
    """While the question stands, others go on."""

    @pytest.mark.parametrize(
        ("damage", "repair", "meanwhile"),
        [
            ("an order of the store names what is gone", "order.remove", somebody_stores_it),
            ("an order of the config names what is gone", "order.remove", somebody_stores_it),
            ("a login has got the name of its account", "config.rename_profile", somebody_names_it_anew),
            ("a login has got the name of its account", "config.rename_profile", somebody_logs_in_again),
        ],
    )
    def test_what_is_right_by_now_is_left_alone(
        self, damage: str, repair: str, meanwhile: Callable[[House], None], house: House
    ) -> None:
        break_it(house, damage)
        if house.config.read_text().count("acme:left"):
            house.configure('"acme:left"', '"acme:gone"')
        run = offered(repair)
        meanwhile(house)
        before = house.files()
        with pytest.raises(StoreError) as caught:
            run()
        assert caught.value.code == CHANGED
        assert house.files() == before
        assert not (house.state / "backups").exists()

    def test_it_is_looked_at_anew_and_is_no_failure(self, house: House) -> None:
        scene = open_scene(None, False, SystemClock())
        session = Repairs(Namespace(yes=True, non_interactive=False, json=False), scene)

        def refuse(_: Keep) -> None:
            raise changed("It is right by now.")

        check = warning("x.y", "z", "Z.", "Do.", Repair(id="r", text="mend it", run=refuse))
        assert session.make([Group("X", (check,))])
        assert session.failed == {}


class TestARepairThatCrashes:
    def test_is_told_and_the_others_are_made(self, house: House) -> None:
        break_it(house, "an order of the store names what is gone")
        scene = open_scene(None, False, SystemClock())
        session = Repairs(Namespace(yes=True, non_interactive=False, json=False), scene)

        def crash(_: Keep) -> None:
            raise KeyError("primary")

        bad = warning("x.y", "z", "Z.", "Do.", Repair(id="r", text="mend it", run=crash))
        assert session.make([Group("X", (bad,)), *examine(scene)])
        (failed,) = session.failed.values()
        assert "KeyError" in failed.failure
        assert [check.id for check in session.done] == ["order.unknown"]


class TestChoosing:
    def test_nothing_is_changed_without_a_yes(self, house: House) -> None:
        break_it(house, "an order of the config names what is gone")
        before = house.files()
        for flags in ((), ("--non-interactive",), ("--json",), ("--json", "--non-interactive")):
            assert house.doctor(*flags)[0] == 1
        assert house.files() == before

    def test_fix_is_another_word_for_yes_also_where_nobody_can_be_asked(self, house: House) -> None:
        break_it(house, "an order of the config names what is gone")
        assert house.doctor("--fix", "--non-interactive")[0] == 0

    def test_a_repair_lays_open_what_the_next_round_mends(self, house: House) -> None:
        break_it(house, "an order of the store names what is gone")
        house.store.chmod(0o644)
        assert "order.unknown" not in house.wrong()
        _, checks = house.checks("--yes")
        done = [check["id"] for check in checks if check["repair"] and check["repair"]["done"]]
        assert done == ["files.mode", "order.unknown"]
        assert house.wrong() == set()

    def test_on_a_terminal_each_repair_is_asked_for(self, house: House) -> None:
        break_it(house, "the state directory is open to others", "an order of the store names what is gone")
        kept = house.store.read_bytes()
        terminal = self._terminal()
        terminal.expect("can be read by other users")
        terminal.expect(r"Shall doctor set the mode of .* to 0700\?")
        terminal.send("y")
        terminal.expect("Repaired")
        terminal.expect(r"Shall doctor take .*out of it\?")
        terminal.send("n")
        terminal.expect("Doctor: 1 warning")
        terminal.expect(pexpect.EOF)
        terminal.close()
        assert terminal.exitstatus == 1
        assert mode_of(house.state) == 0o700
        assert house.store.read_bytes() == kept

    def test_breaking_off_at_a_question_changes_nothing(self, house: House) -> None:
        break_it(house, "an order of the store names what is gone")
        before = house.files()
        terminal = self._terminal()
        terminal.expect(r"Shall doctor take .*out of it\?")
        terminal.send("\x03")
        terminal.expect(pexpect.EOF)
        terminal.close()
        assert terminal.exitstatus == 130
        assert house.files() == before

    @staticmethod
    def _terminal() -> "pexpect.spawn[str]":
        environment = {**os.environ, "PYTHONPATH": str(ROOT), "TERM": "xterm-256color"}
        command = ["-m", "bot", "doctor"]
        return pexpect.spawn(
            sys.executable, command, env=environment, encoding="utf-8", timeout=20, dimensions=(50, 200)
        )

    def test_an_order_of_the_config_keeps_its_comments(self, house: House) -> None:
        break_it(house, "an order of the config names what is gone")
        before = house.config.read_text()
        house.doctor("--yes")
        assert house.config.read_text() == before.replace('"acme:left", ', "")

    def test_an_order_that_would_be_empty_is_left_to_a_person(self, house: House) -> None:
        house.configure('["acme:work", "acme:home"]', '["acme:gone"]')
        before = house.files()
        assert "order.excludes_all" in house.wrong("--yes")
        assert house.files() == before

    def test_a_key_that_only_this_shell_lacks_stays_in_an_order(self, house: House) -> None:
        house.keep_order(acme=["env:ACME_API_KEY", "acme:work"])
        assert house.wrong("--yes") == {"order.not_here"}
        assert json.loads(house.store.read_text())["order"] == {"acme": ["env:ACME_API_KEY", "acme:work"]}

    def test_an_order_of_main_may_name_what_another_agent_has(self, house: House) -> None:
        house.configure("", "[agents.list.writer]\n")
        own = {"type": "api_key", "provider": "acme", "key": f"writer-{CANARY}"}
        house.keep({"profiles": {"acme:w": own}}, agent="writer")
        house.keep_order(acme=["acme:w", "acme:work"])
        before = house.files()
        assert "order.unknown" not in house.wrong("--yes")
        assert house.files() == before

    def test_a_credential_that_the_config_awaits_keeps_its_place(self, house: House) -> None:
        house.configure("", '[auth.profiles."acme:new"]\nprovider = "acme"\n')
        house.configure('["acme:work", ', '["acme:new", "acme:work", ')
        before = house.files()
        assert house.wrong("--yes") == {"credential.absent"}
        assert house.files() == before

    @pytest.mark.parametrize("more", ['email = "bob@example.com"', 'pin_allow = ["telegram:1001"]'])
    def test_the_rights_of_one_account_are_not_given_to_another(self, more: str, house: House) -> None:
        break_it(house, "a login has got the name of its account")
        house.configure('label = "mine"\nemail = "ada@example.com"', more)
        before = house.files()
        house.doctor("--yes")
        assert house.files() == before

    def test_a_damaged_database_is_not_upgraded(self, house: House) -> None:
        break_it(house, "the database is of an earlier version", "rows have lost what they belong to")
        before = house.files()
        assert house.wrong("--yes") == {"db.behind", "db.orphans"}
        assert house.files() == before

    @pytest.mark.parametrize("name", [".diary.2024.00000001", ".myapp.3.deadbeef", ".x.env.1.00000000.tmp"])
    def test_files_of_other_programs_are_no_drafts(
        self, name: str, house: House, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        (tmp_path / "home").mkdir()
        house.config.rename(tmp_path / "home" / "claw.toml")
        monkeypatch.setenv("REMOTECLAW_CONFIG_PATH", str(tmp_path / "home" / "claw.toml"))
        for path in (tmp_path / "home" / name, house.state / name, tmp_path / "home" / ".env.1.00000000.tmp"):
            path.write_text("mine")
            os.utime(path, (1, 1))
        assert house.wrong("--yes") == set()
        assert (house.state / name).read_text() == "mine"

    @pytest.mark.parametrize("make", [os.mkfifo, Path.mkdir, lambda path: path.symlink_to("nowhere")])
    def test_what_is_no_file_is_no_draft(self, make: Callable[[Path], None], house: House) -> None:
        path = house.state / ".config.toml.12.0a1b2c3d.tmp"
        make(path)
        os.utime(path, (1, 1), follow_symlinks=False)
        assert house.wrong("--yes") == set()
        assert os.path.lexists(path)

    def test_an_entry_that_cannot_be_used_is_no_unknown_id(self, house: House) -> None:
        document = json.loads(house.store.read_text())
        document["profiles"]["acme:odd"] = {"type": "magic", "provider": "acme"}
        house.keep({**document, "order": {"acme": ["acme:odd", "acme:work"]}})
        assert "order.unknown" not in house.wrong("--yes")


class TestUsage:
    def test_an_agent_that_there_is_not_is_told(self, house: House) -> None:
        assert main(["doctor", "--agent", "nobody"]) == 1
        assert 'Unknown agent id "nobody"' in house._capsys.readouterr().err

    def test_one_agent_alone_can_be_looked_at(self, house: House) -> None:
        house.configure("", '[agents.list.writer]\nmodel = "acme/large"\n')
        house.keep({"profiles": {"acme:odd": {"type": "magic"}}}, agent="writer")
        assert "store.entry" in house.wrong("--agent", "writer")
        assert "store.entry" not in house.wrong("--agent", "main")

    def test_a_wrong_flag_is_wrong_usage(self, house: House) -> None:
        assert main(["doctor", "--repair-everything"]) == 2
