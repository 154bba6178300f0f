"""`remoteclaw service` with systemd: what it asks the manager for, and what it says when that fails."""

import json
import os
from pathlib import Path

import pytest

from tests.bot.service_host import BROKEN, CONFIG, NO_BUS, SHOWN, VAULT, WAITS, Host, gateway_by_hand, make_host
from tests.fakes.ready_page import ReadyPage


@pytest.fixture
def host(tmp_path: Path, state_dir: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Host:
    return make_host(tmp_path, state_dir, monkeypatch, capsys)


class TestSystemd:
    def test_it_is_written_enabled_and_started_by_lists_of_arguments(self, host: Host) -> None:
        host.tools.answer("loginctl", "show-user", out="yes")
        host.tools.answer("systemctl", "show", out="ActiveState=inactive")
        code, out, err = host.service("install")
        assert (code, out, err) == (0, f"Wrote {host.unit}\nThe service remoteclaw is enabled and runs.\n", "")
        user = Path(host.state).owner()
        calls = [call for call in host.tools.calls() if " show " not in call]
        assert calls == [
            "systemctl --user daemon-reload",
            "systemctl --user enable remoteclaw.service",
            "systemctl --user restart remoteclaw.service",
            f"loginctl show-user {user} --property=Linger --value",
        ]
        assert host.unit.stat().st_mode & 0o777 == 0o644
        assert [path.name for path in host.unit.parent.iterdir()] == ["remoteclaw.service"]

    def test_doing_it_again_starts_it_anew_and_keeps_drop_ins(self, host: Host) -> None:
        """The program or its settings may be newer than what runs, though the unit is the same."""
        host.service("install")
        drop_in = host.unit.with_name("remoteclaw.service.d") / "own.conf"
        drop_in.parent.mkdir()
        drop_in.write_text("[Service]\nNice=5\n")
        host.tools.calls()
        host.tools.answer("systemctl", "show", out=SHOWN)
        code, out, _ = host.service("install")
        assert (code, out.splitlines()) == (
            0,
            [f"Already there: {host.unit}", "The service remoteclaw is enabled and runs. It was started anew."],
        )
        assert "systemctl --user restart remoteclaw.service" in host.tools.calls()
        host.unit.write_text(host.unit.read_text().replace("RestartSec=15", "RestartSec=6"))
        found = json.loads(host.service("install", "--json")[1])
        assert (found["changed"], found["restarted"]) == (True, True)
        assert "RestartSec=15" in host.unit.read_text()
        assert drop_in.exists()

    def test_doing_it_again_keeps_what_it_was_told_before_and_says_so(self, host: Host, tmp_path: Path) -> None:
        for name in ("one", "two", "three 100%"):
            (host.state / name).touch()
        odd = f"{host.state}/three 100%"
        handed = ["--credential", f"a={host.state}/one", "--credential", f"b={odd}", "--read-write", f"{tmp_path}/more"]
        assert host.service("install", *handed)[0] == 0
        before = host.unit.read_text()
        code, _, err = host.service("install")
        assert (code, host.unit.read_text()) == (0, before)
        kept = f"--credential a={host.state}/one --credential b={odd} --read-write {tmp_path}/more"
        assert f"Kept from before: {kept}. To be rid of it, uninstall first." in err
        assert "\n".join(host.lines()) + "\n" == before, "and so it would be with --dry-run"

        code, _, err = host.service(
            "install", "--credential", f"a={host.state}/two", "--read-write", f"{tmp_path}/other"
        )
        assert f"Kept from before: --credential b={odd} --read-write {tmp_path}/more. " in err
        lines = host.unit.read_text().splitlines()
        assert f"LoadCredential=a:{host.state}/two" in lines
        assert f"LoadCredential=b:{odd.replace('%', '%%')}" in lines
        assert not any(line.endswith("/one") for line in lines)
        (places,) = [line for line in lines if line.startswith("ReadWritePaths=")]
        assert places.endswith(f' "-{tmp_path}/more" "-{tmp_path}/other"')

        (host.state / "config.toml").write_text(CONFIG + VAULT)
        assert host.service("install")[0] == 0
        assert "ReadWritePaths" not in host.unit.read_text()
        (host.state / "config.toml").write_text(CONFIG)
        assert host.service("install")[0] == 0
        assert host.unit.read_text().splitlines() == lines, "also after a time when nothing was closed"

        (host.state / "two").unlink()
        code, _, err = host.service("install")
        assert (code, f"is handed {host.state}/two as a, and there is no such file" in err) == (1, True)
        assert host.unit.read_text().splitlines() == lines

    def test_beside_a_gateway_that_was_started_by_hand_nothing_is_written(self, host: Host) -> None:
        host.tools.answer("systemctl", "show", out="ActiveState=inactive\nMainPID=0")
        with gateway_by_hand(host.state):
            code, out, err = host.service("install")
            assert (code, out, host.unit.exists()) == (1, "", False)
            assert f"A gateway (pid {os.getpid()}) serves {host.state} already, but not as this service" in err
            assert host.service("install", "--no-start")[0] == 0
            assert host.service("restart")[0] == 1
            host.tools.answer("systemctl", "show", out=f"ActiveState=activating\nMainPID={os.getpid()}")
            assert host.service("restart")[0] == 0, "it is the service itself, which is just beginning"
        assert host.tools.calls().count("systemctl --user restart remoteclaw.service") == 1

    @pytest.mark.parametrize("verb", ["install", "restart"])
    def test_it_is_waited_until_it_serves(self, host: Host, verb: str) -> None:
        host.service("install")
        host.tools.answer("systemctl", "show", out=SHOWN)
        with ReadyPage((503, {"reasons": ["telegram is starting"]}), (503, {}), (200, {"reasons": []})) as page:
            host.listens(page.listen)
            code, out, _ = host.service(verb)
        assert (code, out.splitlines()[-1]) == (0, "Ready: yes")

    def test_a_gateway_that_ends_at_once_is_told_with_how_it_ended_and_its_last_line(self, host: Host) -> None:
        host.tools.answer("systemctl", "show", out=WAITS)
        host.tools.answer("journalctl", "remoteclaw", out="begun\nremoteclaw: Telegram refused\x1b[2J the token.\n\n")
        code, out, err = host.service("install")
        assert (code, out, err.count("\n")) == (1, "", 1)
        assert "has ended: exit code 1; its last line: remoteclaw: Telegram refused\\x1b[2J the token." in err
        assert "journalctl --user-unit remoteclaw -n 30" in err
        asked = "journalctl --user-unit remoteclaw -t remoteclaw -r -n 1 -o cat --no-pager"
        assert f"{asked} --since Wed 2025-11-19 10:20:29 UTC" in host.tools.calls(), (
            "not what an earlier one has written"
        )

    def test_no_start_only_enables(self, host: Host) -> None:
        assert host.service("install", "--no-start")[:2] == (
            0,
            f"Wrote {host.unit}\nThe service remoteclaw is enabled.\n",
        )
        assert not any("start" in call for call in host.tools.calls())

    def test_that_it_ends_with_the_login_is_told_with_the_command_that_changes_it(self, host: Host) -> None:
        host.tools.answer("loginctl", "show-user", out="no")
        code, _, err = host.service("install")
        assert (code, "loginctl enable-linger" in err) == (0, True)

    @pytest.mark.parametrize(
        "what",
        [
            pytest.param("[Unit]\nDescription=mine\n", id="another unit"),
            pytest.param("", id="an empty file"),
            pytest.param(None, id="a link"),
        ],
    )
    def test_a_file_that_is_not_ours_is_not_touched_and_the_next_step_is_told(
        self, host: Host, what: str | None
    ) -> None:
        host.unit.parent.mkdir(parents=True)
        if what is None:
            host.unit.symlink_to("/dev/null")
        else:
            host.unit.write_text(what)
        for verb in ("install", "uninstall"):
            code, _, err = host.service(verb)
            assert (code, "was not made by `remoteclaw service install`" in err, "--name" in err) == (1, True, True)
        assert host.unit.is_symlink() if what is None else host.unit.read_text() == what
        assert host.tools.calls() == []

    def test_the_service_of_another_installation_is_not_replaced(
        self, host: Host, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        host.service("install")
        before = host.unit.read_text()
        other = tmp_path / "other"
        other.mkdir(mode=0o700)
        (other / "config.toml").write_text(CONFIG)
        monkeypatch.setenv("REMOTECLAW_STATE_DIR", str(other))
        code, _, err = host.service("install")
        assert (code, str(host.state) in err, "--name" in err) == (1, True, True)
        assert host.unit.read_text() == before
        assert host.service("install", "--name", "second")[0] == 0
        assert host.unit.with_name("second.service").exists()

    def test_without_systemctl_the_unit_is_there_and_the_commands_are_told(self, host: Host) -> None:
        (host.tools.folder / "systemctl").unlink()
        code, out, err = host.service("install")
        assert (code, out, host.unit.exists()) == (1, "", True)
        assert "There is no systemctl here" in err
        assert (
            "Run by hand: systemctl --user daemon-reload && systemctl --user enable remoteclaw.service && "
            "systemctl --user restart remoteclaw.service" in err
        )
        code, out, err = host.service("uninstall")
        assert (code, host.unit.exists()) == (0, False)
        assert "nothing had to be stopped" in err

    @pytest.mark.parametrize(
        "said", [NO_BUS, "Failed to connect to user scope bus via local transport: No medium found"], ids=["252", "257"]
    )
    def test_without_a_user_bus_it_is_told_how_there_comes_to_be_one(self, host: Host, said: str) -> None:
        host.tools.answer("systemctl", "daemon-reload", err=said, code=1)
        code, _, err = host.service("install")
        assert (code, err.count("\n")) == (1, 1)
        assert said in err
        assert "enable-linger" in err
        assert "systemctl --user daemon-reload" in err
        host.tools.answer("systemctl", "disable", err=NO_BUS, code=1)
        code, _, err = host.service("uninstall")
        assert (code, host.unit.exists()) == (1, True), "what may still run is not removed"

    def test_a_gateway_that_does_not_start_is_told_with_where_its_log_is(self, host: Host) -> None:
        host.tools.answer("systemctl", "restart", err="Job for remoteclaw.service failed.\nSee more", code=1)
        code, _, err = host.service("install")
        assert (code, "Job for remoteclaw.service failed. " in err) == (1, True)
        assert "journalctl --user-unit remoteclaw -n 30" in err

    def test_a_restart_wants_an_installed_service_and_a_configuration_that_could_start(self, host: Host) -> None:
        code, _, err = host.service("restart")
        assert (code, f"There is no {host.unit}. Run: remoteclaw service install" in err) == (1, True)
        host.service("install")
        host.tools.calls()
        assert host.service("restart")[:2] == (0, "The service remoteclaw was started anew.\n")
        assert "systemctl --user restart remoteclaw.service" in host.tools.calls()
        assert json.loads(host.service("restart", "--json")[1])["ready"] is None
        (host.state / "config.toml").write_text(BROKEN)
        host.tools.calls()
        code, _, err = host.service("restart")
        assert (code, "log.level" in err) == (1, True)
        assert host.tools.calls() == [], "what runs is not given up for it"

    @pytest.mark.parametrize("broken", ["config.toml", ".env"])
    def test_uninstall_does_not_need_a_configuration(self, host: Host, broken: str) -> None:
        host.service("install")
        (host.state / broken).write_bytes(b"\xff")
        assert host.service("uninstall") == (0, f"Stopped, and removed {host.unit}\n", "")

    def test_uninstall_stops_and_removes_only_what_install_has_written(self, host: Host) -> None:
        host.service("install")
        other = host.unit.with_name("other.service")
        other.write_text("[Unit]\n")
        host.tools.calls()
        assert host.service("uninstall") == (0, f"Stopped, and removed {host.unit}\n", "")
        assert host.tools.calls() == [
            "systemctl --user disable --now remoteclaw.service",
            "systemctl --user daemon-reload",
        ]
        assert (host.unit.exists(), other.exists()) == (False, True)
        assert host.service("uninstall")[:2] == (0, f"There is no {host.unit}: nothing to remove.\n")

    def test_root_is_needed_for_a_unit_of_the_system(self, host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(os, "geteuid", lambda: 1000)
        code, _, err = host.service("install", "--system")
        assert (code, "needs root" in err) == (2, True)
