"""`auth-notify` and the shape of all scripts: they pass shellcheck, and it tells whom it should, once."""

import http.server
import json
import os
import shutil
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from tests.bot.scripts_host import SCRIPTS, SHELL, TOKEN, TOPIC, Host, make_host
from tests.e2e.installation import Installation

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


@pytest.fixture
def host(tmp_path: Path) -> Host:
    return make_host(tmp_path)


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

    @pytest.mark.parametrize("answer", ["308", "304", "000"])
    def test_only_a_server_that_took_it_has_been_told(self, host: Host, answer: str) -> None:
        host.says(1, EXPIRED)
        for _ in range(2):
            ended = host.run("auth-notify", NOTIFY_OWNERS="", CURL_ANSWER=answer)
            assert (ended.returncode, f"answered {answer}" in ended.stderr) == (3, True)
        assert "--write-out %{http_code}" in (host.tools.folder / "curl.arguments").read_text()
        assert host.posted().count("Expired: acme.") == 2
        assert not (host.home / ".remoteclaw" / "auth-notify.state").exists()

    @pytest.mark.parametrize(
        ("env", "folder"),
        [
            pytest.param({}, ".remoteclaw", id="usual"),
            pytest.param({"REMOTECLAW_HOME": "{home}/other"}, "other/.remoteclaw", id="another home"),
            pytest.param({"REMOTECLAW_HOME": "~/other"}, "other/.remoteclaw", id="~ of a home"),
            pytest.param({"REMOTECLAW_STATE_DIR": "~/mine"}, "mine", id="~"),
            pytest.param({"REMOTECLAW_STATE_DIR": "~/m", "REMOTECLAW_HOME": "{home}/o"}, "o/m", id="~ of another home"),
            pytest.param({"REMOTECLAW_STATE_DIR": "mine"}, "mine", id="relative"),
            pytest.param({"REMOTECLAW_STATE_DIR": "{home}/mine", "HOME": ""}, "mine", id="no home"),
        ],
    )
    def test_what_was_told_is_noted_where_the_program_keeps_its_files(
        self, host: Host, env: dict[str, str], folder: str
    ) -> None:
        env = {name: value.replace("{home}", str(host.home)) for name, value in env.items()}
        (host.home / folder).mkdir(parents=True, exist_ok=True)
        host.says(2, EXPIRING)
        assert host.run("auth-notify", **env).returncode == 2
        assert [path.name for path in (host.home / folder).iterdir()] == ["auth-notify.state"]

    @pytest.mark.parametrize("code", [0, 1, 2])
    def test_a_note_that_cannot_be_kept_ends_it_with_3_after_telling(self, host: Host, code: int) -> None:
        note = host.home / ".remoteclaw" / "auth-notify.state"
        if code == 0:  # what was told before cannot be taken back
            note.mkdir()
        else:
            note.parent.rmdir()
            note.parent.touch()
        host.says(code, {0: "{}", 1: EXPIRED, 2: EXPIRING}[code])
        ended = host.run("auth-notify")
        assert (ended.returncode, f"auth-notify: {note} cannot be" in ended.stderr) == (3, True)
        assert len(host.notified()) == (0 if code == 0 else 1)

    @pytest.mark.skipif(not shutil.which("flock"), reason="there is no flock")
    def test_of_several_at_once_one_tells(self, host: Host) -> None:
        host.says(1, EXPIRED)
        command, env = ["/bin/sh", str(SCRIPTS / "auth-notify")], host.environment()
        running = [subprocess.Popen(command, env=env) for _ in range(6)]
        assert [process.wait(30) for process in running] == [1] * 6
        assert len(host.notified()) == 1

    @pytest.mark.parametrize(
        ("code", "env"),
        [
            pytest.param(1, {}, id="no report"),
            pytest.param(2, {}, id="wrong usage"),
            pytest.param(1, {"HOME": ""}, id="no home"),
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

    @pytest.mark.skipif(not shutil.which("curl"), reason="there is no curl")
    @pytest.mark.parametrize(("status", "ends"), [(204, 1), (308, 3), (403, 3)])
    def test_the_real_curl_has_told_only_a_server_that_took_it(self, host: Host, status: int, ends: int) -> None:
        (host.tools.folder / "curl").unlink()
        host.says(1, EXPIRED)
        with Listener(status) as server:
            ended = host.run("auth-notify", NOTIFY_NTFY_URL=f"{server.url}/topic", NOTIFY_OWNERS="")
        assert (ended.returncode, [path for path, _, _ in server.posts]) == (ends, ["/topic"])
        assert (str(status) in ended.stderr) == (ends == 3)


class Listener:
    """A server on loopback that keeps what is posted to it, and answers with this status."""

    def __init__(self, status: int = 200) -> None:
        posts = self.posts = list[tuple[str, dict[str, str], str]]()

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"])).decode()
                posts.append((self.path, dict(self.headers), body))
                self.send_response(status)
                self.send_header("Location", "/elsewhere")
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
