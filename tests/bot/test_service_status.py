"""`remoteclaw service status` and `logs`: what they say, also where something is broken or missing."""

import json
import os
from pathlib import Path

import pytest

from bot.instance import only_instance
from bot.ops.settling import settle
from bot.ops.systemd import Systemd
from tests.bot.service_host import CONFIG, NO_BUS, SHOWN, WAITS, Host, gateway_by_hand, make_host
from tests.fakes.ready_page import ReadyPage


@pytest.fixture
def host(tmp_path: Path, state_dir: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Host:
    return make_host(tmp_path, state_dir, monkeypatch, capsys)


class TestStatus:
    def test_a_service_that_runs_is_shown_with_its_process_and_since_when(self, host: Host) -> None:
        host.service("install")
        host.tools.answer("systemctl", "show", out=SHOWN)
        code, out, _ = host.service("status")
        assert code == 0
        assert out.splitlines() == [
            "Service: remoteclaw · systemd (user)",
            f"Unit: {host.unit}, enabled",
            "State: active since 2025-11-19T10:20:30Z · pid 4711 · restarted 2 times",
        ]
        found = json.loads(host.service("status", "--json")[1])
        assert found == {
            "service": "remoteclaw", "manager": "systemd (user)", "path": str(host.unit), "installed": True,
            "enabled": True, "state": "active", "pid": 4711, "restarts": 2, "running": True,
            "since": "2025-11-19T10:20:30Z", "failure": None, "problem": None, "ready": None, "reasons": [], "other_pid": None,
        }  # fmt: skip

    def test_what_is_not_installed_does_not_run(self, host: Host) -> None:
        host.tools.answer("systemctl", "show", out="LoadState=not-found\nActiveState=inactive\nMainPID=0")
        code, out, _ = host.service("status")
        assert (code, "not installed (remoteclaw service install)" in out, "State: inactive" in out) == (1, True, True)

    def test_without_systemctl_that_is_what_is_told(self, host: Host) -> None:
        (host.tools.folder / "systemctl").unlink()
        code, out, _ = host.service("status")
        assert (code, "There is no systemctl here." in out) == (1, True)

    def test_readiness_is_asked_where_it_is_served(self, host: Host) -> None:
        (host.state / "config.toml").write_text(CONFIG + '[gateway]\nlisten = "127.0.0.1:9"\n')
        host.tools.answer("systemctl", "show", out=SHOWN)
        code, out, _ = host.service("status")
        assert (code, "Ready: no. http://127.0.0.1:9/readyz does not answer" in out) == (0, True)

    def test_a_lock_without_a_gateway_is_no_gateway(self, host: Host) -> None:
        host.tools.answer("systemctl", "show", out="ActiveState=inactive")
        with only_instance(host.state):
            assert "not as this service" not in host.service("status")[1]

    def test_a_service_that_has_failed_is_told_with_how_its_last_line_and_where_the_rest_is(self, host: Host) -> None:
        host.service("install")
        host.tools.answer("systemctl", "show", out=WAITS)
        host.tools.answer("journalctl", "remoteclaw", out="remoteclaw: The vault is sealed.")
        code, out, _ = host.service("status")
        assert code == 1
        assert out.splitlines()[2:] == [
            "State: waiting to be started anew · restarted 7 times",
            "Failed: exit code 1; its last line: remoteclaw: The vault is sealed.",
            "Log: journalctl --user-unit remoteclaw -n 30",
        ]
        host.tools.answer("journalctl", "remoteclaw", code=1, err="No journal files were found.")
        assert "Failed: exit code 1\n" in host.service("status")[1]
        (host.tools.folder / "journalctl").unlink()
        assert json.loads(host.service("status", "--json")[1])["failure"] == "exit code 1"

    @pytest.mark.parametrize(("result", "shown"), [("signal", "signal 6"), ("watchdog", "watchdog")])
    def test_a_service_that_was_ended_is_told_without_words_that_it_did_not_choose(
        self, host: Host, result: str, shown: str
    ) -> None:
        host.tools.answer("systemctl", "show", out=f"ActiveState=failed\nResult={result}\nExecMainStatus=6")
        host.tools.answer("journalctl", "remoteclaw", out="Extension modules: many")
        assert f"Failed: {shown}\n" in host.service("status")[1]

    @pytest.mark.parametrize("broken", ["config.toml", ".env"])
    def test_broken_settings_are_a_note(self, host: Host, broken: str) -> None:
        host.service("install")
        host.tools.answer("systemctl", "show", out=SHOWN)
        (host.state / broken).write_bytes(b"\xff")
        code, out, err = host.service("status")
        assert (code, err) == (0, "")
        assert "State: active" in out
        assert f"Note: the settings cannot be read. {host.state / broken}" in out
        found = json.loads(host.service("status", "--json")[1])
        assert (found["running"], found["ready"], len(found["reasons"])) == (True, None, 1)

    def test_a_gateway_that_was_started_by_hand_is_told(self, host: Host) -> None:
        host.tools.answer("systemctl", "show", out="ActiveState=inactive")
        with gateway_by_hand(host.state):
            assert "serves this state directory, but not as this service." in host.service("status")[1]

    @pytest.mark.parametrize("has_systemctl", [True, False])
    def test_whose_a_gateway_is_is_not_said_where_the_manager_does_not_answer(
        self, host: Host, has_systemctl: bool
    ) -> None:
        host.tools.answer("systemctl", "show", err=NO_BUS, code=1)
        if not has_systemctl:
            (host.tools.folder / "systemctl").unlink()
        with gateway_by_hand(host.state):
            code, out, _ = host.service("status")
        assert (code, "serves this state directory.\n" in out, "not as this" in out) == (1, True, False)

    def test_a_foreign_server_at_the_address_adds_no_line(self, host: Host) -> None:
        host.tools.answer("systemctl", "show", out=SHOWN)
        with ReadyPage((503, {"reasons": ["a\nState: active\x1b[2J", "\u2028b" * 4000]})) as page:
            host.listens(page.listen)
            code, out, _ = host.service("status")
        lines = out.splitlines()
        assert (code, len(lines)) == (0, 4)
        assert lines[3].startswith("Ready: no. a\\nState: active\\x1b[2J; \\u2028b")
        assert len(lines[3]) < 2100

    def test_a_service_of_the_system_may_be_looked_at_by_anybody(
        self, host: Host, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(os, "geteuid", lambda: 1000)
        host.tools.answer("systemctl", "show", out=SHOWN)
        assert host.service("status", "--system")[0] == 0


class TestSettling:
    def test_what_is_not_ready_in_time_is_told_with_why(self, host: Host) -> None:
        host.tools.answer("systemctl", "show", out=SHOWN)
        manager = Systemd("remoteclaw", host.state, host.home / ".config")
        with ReadyPage((503, {"reasons": ["telegram is not connected"]})) as page:
            assert settle(manager, page.listen, patience=0) == (False, ("telegram is not connected",))
        assert settle(manager, None) is None


class TestLogs:
    @pytest.fixture
    def host(
        self, tmp_path: Path, state_dir: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
    ) -> Host:
        """With the output of programs, too."""
        return make_host(tmp_path, state_dir, monkeypatch, capfd)

    def test_the_end_of_the_journal_is_shown_and_what_comes(self, host: Host) -> None:
        host.tools.answer("journalctl", "remoteclaw", out="a line of the log")
        assert host.service("logs") == (0, "a line of the log\n", "")
        host.tools.answer("journalctl", "remoteclaw", code=1)
        assert host.service("logs", "-f", "--name", "remoteclaw")[0] == 1
        assert host.tools.calls() == [
            "journalctl --user-unit remoteclaw -n 100 --no-pager",
            "journalctl --user-unit remoteclaw -n 100 --no-pager -f",
        ]

    def test_where_the_log_is_a_file_it_is_named(self, host: Host) -> None:
        (host.state / "config.toml").write_text(CONFIG + '[log]\nfile = "logs/claw.log"\n')
        assert "log.file is logs/claw.log" in host.service("logs")[2]

    def test_launchd_keeps_a_file(self, host: Host) -> None:
        assert host.service("logs", "--manager", "launchd", "--follow")[0] == 0
        assert host.tools.calls() == [f"tail -n 100 -F {host.state}/launchd.log"]

    def test_without_a_journal_that_is_told(self, host: Host) -> None:
        (host.tools.folder / "journalctl").unlink()
        code, _, err = host.service("logs")
        assert (code, err) == (1, "remoteclaw: There is no journalctl here.\n")
