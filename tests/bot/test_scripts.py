"""The scripts of operators: they pass shellcheck, and do what they say when they are run."""

import http.server
import json
import os
import shutil
import subprocess
import sys
import threading
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests.e2e.installation import Installation
from tests.fakes.service_tools import ServiceTools

ROOT = Path(__file__).parents[2]
SCRIPTS = ROOT / "scripts"
SHELL = sorted(path for path in SCRIPTS.rglob("*") if path.is_file() and path.read_bytes().startswith(b"#!"))
TOPIC = "https://ntfy.example.org/a-topic-that-is-a-secret"
TOKEN = "tk_a-token-of-ntfy"
EXPIRED = """{
  "profiles": [{"provider": "iota",
    "type": "token", "status": "expired"}],
  "providers": [
    {
      "provider": "acme",
      "status": "expired",
    },
    {
      "provider": "zeta",
      "status": "missing",
    }
  ]
}"""
EXPIRING = '{\n      "provider": "acme",\n      "status": "expiring"\n}'
CURL = """#!/bin/sh
printf '%s\\n' "$*" >'{folder}/curl.arguments'
while IFS= read -r line; do printf '%s\\n' "$line"; done >>'{folder}/curl.told'
[ ! -e '{folder}/curl.fails' ]
"""


@dataclass
class Host:
    """A home with fake programs before the real ones in PATH. `told` is what was posted, `notified` what `notify` was given."""

    home: Path
    tools: ServiceTools
    env: dict[str, str] = field(default_factory=dict)

    def run(self, script: str, *arguments: str, **env: str) -> subprocess.CompletedProcess[str]:
        environment = {"PATH": f"{self.tools.folder}:{os.defpath}", "HOME": str(self.home), **self.env, **env}
        command = ["/bin/sh", str(SCRIPTS / script), *arguments]
        return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=30)

    def says(self, code: int, report: str = "{}") -> None:
        """What `remoteclaw models ...` prints and how it ends."""
        self.tools.answer("remoteclaw", "models", out=report, code=code)

    def posted(self) -> str:
        told = self.tools.folder / "curl.told"
        return told.read_text() if told.exists() else ""

    def notified(self) -> list[str]:
        return [call for call in self.tools.calls() if call.startswith("remoteclaw notify")]


@pytest.fixture
def host(tmp_path: Path) -> Host:
    home = tmp_path / "home"
    (home / ".remoteclaw").mkdir(parents=True)
    tools = ServiceTools(tmp_path / "tools")
    tools.make("remoteclaw", "systemctl", "ssh", "termux-toast", "termux-vibrate", "termux-open-url", "termux-dialog")
    curl = tools.folder / "curl"
    curl.write_text(CURL.replace("{folder}", str(tools.folder)))
    curl.chmod(0o755)
    return Host(home, tools)


def test_shellcheck_finds_nothing() -> None:
    assert len(SHELL) >= 4
    assert all(os.access(script, os.X_OK) for script in SHELL)
    checker = Path(sys.executable).parent / "shellcheck"
    ended = subprocess.run([checker, "--shell=sh", *SHELL], capture_output=True, text=True, timeout=30)
    assert (ended.returncode, ended.stdout) == (0, "")


@pytest.mark.skipif(not shutil.which("dash"), reason="there is no dash")
def test_a_strict_shell_reads_them() -> None:
    for script in SHELL:
        assert subprocess.run(["dash", "-n", script], timeout=30).returncode == 0


class TestNotify:
    @pytest.fixture(autouse=True)
    def _addresses(self, host: Host) -> None:
        host.env = {"NOTIFY_NTFY_URL": TOPIC, "NOTIFY_NTFY_TOKEN": TOKEN, "NOTIFY_OWNERS": "1"}

    @pytest.mark.parametrize(
        ("code", "report", "priority", "words"),
        [
            pytest.param(
                1, EXPIRED, "urgent", "Expired: acme. Missing: zeta. Look: remoteclaw models status", id="expired"
            ),
            pytest.param(1, '{"providers": []}', "high", "A credential is expired or missing.", id="no detail"),
            pytest.param(2, EXPIRING, "high", "A credential ends within a day: acme.", id="expiring"),
        ],
    )
    def test_what_a_person_has_to_mend_is_told_to_ntfy_and_the_owners(
        self, host: Host, code: int, report: str, priority: str, words: str
    ) -> None:
        host.says(code, report)
        ended = host.run("auth-notify")
        assert (ended.returncode, ended.stdout, ended.stderr) == (code, "", "")
        told = host.posted()
        assert f'url = "{TOPIC}"' in told
        assert f'header = "Authorization: Bearer {TOKEN}"' in told
        assert f'header = "Priority: {priority}"' in told
        assert words in told
        arguments = (host.tools.folder / "curl.arguments").read_text()
        assert arguments.startswith("-q "), "nobody's own settings are obeyed with a token in hand"
        assert TOPIC not in arguments, "others see what a program is given"
        assert TOKEN not in arguments
        (notified,) = host.notified()
        assert words in notified

    def test_all_well_is_told_to_nobody_and_ends_with_0(self, host: Host) -> None:
        host.says(0)
        assert host.run("auth-notify").returncode == 0
        assert (host.posted(), host.notified()) == ("", [])

    def test_the_same_is_told_once_an_hour_and_something_else_at_once(self, host: Host) -> None:
        host.says(2, EXPIRING)
        assert [host.run("auth-notify").returncode for _ in range(2)] == [2, 2]
        assert len(host.notified()) == 1
        host.says(1, EXPIRED)
        assert host.run("auth-notify").returncode == 1
        assert len(host.notified()) == 1
        assert host.run("auth-notify", NOTIFY_EVERY="0").returncode == 1
        assert len(host.notified()) == 1
        host.says(0)
        assert host.run("auth-notify").returncode == 0
        host.says(1, EXPIRED)
        assert host.run("auth-notify").returncode == 1
        assert len(host.notified()) == 1, "after a time when all was well it is news"
        assert (host.home / ".remoteclaw" / "auth-notify.state").stat().st_mode & 0o077 == 0

    def test_who_cannot_be_told_is_told_again_and_the_end_says_so(self, host: Host) -> None:
        (host.tools.folder / "curl.fails").touch()
        host.says(1, EXPIRED)
        host.tools.answer("remoteclaw", "notify", err="remoteclaw: No gateway serves this.", code=1)
        for _ in range(2):
            ended = host.run("auth-notify")
            assert (ended.returncode, "could not be told" in ended.stderr) == (3, True)
        assert len(host.notified()) == 2

    @pytest.mark.parametrize(
        ("code", "env"),
        [
            pytest.param(1, {}, id="no report"),
            pytest.param(126, {}, id="cannot be run"),
            pytest.param(0, {"REMOTECLAW": "/no/such/program"}, id="no program"),
            pytest.param(0, {"NOTIFY_EVERY": "soon"}, id="no number"),
            pytest.param(1, {"NOTIFY_NTFY_URL": "a\nb"}, id="two lines"),
        ],
    )
    def test_what_keeps_it_from_checking_ends_it_with_3(self, host: Host, code: int, env: dict[str, str]) -> None:
        host.says(code, "")
        ended = host.run("auth-notify", **env)
        assert (ended.returncode, host.posted(), "auth-notify: " in ended.stderr) == (3, "", True)

    @pytest.mark.skipif(not shutil.which("curl"), reason="there is no curl")
    def test_the_real_programs_post_to_a_real_server(self, host: Host, state_dir: Path, tmp_path: Path) -> None:
        """A token that has expired, the real check of it, the real curl, a server on loopback."""
        (host.tools.folder / "curl").unlink()
        house = Installation(state_dir)
        house.configure("http://127.0.0.1:9")
        profile = {
            "type": "token",
            "provider": "acme",
            "token": "sk-acme-secret-token-4711",
            "expires": 1_000_000_000_000,
        }
        house.write_store(json.dumps({"version": 1, "profiles": {"acme:ada@example.org": profile}}))
        program = tmp_path / "remoteclaw"
        program.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m bot "$@"\n')
        program.chmod(0o755)
        (host.home / ".curlrc").write_text('verbose\nproxy = "http://127.0.0.1:9"\nheader = "X-Mine: yes"\n')
        with Listener() as server:
            own = {name: value for name, value in house.environment().items() if name not in ("PATH", "HOME")}
            address = {"NOTIFY_NTFY_URL": f"{server.url}/topic", "NOTIFY_OWNERS": "", "REMOTECLAW": str(program)}
            ended = host.run("auth-notify", **own, **address)
        assert (ended.returncode, ended.stderr) == (1, "")
        ((path, headers, body),) = server.posts
        assert (path, headers["Authorization"], headers.get("X-Mine")) == ("/topic", f"Bearer {TOKEN}", None)
        assert "Expired: acme. " in body
        assert "ada@example.org" not in body
        assert "4711" not in body


class Listener:
    """A server on loopback that keeps what is posted to it."""

    def __init__(self) -> None:
        posts = self.posts = list[tuple[str, dict[str, str], str]]()

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"])).decode()
                posts.append((self.path, dict(self.headers), body))
                self.send_response(200)
                self.end_headers()

            def log_message(self, *_: object) -> None:
                pass

        self._server = http.server.HTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01})

    def __enter__(self) -> "Listener":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


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
        assert host.tools.calls() == [
            "systemctl --user daemon-reload",
            "systemctl --user enable --now remoteclaw-auth-check.timer",
        ]

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
            program["REMOTECLAW"] = os.path.relpath(host.tools.folder / "remoteclaw")
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
        ],
    )
    def test_one_tap_tells_how_the_credentials_stand(self, host: Host, code: int, ends: int, calls: list[str]) -> None:
        host.tools.answer("ssh", "BatchMode=yes", code=code)
        ended = host.run("termux/quick-auth")
        asked, *told = host.tools.calls()
        assert asked.endswith("-- ada@claw remoteclaw models status --check --plain")
        assert (ended.returncode, told) == (ends, calls)

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
