"""`remoteclaw doctor` on a sound installation, on damaged ones, and on none."""

import json
import os
import pwd
import re
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from bot.cli.main import main
from bot.doctor.documents import is_known, read_document
from bot.doctor.machine import library_fault
from bot.doctor.modes import Guarded, look
from bot.doctor.places import LITTLE_SPACE, NO_SPACE, space_checks
from bot.doctor.scene import open_scene
from bot.doctor.steps import typed
from bot.system_clock import SystemClock
from tests.bot.doctor_damages import DAMAGES, Damage
from tests.bot.doctor_house import CANARY, House, in_a_process

ROOT = Path(__file__).parents[2]
EACH = [pytest.param(one, id=one.name) for one in DAMAGES]
REPAIRED = [pytest.param(one, id=one.name) for one in DAMAGES if one.mends]
LOADED = """
import json, sys
from bot.cli.main import main
code = main(["doctor", *sys.argv[1:]])
print(json.dumps(sorted(sys.modules)), file=sys.stderr)
"""


@pytest.fixture
def house(state_dir: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Iterator[House]:
    monkeypatch.setenv("PATH", "/usr/bin:/bin")
    made = House(state_dir, capsys)
    yield made
    for listener in made.open_sockets:
        listener.close()


class TestASoundInstallation:
    def test_has_nothing_to_be_told(self, house: House) -> None:
        before = house.files()
        assert house.wrong() == set()
        code, checks = house.checks()
        assert code == 0
        assert {
            "state",
            "config",
            "env",
            "db",
            "secrets",
            "stores",
            "sessions",
            "telegram.token",
            "credential.next",
        } <= {check["id"] for check in checks}
        assert house.files() == before

    def test_is_left_as_it_is_by_yes(self, house: House) -> None:
        before = house.files()
        assert house.wrong("--yes") == set()
        assert house.files() == before
        assert not (house.state / "backups").exists()

    def test_says_who_would_serve_in_the_words_of_the_resolver(self, house: House) -> None:
        (told,) = [check["text"] for check in house.checks()[1] if check["id"] == "credential.next"]
        assert told == "A new session of main is served by acme:work, the first in order that can serve."


class TestNoInstallation:
    def test_the_first_step_is_told_and_nothing_is_made(
        self, state_dir: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        from bot.cli.main import main

        home = state_dir / "home"
        home.mkdir()
        monkeypatch.delenv("REMOTECLAW_STATE_DIR")
        monkeypatch.setenv("HOME", str(home))
        for flags in ((), ("--yes",), ("--json", "--non-interactive")):
            assert main(["doctor", *flags]) == 1
            assert "remoteclaw onboard" in capsys.readouterr().out
        assert list(home.iterdir()) == []


class TestDamages:
    def test_there_are_enough_of_them(self) -> None:
        assert len(DAMAGES) >= 25
        assert len({one.name for one in DAMAGES}) == len(DAMAGES)

    @pytest.mark.parametrize("one", EACH)
    def test_each_is_named_with_a_next_step_and_nothing_is_changed(self, one: Damage, house: House) -> None:
        one.make(house)
        before = house.files()
        assert house.wrong("--non-interactive") == one.says
        assert house.files() == before
        for check in house.checks()[1]:
            assert set(check) == {"id", "verdict", "about", "text", "next", "repair"}
            assert check["text"].endswith((".", "?"))
            assert check["verdict"] not in ("warning", "error") or check["next"], check

    @pytest.mark.parametrize("one", REPAIRED)
    def test_each_repair_repairs_and_is_undone_byte_by_byte(self, one: Damage, house: House) -> None:
        one.make(house)
        before = house.files()
        outside = {path: (path.stat().st_mode, path.read_bytes()) for path in Path.home().rglob("*.service")}
        done = [check for check in house.checks("--yes")[1] if check["repair"] and check["repair"]["done"]]
        assert {check["id"] for check in done} <= one.mends
        assert done
        assert house.wrong() == one.says - one.mends
        assert house.backups()
        house.undo()
        after = house.files()
        assert {name: after.get(name) for name in before} == before
        assert {path: (path.stat().st_mode, path.read_bytes()) for path in outside} == outside
        assert house.wrong() == one.says

    def test_all_at_once_are_all_named_and_all_repairs_are_made(self, house: House) -> None:
        together = [one for one in DAMAGES if one.at_once]
        assert len(together) > 15
        for one in together:
            one.make(house)
        says = frozenset().union(*(one.says for one in together))
        assert house.wrong() >= says
        house.doctor("--fix")
        mended = frozenset().union(*(one.mends for one in together))
        assert not house.wrong() & mended


class TestWhatItLoads:
    @pytest.mark.parametrize("flags", [("--json",), ("--non-interactive",)])
    def test_a_look_loads_no_chat_library_no_orm_and_no_http_client(self, flags: tuple[str, ...], house: House) -> None:
        environment = {**os.environ, "PYTHONPATH": str(ROOT)}
        ended = subprocess.run(
            [sys.executable, "-c", LOADED, *flags], env=environment, capture_output=True, text=True, timeout=30
        )
        loaded = {name.partition(".")[0] for name in json.loads(ended.stderr.splitlines()[-1])}
        assert not loaded & {"discord", "telegram", "sqlalchemy", "alembic", "httpx", "aiohttp", "rich", "questionary"}
        assert CANARY not in ended.stdout + ended.stderr


class TestWithoutAHome:
    def test_a_state_directory_is_enough(self, house: House, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.delenv("HOME")
        monkeypatch.setattr(pwd, "getpwuid", no_such_user)
        assert house.wrong() == set()

    def test_without_one_a_sentence_says_what_is_missing(
        self, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        monkeypatch.delenv("HOME")
        monkeypatch.setattr(pwd, "getpwuid", no_such_user)
        assert main(["doctor"]) == 1
        err = capsys.readouterr().err
        assert err.startswith("remoteclaw: There is no home directory")
        assert "REMOTECLAW_STATE_DIR" in err


def no_such_user(uid: int) -> None:
    raise KeyError(uid)


class TestVariables:
    def test_what_hides_a_line_of_the_file_is_told(self, house: House, monkeypatch: pytest.MonkeyPatch) -> None:
        path = house.state / ".env"
        path.write_text(f"{path.read_text()}REGION=north\nZONE=west\nPLACE=here\n")
        monkeypatch.setenv("REGION", "south")
        monkeypatch.setenv("ZONE", "")
        monkeypatch.setenv("PLACE", "here")
        found = {check["id"]: check for check in house.checks()[1]}
        assert (found["env.shadowed"]["about"], found["env.shadowed"]["verdict"]) == ("REGION", "note")
        assert (found["env.blank"]["about"], found["env.blank"]["verdict"]) == ("ZONE", "warning")
        assert "PLACE" not in {check["about"] for check in found.values()}

    def test_a_project_that_offers_what_it_may_not_set_is_told(
        self, house: House, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        (tmp_path / "project").mkdir()
        (tmp_path / "project" / ".env").write_text(f"OPENAI_API_KEY=sk-{CANARY}\n")
        monkeypatch.chdir(tmp_path / "project")
        (told,) = [check["text"] for check in house.checks()[1] if check["id"] == "env.file"]
        assert "OPENAI_API_KEY is not taken from a working directory" in told


class TestWords:
    def test_what_is_out_is_told_with_the_time_and_the_command_that_helps(self, house: House) -> None:
        next(one for one in DAMAGES if one.name == "credentials are out").make(house)
        found = {check["id"]: check for check in house.checks()[1]}
        cooling, disabled = found["credential.cooling"], found["credential.disabled"]
        assert re.fullmatch(r"acme:work is cooling until .* UTC \(in (1h|60m|59m)\) \(rate_limit\)\.", cooling["text"])
        assert re.fullmatch(r"acme:home is disabled until .* UTC \(in (1h|60m|59m)\) \(billing\)\.", disabled["text"])
        assert cooling["next"].endswith("remoteclaw models auth clear acme:work")
        assert disabled["next"] == "Top it up at its provider, then: remoteclaw models auth clear acme:home"

    def test_a_misspelt_key_is_told_with_the_one_that_was_probably_meant(self, house: House) -> None:
        next(one for one in DAMAGES if one.name == "a key is misspelt").make(house)
        (check,) = [check for check in house.checks()[1] if check["id"] == "config.unknown_key"]
        assert check["about"] == "access.owner"
        assert check["text"] == f"{house.config}: access.owner: is not a setting. Did you mean owners?"

    def test_people_see_problems_first_one_line_each_and_a_count(self, house: House) -> None:
        house.keep_also("acme:late", type="token", token=f"t-{CANARY}", expires=1)
        house.keep_order(acme=["acme:gone", "acme:work"])
        code, out, _ = house.doctor()
        lines = out.splitlines()
        titles = [line for line in lines if line and not line.startswith(" ") and not line.startswith("Doctor:")]
        assert set(titles[:2]) == {"Credential stores", "Credentials"}
        assert lines[-1].startswith("Doctor: 2 warnings")
        assert lines[-1].endswith("1 can be repaired: remoteclaw doctor --yes")
        assert all(
            re.match(r"  (error|warning|note|ok) +\S.* \[[a-z_.]+\]$", line) for line in lines if line[:2] == "  "
        )
        assert code == 1


class TestSteps:
    """What can be pasted does what it says, and nothing else."""

    @pytest.mark.parametrize(
        ("word", "says"),
        [
            ("acme:work", "Run: rm acme:work"),
            ("a b$(touch x)", "Run: rm 'a b$(touch x)'"),
            ("it's", """Run: rm 'it'"'"'s'"""),
            ("a\x1b[31m", "By hand."),
            ("a\nb", "By hand."),
            ("-rf", "By hand."),
            ("x" * 300_000, "By hand."),
        ],
    )
    def test_words_are_quoted_or_there_is_no_command(self, word: str, says: str) -> None:
        assert typed("Run: rm {word}", "By hand.", word=word) == says

    def test_an_id_from_a_store_is_no_command_of_its_own(self, house: House) -> None:
        house.keep_also("acme:$(id); rm -rf ~", type="token", token=f"t-{CANARY}", expires=1)
        house.keep_also("x" * 300_000, type="magic")
        _, out, _ = house.doctor()
        assert "--profile-id 'acme:$(id); rm -rf ~'" in out
        assert max(map(len, out.splitlines())) < 1000

    def test_a_bot_token_is_not_stored_like_a_key(self, house: House) -> None:
        house.write(".env", "")
        (told,) = [check["next"] for check in house.checks()[1] if check["id"] == "secret.unresolved"]
        assert "models auth add" not in told


class TestStoresAsTheyStand:
    def test_one_is_read_once_however_many_ask(self, house: House) -> None:
        scene = open_scene(None, False, SystemClock())
        first = read_document("main", scene)
        assert not is_known("acme:gone", "main", scene)
        assert read_document("main", scene) is first

    def test_a_store_that_has_changed_is_read_again(self, house: House) -> None:
        scene = open_scene(None, False, SystemClock())
        assert not is_known("acme:new", "main", scene)
        house.keep_also("acme:new", type="magic")
        assert is_known("acme:new", "main", scene)


class TestPinsToKeys:
    """A key that this shell lacks is no reason to release a pin to it."""

    def test_they_are_a_note(self, house: House) -> None:
        session = "agent:main:telegram:default:direct:one"
        house.sql(
            f"INSERT INTO sessions (key, epoch, version, has_undo, auto_pins) VALUES ('{session}', 0, 1, 0, '[]')",
            "INSERT INTO choices (session, slot, position, set_by, set_at, pin_profile, pin_mode, pin_set_by, pin_set_at, "
            f"pin_order) VALUES ('{session}', 'current', 0, 'telegram:1', 0, 'env:ACME_API_KEY', 'strict', 'telegram:1', 0, "
            "'implicit')",
        )
        (told,) = [check for check in house.checks()[1] if check["id"] == "session.pin"]
        assert told["verdict"] == "note"
        assert "clear" not in told["next"]


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can make files of others")
class TestOtherUsers:
    def test_the_installation_of_another_user_is_looked_at_by_that_user(self, house: House) -> None:
        for path in (house.state, *house.state.rglob("*")):
            os.chown(path, 12345, 12345)
        (told,) = house.checks("--yes")[1]
        assert told["id"] == "files.owner"
        assert "sudo -u '#12345'" in told["next"]

    @pytest.mark.parametrize(("mode", "says"), [(0o640, []), (0o644, ["files.mode"]), (0o600, ["files.mode"])])
    def test_a_config_of_root_that_the_group_may_read_is_as_packages_install_it(
        self, mode: int, says: list[str]
    ) -> None:
        with TemporaryDirectory() as folder:
            os.chmod(folder, 0o755)
            path = Path(folder) / "config.toml"
            path.touch()
            os.chown(path, 0, 12345)
            path.chmod(mode)

            def looked() -> None:
                os.setresgid(12345, 12345, 12345)
                os.setgroups([])
                os.setresuid(12345, 12345, 12345)
                found = look(Guarded(path))
                assert [check.id for check in found] == says
                assert all(check.repair is None and check.next.startswith("As root: chown 12345 ") for check in found)

            assert in_a_process(looked) == 0


class TestTables:
    @pytest.mark.parametrize(
        ("free", "files", "says"),
        [
            (NO_SPACE - 1, None, "disk.full"),
            (LITTLE_SPACE, 0, "disk.full"),
            (NO_SPACE, 5, "disk.space"),
            (LITTLE_SPACE - 1, None, "disk.space"),
            (LITTLE_SPACE, None, None),
            (LITTLE_SPACE, 1, None),
        ],
    )
    def test_the_space_of_a_disk(self, free: int, files: int | None, says: str | None) -> None:
        assert [check.id for check in space_checks(Path("/x"), free, files)] == ([says] if says else [])

    @pytest.mark.parametrize(
        ("requirement", "is_fine"),
        [
            ("pytest>=7", True),
            ("pytest>=7.0.0", True),
            ("pytest", True),
            ("pytest[extra]>=7", True),
            ("pytest>=999.1", False),
            ("no-such-library-at-all>=1", False),
        ],
    )
    def test_libraries_against_what_is_required(self, requirement: str, is_fine: bool) -> None:
        assert (library_fault(requirement) is None) is is_fine

    def test_a_log_that_grows_without_end(self, house: House) -> None:
        with closing(sqlite3.connect(house.database, isolation_level=None)) as reader:
            reader.execute("BEGIN")
            reader.execute("SELECT count(*) FROM marks").fetchone()
            house.sql("CREATE TABLE large (x)", "INSERT INTO large VALUES (zeroblob(70000000))")
            assert house.wrong() >= {"db.log"}
