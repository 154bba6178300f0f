"""The unit of systemd that `remoteclaw service install` writes: its paths, its walls, and who may own what it is made from."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.bot.service_host import BROKEN, CONFIG, VAULT, Host, make_host


@pytest.fixture
def host(tmp_path: Path, state_dir: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Host:
    return make_host(tmp_path, state_dir, monkeypatch, capsys)


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
            "RestartSec=15",
            "StartLimitIntervalSec=0",
            "LimitCORE=0",
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
            pytest.param("ends with back\\", id="a backslash at the end"),
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
        more = ["--credential", f"bot={state}/key", "--read-write", f"{state}/more\\"]
        lines = host.lines(*more, *(["--system"] if system else []))
        assert not any(line.endswith("\\") for line in lines if not line.startswith("#")), (
            "the next one would be a part of it"
        )
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

    def test_a_path_that_the_unit_could_not_name_is_refused(self, host: Host) -> None:
        key = host.state / "key\\"
        key.touch()
        code, out, err = host.service("install", "--dry-run", "--manager", "systemd", "--credential", f"a={key}")
        assert (code, out, "ends with a character" in err) == (2, "", True)

    @pytest.mark.parametrize("where", ["process", ".env", "config"])
    def test_where_the_claude_cli_keeps_its_login_may_be_written_to(
        self, host: Host, where: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        folder = tmp_path / "claude"
        match where:
            case "process":
                monkeypatch.setenv("CLAUDE_CONFIG_DIR", str(folder))
            case ".env":
                (host.state / ".env").touch(0o600)
                (host.state / ".env").write_text(f"CLAUDE_CONFIG_DIR={folder}\n")
            case "config":
                (host.state / "config.toml").write_text(f'{CONFIG}[env]\nCLAUDE_CONFIG_DIR = "{folder}"\n')
        (places,) = [line for line in host.lines() if line.startswith("ReadWrite")]
        assert places == f'ReadWritePaths="{host.state}" "-{host.home}/.claude" "-{folder}"'

    def test_a_unit_of_the_system_has_the_path_of_a_system_and_not_that_of_roots_shell(self, host: Host) -> None:
        program = Path(sys.executable).parent
        usual = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
        assert f'Environment="PATH={program}:{usual}"' in host.lines("--system")

    def test_for_a_unit_of_the_system_root_reads_the_file_of_whom_it_runs_as_and_of_nobody_else(
        self, host: Host, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        dotenv = host.state / ".env"
        dotenv.touch(0o600)
        if os.geteuid() == 0:
            for path in (host.state, dotenv):
                shutil.chown(path, "nobody")
        monkeypatch.setattr(os, "geteuid", lambda: 4242)
        assert host.lines("--system")
        code, out, err = host.service("install", "--dry-run", "--manager", "systemd")
        assert (code, out) == (1, "")
        assert f"{dotenv} belongs to another user" in err
        dotenv.chmod(0o620)
        code, out, err = host.service("install", "--dry-run", "--system")
        assert (code, f"chmod 600 {dotenv}" in err) == (1, True)

    def test_without_a_configuration_that_could_start_nothing_is_written(self, host: Host) -> None:
        (host.state / "config.toml").write_text(BROKEN)
        code, _, err = host.service("install")
        assert (code, host.unit.exists()) == (1, False)
        assert "log.level" in err
        (host.state / "config.toml").unlink()
        code, _, err = host.service("install")
        assert (code, "remoteclaw onboard" in err) == (1, True)
        assert host.tools.calls() == []
