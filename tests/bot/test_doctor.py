"""`remoteclaw doctor` on a sound installation, on damaged ones, and on none."""

import json
import os
import re
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from bot.doctor.machine import library_fault
from bot.doctor.places import LITTLE_SPACE, NO_SPACE, space_checks
from tests.bot.doctor_damages import DAMAGES, Damage, unit
from tests.bot.doctor_house import CANARY, House

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

    def test_a_key_of_this_shell_alone_is_told_with_where_it_belongs(
        self, house: House, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("ACME_API_KEY", f"sk-{CANARY}")
        (check,) = [check for check in house.checks()[1] if check["id"] == "service.variable"]
        assert check["verdict"] == "note"
        assert check["text"] == "ACME_API_KEY is set in this shell alone: a service would not have it."
        assert str(house.state / ".env") in check["next"]

    def test_with_a_unit_it_is_a_warning_unless_the_unit_sets_it(
        self, house: House, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        path = unit(house, Path("/bin/sh"))
        monkeypatch.setenv("ACME_API_KEY", f"sk-{CANARY}")
        assert house.wrong() == {"service.variable"}
        path.write_text(path.read_text().replace("UMask", f'Environment="ACME_API_KEY=sk-{CANARY}"\nUMask'))
        assert house.wrong() == set()


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
