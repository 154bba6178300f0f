"""The timer of `auth-monitor`, and the widgets of Termux."""

import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.bot.scripts_host import SCRIPTS, TOPIC, Host, make_host


@pytest.fixture
def host(tmp_path: Path) -> Host:
    return make_host(tmp_path)


class TestMonitor:
    def units(self, host: Host) -> dict[str, str]:
        folder = host.home / ".config" / "systemd" / "user"
        return {path.name: path.read_text() for path in sorted(folder.iterdir())}

    def test_the_timer_is_installed_with_real_paths_and_started(self, host: Host) -> None:
        program = host.tools.folder / "remoteclaw"
        ended = host.run("auth-monitor", "install", REMOTECLAW=str(program))
        assert (ended.returncode, ended.stderr) == (0, "")
        units = self.units(host)
        assert set(units) == {f"remoteclaw-auth-check.{kind}" for kind in ("env", "service", "timer")}
        assert f'ExecStart="{SCRIPTS}/auth-notify"' in units["remoteclaw-auth-check.service"]
        assert f'Environment="REMOTECLAW={program}"' in units["remoteclaw-auth-check.service"]
        assert "@" not in units["remoteclaw-auth-check.service"]
        assert (host.home / ".config/systemd/user/remoteclaw-auth-check.env").stat().st_mode & 0o077 == 0
        assert [call for call in host.tools.calls() if call.startswith("systemctl")] == [
            "systemctl --user daemon-reload",
            "systemctl --user enable --now remoteclaw-auth-check.timer",
        ]

    @pytest.mark.parametrize(
        ("env", "state", "config"),
        [
            pytest.param({}, "{home}/.remoteclaw", None, id="usual"),
            pytest.param({"REMOTECLAW_HOME": "{home}/o"}, "{home}/o/.remoteclaw", None, id="another home"),
            pytest.param(
                {"REMOTECLAW_STATE_DIR": "claw", "REMOTECLAW_CONFIG_PATH": "etc/100%.toml"},
                "{home}/claw",
                "{home}/etc/100%%.toml",
                id="relative",
            ),
            pytest.param(
                {"REMOTECLAW_STATE_DIR": "~/claw", "REMOTECLAW_CONFIG_PATH": "/etc/a & b.toml"},
                "{home}/claw",
                "/etc/a & b.toml",
                id="~",
            ),
        ],
    )
    def test_the_timer_looks_at_the_installation_of_the_shell(
        self, host: Host, env: dict[str, str], state: str, config: str | None
    ) -> None:
        env = {name: value.replace("{home}", str(host.home)) for name, value in env.items()}
        program = str(host.tools.folder / "remoteclaw")
        assert host.run("auth-monitor", "install", REMOTECLAW=program, **env).returncode == 0
        unit = self.units(host)["remoteclaw-auth-check.service"]
        assert f'Environment="REMOTECLAW_STATE_DIR={state}"\n'.replace("{home}", str(host.home)) in unit
        line = f'Environment="REMOTECLAW_CONFIG_PATH={config}"\n'.replace("{home}", str(host.home))
        assert (line in unit) if config else ("CONFIG" not in unit)

    def test_that_it_ends_with_the_login_is_told(self, host: Host) -> None:
        program = str(host.tools.folder / "remoteclaw")
        host.tools.answer("loginctl", "show-user", out="no")
        ended = host.run("auth-monitor", "install", REMOTECLAW=program)
        assert (ended.returncode, "loginctl enable-linger" in ended.stderr) == (0, True)

    @pytest.mark.parametrize("kind", ["service", "timer"])
    @pytest.mark.parametrize("content", ["[Unit]\nDescription=mine\n", "", None], ids=["another", "empty", "a link"])
    def test_a_unit_that_it_has_not_made_is_not_touched(self, host: Host, kind: str, content: str | None) -> None:
        program = str(host.tools.folder / "remoteclaw")
        folder = host.home / ".config/systemd/user"
        unit = folder / f"remoteclaw-auth-check.{kind}"
        host.run("auth-monitor", "install", REMOTECLAW=program)
        unit.unlink()
        if content is None:
            unit.symlink_to("/dev/null")
        else:
            unit.write_text(content)
        host.tools.calls()
        for verb in ("install", "uninstall"):
            ended = host.run("auth-monitor", verb, REMOTECLAW=program)
            assert (ended.returncode, f"{unit} was not made by auth-monitor" in ended.stderr) == (1, True)
        assert unit.is_symlink() if content is None else unit.read_text() == content
        assert host.tools.calls() == []

    def test_the_timer_of_another_installation_is_not_touched(self, host: Host) -> None:
        program = str(host.tools.folder / "remoteclaw")
        host.run("auth-monitor", "install", REMOTECLAW=program)
        before = self.units(host)
        for verb in ("install", "uninstall"):
            ended = host.run("auth-monitor", verb, REMOTECLAW=program, REMOTECLAW_STATE_DIR="/other")
            assert (ended.returncode, "is for another state directory than /other" in ended.stderr) == (1, True)
        assert self.units(host) == before

    def test_again_it_keeps_whom_it_tells_and_uninstall_leaves_that(self, host: Host) -> None:
        program = str(host.tools.folder / "remoteclaw")
        host.run("auth-monitor", "install", REMOTECLAW=program)
        mine = host.home / ".config/systemd/user/remoteclaw-auth-check.env"
        mine.write_text(f"NOTIFY_NTFY_URL={TOPIC}\n")
        assert host.run("auth-monitor", "install", REMOTECLAW=program).returncode == 0
        assert host.run("auth-monitor", "uninstall").returncode == 0
        assert self.units(host) == {mine.name: f"NOTIFY_NTFY_URL={TOPIC}\n"}
        assert host.run("auth-monitor", "uninstall").returncode == 1

    @pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="there is no systemd-analyze")
    def test_systemd_understands_the_units(self, host: Host, tmp_path: Path) -> None:
        odd = tmp_path / "a 100% & | state"
        odd.mkdir()
        program = str(host.tools.folder / "remoteclaw")
        assert host.run("auth-monitor", "install", REMOTECLAW=program, REMOTECLAW_STATE_DIR=str(odd)).returncode == 0
        folder = host.home / ".config/systemd/user"
        assert (
            f'Environment="REMOTECLAW_STATE_DIR={str(odd).replace("%", "%%")}"'
            in self.units(host)["remoteclaw-auth-check.service"]
        )
        runtime = tmp_path / "run"
        runtime.mkdir(mode=0o700)
        ended = subprocess.run(
            ["systemd-analyze", "--user", "verify", folder / "remoteclaw-auth-check.timer"],
            env={"PATH": os.environ["PATH"], "HOME": str(host.home), "XDG_RUNTIME_DIR": str(runtime)},
            capture_output=True,
            text=True,
            timeout=30,
        )
        assert (ended.returncode, ended.stderr) == (0, "")

    def test_where_systemctl_does_not_work_the_command_is_told(self, host: Host) -> None:
        host.tools.answer("systemctl", "daemon-reload", err="Failed to connect to bus", code=1)
        ended = host.run("auth-monitor", "install", REMOTECLAW=str(host.tools.folder / "remoteclaw"))
        assert (ended.returncode, "systemctl --user enable --now" in ended.stderr) == (1, True)

    @pytest.mark.parametrize(
        ("arguments", "env", "code"),
        [
            pytest.param((), {}, 2, id="no word"),
            pytest.param(("remove",), {}, 2, id="another word"),
            pytest.param(("install",), {"REMOTECLAW": "bin/remoteclaw"}, 1, id="not absolute"),
            pytest.param(("install",), {"REMOTECLAW_STATE_DIR": '/a"b'}, 1, id="quote"),
        ],
    )
    def test_what_it_cannot_do_is_told(
        self, host: Host, arguments: tuple[str, ...], env: dict[str, str], code: int
    ) -> None:
        (host.home / "bin").mkdir()
        program = {"REMOTECLAW": str(host.tools.folder / "remoteclaw"), **env}
        if program["REMOTECLAW"].startswith("bin"):
            program["REMOTECLAW"] = os.path.relpath(host.tools.folder / "remoteclaw", host.home)
        ended = host.run("auth-monitor", *arguments, **program)
        assert (ended.returncode, ended.stdout) == (code, "")
        assert not (host.home / ".config").exists()


class TestTermux:
    @pytest.fixture(autouse=True)
    def _server(self, host: Host) -> None:
        settings = host.home / ".config" / "remoteclaw.env"
        settings.parent.mkdir()
        settings.write_text("REMOTECLAW_SERVER=ada@claw\nREMOTECLAW_CONSOLE_URL=https://console.example.org/\n")

    @pytest.mark.parametrize(
        ("code", "ends", "calls"),
        [
            pytest.param(0, 0, ["termux-toast RemoteClaw: all credentials are good"], id="well"),
            pytest.param(
                1,
                1,
                [
                    "termux-vibrate -d 600",
                    "termux-toast RemoteClaw: a credential is expired or missing",
                    "termux-open-url https://console.example.org/",
                ],
                id="expired",
            ),
            pytest.param(
                2,
                2,
                ["termux-vibrate -d 200", "termux-toast RemoteClaw: a credential ends within a day"],
                id="expiring",
            ),
            pytest.param(255, 3, ["termux-toast RemoteClaw: ada@claw could not be asked"], id="no connection"),
            pytest.param(127, 3, ["termux-toast RemoteClaw: ada@claw could not be asked"], id="no program"),
        ],
    )
    def test_one_tap_tells_how_the_credentials_stand(self, host: Host, code: int, ends: int, calls: list[str]) -> None:
        host.tools.answer("ssh", "BatchMode=yes", out="{}", code=code)
        ended = host.run("termux/quick-auth")
        asked, *told = host.tools.calls()
        assert asked.endswith("-- ada@claw remoteclaw models status --check --json")
        assert (ended.returncode, told, ended.stdout) == (ends, calls, "")

    @pytest.mark.parametrize("code", [1, 2], ids=["a broken config", "wrong usage"])
    def test_without_a_report_nothing_is_said_of_credentials(self, host: Host, code: int) -> None:
        host.tools.answer("ssh", "BatchMode=yes", err="remoteclaw: it did not work", code=code)
        ended = host.run("termux/quick-auth")
        assert ended.returncode == 3
        assert host.tools.calls()[1:] == ["termux-toast RemoteClaw: ada@claw could not check its credentials"]

    @pytest.mark.parametrize("script", ["termux/quick-auth", "termux/auth-widget"])
    def test_without_a_server_it_says_where_to_name_one(self, host: Host, script: str) -> None:
        ended = host.run(script, REMOTECLAW_SETTINGS=f"{host.home}/none")
        assert ended.returncode == 3
        assert host.tools.calls() == [f"termux-toast Set REMOTECLAW_SERVER in {host.home}/none"]

    @pytest.mark.parametrize(
        ("index", "command"),
        [
            (0, "models status"),
            (1, "models status --probe"),
            (2, "models auth login"),
            (3, "models auth setup-token"),
            (4, "secrets reload"),
        ],
    )
    def test_the_widget_runs_what_was_chosen_over_there(self, host: Host, index: int, command: str) -> None:
        host.tools.answer("termux-dialog", "radio", out=json.dumps({"code": -1, "text": "x", "index": index}))
        assert host.run("termux/auth-widget").returncode == 0
        _, asked, told = host.tools.calls()
        assert asked == f"ssh -t -o ConnectTimeout=10 -- ada@claw remoteclaw {command}"
        assert told == "termux-toast RemoteClaw: done"

    def test_a_dialog_that_is_cancelled_runs_nothing(self, host: Host) -> None:
        host.tools.answer("termux-dialog", "radio", out=json.dumps({"code": -2, "text": ""}))
        assert host.run("termux/auth-widget").returncode == 0
        assert len(host.tools.calls()) == 1
