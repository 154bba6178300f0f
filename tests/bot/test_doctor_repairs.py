"""How the doctor repairs: chosen, kept, whole, and nothing else."""

import json
import os
import resource
import shutil
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pexpect
import pytest

from bot.cli.main import main
from bot.doctor.backups import Backups
from bot.doctor.registry import examine, repairs
from bot.doctor.scene import open_scene
from bot.system_clock import SystemClock
from core.errors import StoreError
from tests.adapters.store_child import die_at
from tests.bot.doctor_damages import DAMAGES
from tests.bot.doctor_house import CANARY, House, mode_of
from tests.fakes.claude_cli import credentials

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


def offered(repair_id: str) -> Callable[[], None]:
    """The first repair of this kind that is offered now, to be carried out as the command does, at any time."""
    scene = open_scene(None, False, SystemClock())
    repair = next(repair for _, repair in repairs(examine(scene)) if repair.id == repair_id)
    return lambda: repair.run(Backups(scene.paths.state, scene.now).of(repair.id))


def in_a_process(work: Callable[[], None]) -> int:
    """The exit code of a copy of this process that does it; negative: the signal that ended it."""
    pid = os.fork()
    if pid == 0:
        try:
            work()
        except BaseException:
            os._exit(3)
        os._exit(0)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


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


ANTHROPIC = {
    "type": "oauth",
    "provider": "anthropic",
    "access": f"at-{CANARY}",
    "refresh": f"rt-{CANARY}",
    "expires": 1,
}


class TestTheClaudeCli:
    def _stale(self, house: House, entry: dict[str, Any] | None, default: str = "claude-cli/claude-sonnet-4-6") -> None:
        house.configure('model = "acme/small"  # the cheap one', f'model = "{default}"')
        house.configure(
            "[auth.order]\n", '[auth.order]\nanthropic = ["anthropic:claude-cli", "env:ANTHROPIC_API_KEY"]\n'
        )
        house.configure("", '[auth.profiles."anthropic:claude-cli"]\nprovider = "claude-cli"\nmode = "oauth"\n')
        house.configure("", '[models.providers.claude-cli]\napi = "claude-cli"\nmodels = ["claude-sonnet-4-6"]\n')
        house.configure("", '[model_policy]\nallow = ["claude-cli/*", "acme/*"]\n')
        house.configure(
            "", '[models.providers.codex-cli]\nbase_url = "http://127.0.0.1:9/v1"\napi = "openai-responses"\n'
        )
        document = json.loads(house.store.read_text())
        if entry is not None:
            document["profiles"]["anthropic:claude-cli"] = entry
        document["order"] = {"claude-cli": ["anthropic:claude-cli"]}
        house.keep(document)

    def test_a_stored_login_becomes_one_of_anthropic(self, house: House) -> None:
        """C224"""
        self._stale(house, {**ANTHROPIC, "email": "user@example.com"})
        assert "claude.program" in house.wrong()
        assert not house.wrong("--yes") & {"claude.program", "order.unknown", "credential.absent"}
        config, store = house.config.read_text(), json.loads(house.store.read_text())
        assert store["profiles"]["anthropic:user@example.com"] == {**ANTHROPIC, "email": "user@example.com"}
        assert "anthropic:claude-cli" not in store["profiles"]
        assert store["order"] == {"anthropic": ["anthropic:user@example.com"]}
        assert 'model = "anthropic/claude-sonnet-4-6"' in config
        assert 'anthropic = ["anthropic:user@example.com", "env:ANTHROPIC_API_KEY"]' in config
        assert '[auth.profiles."anthropic:user@example.com"]' in config
        assert "[models.providers.codex-cli]" in config
        assert "claude-cli" not in config.replace("codex-cli", "")
        assert "# kept by hand" in config

    def test_a_profile_of_that_name_is_kept(self, house: House) -> None:
        own = {"type": "api_key", "provider": "anthropic", "key": f"own-{CANARY}"}
        self._stale(house, ANTHROPIC)
        house.keep_also("anthropic:default", **own)
        house.doctor("--yes")
        assert json.loads(house.store.read_text())["profiles"]["anthropic:default"] == own

    def test_without_a_credential_what_leads_nowhere_goes_and_no_policy_is_widened(self, house: House) -> None:
        self._stale(house, None)
        house.configure('"claude-cli/claude-sonnet-4-6"', '{ primary = "claude-cli/opus", fallbacks = ["acme/small"] }')
        house.configure('["claude-cli/*", "acme/*"]', '["claude-cli/*"]')
        assert house.doctor("--yes")[0] in (0, 1)
        config = house.config.read_text()
        assert 'primary = "acme/small"' in config
        assert 'allow = ["anthropic/*"]' in config
        assert "claude-cli" not in config.replace("codex-cli", "")

    def test_a_short_name_becomes_the_model_that_it_means(self, house: House) -> None:
        self._stale(house, ANTHROPIC, "claude-cli/opus")
        house.doctor("--yes")
        assert 'model = "anthropic/claude-opus-4-5"' in house.config.read_text()

    def test_nothing_is_converted_while_the_cli_and_its_login_are_there(
        self, house: House, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        self._stale(house, ANTHROPIC)
        self._install(monkeypatch, 4102444800000)
        before = house.files()
        assert not {i for i in house.wrong("--yes") if i.startswith("claude.") and i != "claude.copy"}
        assert house.files() == before

    def test_a_login_that_has_ended_is_stale(self, house: House, monkeypatch: pytest.MonkeyPatch) -> None:
        self._stale(house, ANTHROPIC)
        self._install(monkeypatch, 1000)
        assert "claude.login" in house.wrong()
        assert "claude.login" not in house.wrong("--yes")

    def test_a_login_whose_program_is_gone_is_named_with_the_next_step(self, house: House) -> None:
        login = credentials(Path.home() / ".claude", expiresAt=int(time.time() * 1000) + 3_600_000)
        told = [check for check in house.checks()[1] if "claude" in check["text"].lower()]
        assert [(check["id"], check["verdict"], check["about"]) for check in told] == [
            ("claude.program", "warning", str(login))
        ]
        assert told[0]["text"].startswith("anthropic:claude-cli does not serve: the Claude CLI")
        assert "Install it, or name its path in claude_cli.command" in told[0]["next"]
        house.configure("", "[claude_cli]\nenabled = false\n")
        assert "claude.program" not in house.wrong()

    def test_a_model_of_the_cli_without_its_program_needs_the_program_and_no_key(self, house: House) -> None:
        credentials(Path.home() / ".claude")
        house.configure('model = "acme/small"  # the cheap one', 'model = "claude-cli/opus"')
        found = {check["id"]: check for check in house.checks()[1]}
        assert found["claude.program"]["verdict"] == found["credential.none"]["verdict"] == "error"
        assert found["credential.none"]["next"] == "Install the Claude CLI, run `claude` and log in with /login."

    def test_a_login_that_nobody_renews_is_renewed_by_logging_in_with_the_program(
        self, house: House, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        self._install(monkeypatch, 1000)
        (ended,) = [check for check in house.checks()[1] if check["id"] == "credential.expired"]
        assert ended["about"] == "anthropic:claude-cli"
        assert ended["next"] == "Run `claude` on this host and log in with /login"

    @staticmethod
    def _install(monkeypatch: pytest.MonkeyPatch, expires: int) -> None:
        """The program, and a login of its own."""
        program = Path.home() / ".local" / "bin" / "claude"
        program.parent.mkdir(parents=True)
        program.write_text("#!/bin/sh\nexit 1\n")
        program.chmod(0o755)
        login = Path.home() / ".claude" / ".credentials.json"
        login.parent.mkdir(mode=0o700)
        login.touch(0o600)
        login.write_text(json.dumps({"claudeAiOauth": {"accessToken": f"cli-{CANARY}", "expiresAt": expires}}))
