"""`remoteclaw service`: the unit that it writes, what it asks the service manager for, and what it says when that fails."""

import json
import os
import plistlib
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from bot.cli.main import main
from bot.instance import only_instance
from tests.fakes.service_tools import ServiceTools

CONFIG = """
[models.providers.acme]
base_url = "http://127.0.0.1:9/v1"
api = "openai-completions"
models = ["small"]
auth = "none"
[agents.defaults]
model = "acme/small"
"""
VAULT = '[secrets.providers.vault]\nsource = "exec"\ncommand = "/usr/bin/true"\n'
SHOWN = "\n".join([
    "LoadState=loaded",
    "ActiveState=active",
    "UnitFileState=enabled",
    "MainPID=4711",
    "NRestarts=2",
    "ActiveEnterTimestamp=Wed 2025-11-19 10:20:30 UTC",
])  # fmt: skip
NO_BUS = "Failed to connect to bus: No medium found"


@dataclass
class Host:
    """A home, a state directory, and the command on them."""

    home: Path
    state: Path
    tools: ServiceTools
    capsys: pytest.CaptureFixture[str]

    @property
    def unit(self) -> Path:
        return self.home / ".config" / "systemd" / "user" / "remoteclaw.service"

    @property
    def agent(self) -> Path:
        return self.home / "Library" / "LaunchAgents" / "remoteclaw.plist"

    def service(self, *arguments: str) -> tuple[int, str, str]:
        code = main(["service", *arguments])
        return code, *self.capsys.readouterr()

    def lines(self, *arguments: str) -> list[str]:
        code, out, _ = self.service("install", "--dry-run", "--manager", "systemd", *arguments)
        assert code == 0
        return out.splitlines()


@pytest.fixture
def host(
    tmp_path: Path, state_dir: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Iterator[Host]:
    home = tmp_path / "home"
    home.mkdir()
    monkeypatch.setenv("HOME", str(home))
    (state_dir / "config.toml").write_text(CONFIG)
    tools = ServiceTools(tmp_path / "tools")
    tools.make("systemctl", "loginctl", "launchctl")
    monkeypatch.setenv("PATH", str(tools.folder))
    return Host(home, state_dir, tools, capsys)


class TestUnit:
    def test_it_names_the_real_paths_and_is_watched(self, host: Host) -> None:
        lines = host.lines()
        program = Path(sys.executable).parent / "remoteclaw"
        assert f'ExecStart="{program}" "gateway"' in lines
        assert program.exists()
        for line in (
            "Type=notify",
            f"WorkingDirectory={host.state}",
            f'Environment="REMOTECLAW_STATE_DIR={host.state}"',
            f'Environment="PATH={host.tools.folder}"',
            "WatchdogSec=120",
            "Restart=on-failure",
            "StartLimitBurst=5",
            "StandardOutput=journal",
            "NoNewPrivileges=yes",
            "ProtectSystem=strict",
            f'ReadWritePaths="{host.state}" "-{host.home}/.claude"',
            "RestrictAddressFamilies=AF_UNIX AF_INET AF_INET6 AF_NETLINK",
            "WantedBy=default.target",
        ):
            assert line in lines
        assert not any(line.startswith(("User=", "PrivateDevices", "CapabilityBoundingSet")) for line in lines)

    def test_a_place_that_is_written_to_outside_the_state_directory_may_be_written_to(
        self, host: Host, tmp_path: Path
    ) -> None:
        more = f'[log]\nfile = "{tmp_path}/logs/claw.log"\n[database]\nurl = "sqlite:///{tmp_path}/db/claw.db"\n'
        (host.state / "config.toml").write_text(CONFIG + more)
        (places,) = [line for line in host.lines("--read-write", f"{tmp_path}/more") if line.startswith("ReadWrite")]
        for folder in ("logs", "db", "more"):
            assert f'"-{tmp_path}/{folder}"' in places

    def test_what_the_user_namespace_would_break_is_left_out_where_commands_give_secrets(self, host: Host) -> None:
        (host.state / "config.toml").write_text(CONFIG + VAULT)
        lines = host.lines()
        assert not any(line.startswith(("PrivateTmp", "ProtectSystem", "ReadWritePaths")) for line in lines)
        assert "NoNewPrivileges=yes" in lines
        assert "ProtectSystem=strict" in host.lines("--system")

    def test_a_unit_of_the_system_runs_as_the_owner_of_the_state_directory_and_is_hardened_more(
        self, host: Host
    ) -> None:
        lines = host.lines("--system")
        owner = host.state.owner()
        for line in (f"User={owner}", "CapabilityBoundingSet=", "PrivateDevices=yes", "WantedBy=multi-user.target"):
            assert line in lines

    @pytest.mark.parametrize("system", [False, True], ids=["user", "system"])
    @pytest.mark.parametrize(
        "folder",
        [
            pytest.param("plain", id="plain"),
            pytest.param("with blank", id="blank"),
            pytest.param("100%h $HOME", id="specifier and variable"),
            pytest.param('quote"d \\ back', id="quote and backslash"),
        ],
    )
    @pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="there is no systemd-analyze")
    def test_systemd_understands_every_line(
        self, host: Host, folder: str, system: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        state = tmp_path / folder
        state.mkdir(mode=0o700)
        (state / "config.toml").write_text(CONFIG)
        (state / "key").write_text("secret")
        monkeypatch.setenv("REMOTECLAW_STATE_DIR", str(state))
        lines = host.lines("--credential", f"bot={state}/key", *(["--system"] if system else []))
        unit = tmp_path / "remoteclaw.service"
        unit.write_text("\n".join(lines) + "\n")
        runtime = tmp_path / "run"
        runtime.mkdir(mode=0o700)
        scope = [] if system else ["--user"]
        ended = subprocess.run(
            ["/usr/bin/systemd-analyze", *scope, "verify", str(unit)],
            env={"PATH": os.defpath, "HOME": str(host.home), "XDG_RUNTIME_DIR": str(runtime)},
            capture_output=True,
            text=True,
            timeout=30,
        )
        assert (ended.returncode, ended.stderr) == (0, "")

    def test_a_credential_is_handed_over_by_its_path_and_must_be_a_file(self, host: Host) -> None:
        key = host.state / "key"
        key.write_text("sk-a-secret-that-nobody-prints")
        assert f"LoadCredential=telegram:{key}" in host.lines("--credential", f"telegram={key}")
        err = host.service("install", "--credential", f"telegram={key}")[2]
        assert f'path = "/run/user/{os.getuid()}/credentials/remoteclaw.service/telegram"' in err
        for wrong in ("telegram", f"a b={key}", "telegram=key", "telegram=sk-ant-1234567890abcdef", f"x={key}-not"):
            code, out, err = host.service("install", "--dry-run", "--credential", wrong)
            assert (code, out) == (2, "")
            assert "sk-ant-1234567890abcdef" not in err

    def test_without_a_configuration_that_could_start_nothing_is_written(self, host: Host) -> None:
        (host.state / "config.toml").write_text("[log]\nlevel = 1\n")
        code, _, err = host.service("install")
        assert (code, host.unit.exists()) == (1, False)
        assert "log.level" in err
        (host.state / "config.toml").unlink()
        code, _, err = host.service("install")
        assert (code, "remoteclaw onboard" in err) == (1, True)
        assert host.tools.calls() == []


class TestSystemd:
    def test_it_is_written_enabled_and_started_by_lists_of_arguments(self, host: Host) -> None:
        host.tools.answer("loginctl", "show-user", out="yes")
        code, out, err = host.service("install")
        assert (code, out, err) == (0, f"Wrote {host.unit}\nThe service remoteclaw is enabled and runs.\n", "")
        user = Path(host.state).owner()
        assert host.tools.calls() == [
            "systemctl --user daemon-reload",
            "systemctl --user enable remoteclaw.service",
            "systemctl --user restart remoteclaw.service",
            f"loginctl show-user {user} --property=Linger --value",
        ]
        assert host.unit.stat().st_mode & 0o777 == 0o644
        assert [path.name for path in host.unit.parent.iterdir()] == ["remoteclaw.service"]

    def test_doing_it_again_restarts_nothing_and_keeps_drop_ins(self, host: Host) -> None:
        host.service("install")
        drop_in = host.unit.with_name("remoteclaw.service.d") / "own.conf"
        drop_in.parent.mkdir()
        drop_in.write_text("[Service]\nNice=5\n")
        host.tools.calls()
        assert host.service("install")[0] == 0
        assert "systemctl --user start remoteclaw.service" in host.tools.calls()
        host.unit.write_text(host.unit.read_text().replace("RestartSec=5", "RestartSec=6"))
        assert host.service("install", "--json")[0] == 0
        assert "systemctl --user restart remoteclaw.service" in host.tools.calls()
        assert "RestartSec=5" in host.unit.read_text()
        assert drop_in.exists()

    def test_an_earlier_installation_that_did_not_come_to_the_restart_is_completed(self, host: Host) -> None:
        host.tools.answer("systemctl", "daemon-reload", err=NO_BUS, code=1)
        assert host.service("install")[0] == 1
        host.tools.answer("systemctl", "daemon-reload")
        host.tools.answer("systemctl", "show", out="NeedDaemonReload=yes")
        host.tools.calls()
        assert host.service("install")[0] == 0
        assert "systemctl --user restart remoteclaw.service" in host.tools.calls()

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

    def test_without_a_user_bus_it_is_told_how_there_comes_to_be_one(self, host: Host) -> None:
        host.tools.answer("systemctl", "daemon-reload", err=NO_BUS, code=1)
        code, _, err = host.service("install")
        assert (code, err.count("\n")) == (1, 1)
        assert NO_BUS in err
        assert "enable-linger" in err
        assert "systemctl --user daemon-reload" in err
        host.tools.answer("systemctl", "disable", err=NO_BUS, code=1)
        code, _, err = host.service("uninstall")
        assert (code, host.unit.exists()) == (1, True), "what may still run is not removed"

    def test_a_gateway_that_does_not_start_is_told_with_where_its_log_is(self, host: Host) -> None:
        host.tools.answer("systemctl", "restart", err="Job for remoteclaw.service failed.\nSee more", code=1)
        code, _, err = host.service("install")
        assert (code, "journalctl --user -u remoteclaw -n 30" in err) == (1, True)

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
            "since": "2025-11-19T10:20:30Z", "problem": None, "ready": None, "reasons": [], "other_pid": None,
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


class TestLaunchd:
    def install(self, host: Host, *more: str) -> tuple[int, str, str]:
        return host.service("install", "--manager", "launchd", *more)

    def test_the_agent_is_a_property_list_that_keeps_the_gateway_alive(self, host: Host) -> None:
        host.tools.answer("launchctl", "print", err="Could not find service", code=113)
        assert self.install(host)[0] == 0
        agent = plistlib.loads(host.agent.read_bytes())
        program = Path(sys.executable).parent / "remoteclaw"
        assert agent["Label"] == "remoteclaw"
        assert agent["ProgramArguments"] == [str(program), "gateway"]
        assert agent["KeepAlive"] == {"SuccessfulExit": False}
        assert agent["ThrottleInterval"] == 10
        assert agent["EnvironmentVariables"]["REMOTECLAW_STATE_DIR"] == str(host.state)
        assert agent["StandardErrorPath"] == str(host.state / "launchd.log")
        domain = f"gui/{os.getuid()}"
        assert host.tools.calls() == [
            f"launchctl print {domain}/remoteclaw",
            f"launchctl bootstrap {domain} {host.agent}",
        ]

    def test_a_changed_agent_is_loaded_anew_and_an_unchanged_one_is_kept(
        self, host: Host, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        self.install(host)
        (host.state / "config.toml").rename(host.state / "other.toml")
        monkeypatch.setenv("REMOTECLAW_CONFIG_PATH", str(host.state / "other.toml"))
        host.tools.calls()
        assert self.install(host)[0] == 0
        assert [call.split()[1] for call in host.tools.calls()] == ["print", "bootout", "bootstrap"]
        assert self.install(host)[0] == 0
        assert [call.split()[1] for call in host.tools.calls()] == ["print", "kickstart"]

    def test_status_and_uninstall(self, host: Host) -> None:
        self.install(host)
        host.tools.answer("launchctl", "print", out="gui/501/remoteclaw = {\n\tstate = running\n\tpid = 4711\n}")
        code, out, _ = host.service("status", "--manager", "launchd")
        assert (code, "State: running · pid 4711" in out) == (0, True)
        assert host.service("uninstall", "--manager", "launchd")[0] == 0
        assert not host.agent.exists()
        host.tools.answer("launchctl", "print", err="Could not find service", code=113)
        assert host.service("status", "--manager", "launchd")[0] == 1

    def test_what_launchd_refuses_is_left_to_be_done_by_hand(self, host: Host) -> None:
        host.tools.answer("launchctl", "print", code=113)
        host.tools.answer("launchctl", "bootstrap", err="Bootstrap failed: 5: Input/output error", code=5)
        code, _, err = self.install(host)
        assert (code, "Run by hand: launchctl bootstrap" in err, "Bootstrap failed: 5" in err) == (1, True, True)

    def test_a_foreign_agent_is_not_touched(self, host: Host) -> None:
        host.agent.parent.mkdir(parents=True)
        host.agent.write_bytes(plistlib.dumps({"Label": "remoteclaw"}))
        code, _, err = self.install(host)
        assert (code, "was not made by" in err) == (1, True)

    def test_what_launchd_has_not_is_refused(self, host: Host) -> None:
        assert self.install(host, "--system")[0] == 2
        assert self.install(host, "--credential", f"a={host.state}/config.toml")[0] == 2
