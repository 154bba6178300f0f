"""`models auth login`: real providers, real processes, a real terminal; what is asked, stored, shown, and what never is."""

import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pexpect
import pytest

from tests.e2e.installation import until
from tests.fakes.oauth_idp import Idp
from tests.fakes.token_server import ScriptedTokenServer

ROOT = Path(__file__).parents[2]
_SEQUENCE = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")


@pytest.fixture(scope="module")
def idp(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Idp]:
    with Idp(tmp_path_factory.mktemp("idp")) as idp:
        yield idp


class Host:
    """An installation whose provider `acme` logs in at the given server."""

    def __init__(self, state: Path) -> None:
        self.state = state
        self.config = state / "config.toml"
        self.shown = ""

    def configure(self, *lines: str, **login: object) -> None:
        text = '[models.providers.acme]\nbase_url = "http://127.0.0.1:9/v1"\napi = "openai-completions"\nmodels = ["small"]\n'
        table = "".join(f"{key} = {json.dumps(value)}\n" for key, value in login.items())
        self.config.write_text("\n".join([*lines, text, "[auth.oauth.acme]", table]))

    def store(self, agent: str = "main") -> Path:
        return self.state / "agents" / agent / "agent" / "auth-profiles.json"

    def stored(self, agent: str = "main") -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.store(agent).read_text())["profiles"]
        return found

    def keep(self, profiles: dict[str, Any]) -> None:
        self.store().parent.mkdir(parents=True, exist_ok=True)
        self.store().touch(0o600)
        self.store().write_text(json.dumps({"version": 1, "profiles": profiles}))

    def start(self, *arguments: str, **env: str) -> "subprocess.Popen[str]":
        given = {**os.environ, "PYTHONPATH": str(ROOT), **env}
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
        command = [sys.executable, "-m", "bot", "models", "auth", "login", *arguments]
        return subprocess.Popen(command, env=given, text=True, **pipes)  # type: ignore[call-overload, no-any-return]

    def run(self, *arguments: str, typed: str = "", **env: str) -> tuple[int, str, str]:
        with self.start(*arguments, **env) as process:
            out, err = process.communicate(typed, timeout=20)
        return process.returncode, out, err

    def logs_in(self, act: Callable[[str], object], *arguments: str) -> tuple[int, str, str]:
        """Log in; `act` is what a person does with the address that is shown."""
        with self.start("--no-browser", *arguments) as process:
            assert process.stderr is not None
            url = line_with(process.stderr, "http")
            act(url)
            out, err = process.communicate(timeout=20)
        self.shown = out + err
        return process.returncode, out, err

    def secrets(self) -> list[str]:
        """Every token that is stored."""
        fields = ("access", "refresh", "token")
        return [entry[f] for entry in self.stored().values() for f in fields if f in entry]


def line_with(stream: Any, words: str) -> str:
    for line in stream:
        if line.strip().startswith(words):
            return str(line.strip())
    raise AssertionError(f"nothing was shown that begins with {words}")


@pytest.fixture
def host(state_dir: Path, idp: Idp) -> Host:
    host = Host(state_dir)
    host.configure(**idp.table())
    return host


OAUTH = {"type": "oauth", "access": "a", "refresh": "r"}
PKCE = ("--provider", "acme", "--method", "pkce")


class TestWithoutATerminal:
    def test_a_login_is_stored_under_the_persons_address_and_named_in_the_config(self, host: Host, idp: Idp) -> None:
        code, out, err = host.logs_in(idp.allow, *PKCE)
        assert code == 0, err
        entry = host.stored()["acme:ada@example.org"]
        assert (entry["type"], entry["provider"], entry["email"], entry["accountId"], entry["clientId"]) == (
            "oauth", "acme", "ada@example.org", "ada", "remoteclaw-cli",
        )  # fmt: skip
        assert abs(entry["expires"] - (time.time() + 3600) * 1000) < 60_000
        assert idp.takes(entry["access"])
        assert f"Updated {host.config}\nAuth profile: acme:ada@example.org (acme/oauth), expires " in out
        assert "Default model available: acme/small (use --set-default to apply)" in out
        assert '[auth.profiles."acme:ada@example.org"]\nprovider = "acme"\nmode = "oauth"' in host.config.read_text()
        assert not any(secret in out + err for secret in host.secrets())

    def test_two_accounts_lie_side_by_side_and_a_second_login_of_one_replaces_its_own(
        self, host: Host, idp: Idp
    ) -> None:
        host.logs_in(idp.allow, *PKCE)
        host.logs_in(lambda url: idp.allow(url, "bob"), *PKCE)
        first = host.stored()
        assert list(first) == ["acme:ada@example.org", "acme:bob@example.org"]
        host.logs_in(idp.allow, *PKCE)
        again = host.stored()
        assert list(again) == list(first)
        assert again["acme:bob@example.org"] == first["acme:bob@example.org"]
        assert again["acme:ada@example.org"]["refresh"] != first["acme:ada@example.org"]["refresh"]

    def test_the_id_of_an_account_stays_what_it_was_called(self, host: Host, idp: Idp) -> None:
        host.logs_in(idp.allow, *PKCE, "--profile-id", "acme:work")
        before = host.stored()["acme:work"]["refresh"]
        assert host.logs_in(idp.allow, *PKCE)[0] == 0
        assert list(host.stored()) == ["acme:work"]
        assert host.stored()["acme:work"]["refresh"] != before
        _, _, err = host.logs_in(lambda url: idp.allow(url, "bob"), *PKCE, "--profile-id", "acme:work")
        assert "Note: acme:work was the login of ada@example.org and is now that of bob@example.org." in err
        assert host.stored()["acme:work"]["email"] == "bob@example.org"

    def test_json_for_another_agent_with_a_default_model(self, host: Host, idp: Idp) -> None:
        host.configure("[agents.list.writer]\n", **idp.table())
        code, out, err = host.logs_in(idp.allow, *PKCE, "--agent", "writer", "--json", "--set-default")
        assert code == 0, err
        assert json.loads(out)["profile"] == "acme:ada@example.org"
        assert "acme:ada@example.org" in host.stored("writer")
        assert '[agents.list.writer]\nmodel = "acme/small"' in host.config.read_text()

    def test_the_address_that_the_browser_ended_at_may_come_by_standard_input(self, host: Host, idp: Idp) -> None:
        with host.start("--provider", "acme", "--no-browser") as process:
            assert process.stderr is not None
            url = line_with(process.stderr, "http")
            out, err = process.communicate(f"{idp.log_in(url)}\n", timeout=20)
        assert (process.returncode, "Auth profile: acme:ada@example.org" in out) == (0, True), err

    def test_what_is_pasted_and_is_not_it_ends_a_script(self, host: Host) -> None:
        code, _, err = host.run("--provider", "acme", "--method", "paste", typed="http://127.0.0.1/?code=1&state=2\n")
        assert (code, "That belongs to another login" in err, host.store().exists()) == (1, True, False)

    @pytest.mark.parametrize("reading", ["surrogateescape", "strict"])
    def test_what_is_pasted_and_is_no_text_is_told(self, host: Host, reading: str) -> None:
        """It depends on the locale how Python reads its standard input."""
        with host.start("--provider", "acme", "--method", "paste", PYTHONIOENCODING=f"utf-8:{reading}") as process:
            assert process.stdin is not None
            os.write(process.stdin.fileno(), b"http://127.0.0.1/?code=1\xff&state=2\n")
            _, err = process.communicate(timeout=20)
        assert (process.returncode, "What was pasted is damaged" in err, host.store().exists()) == (1, True, False), err

    def test_with_a_code_on_another_device(self, host: Host, idp: Idp) -> None:
        with host.start("--provider", "acme", "--device-code") as process:
            assert process.stderr is not None
            assert (
                line_with(process.stderr, "Open ")
                == f"Open {idp.url}/device on any device, log in, and enter this code:"
            )
            process.stderr.readline()
            code = process.stderr.readline().strip()
            assert line_with(process.stderr, "Or open ").startswith(f"Or open {idp.url}/device?user_code={code},")
            idp.decide(code)
            out, err = process.communicate(timeout=20)
        assert (process.returncode, "Auth profile: acme:ada@example.org" in out) == (0, True), err

    def test_a_server_without_refresh_tokens_and_names_gives_a_token(self, host: Host) -> None:
        device = {"device_code": "d", "user_code": "U", "verification_uri": "http://127.0.0.1/d", "interval": 0.01}
        given = (200, {"access_token": "gho-token", "token_type": "bearer"})
        with ScriptedTokenServer((200, device), given) as server:
            host.configure(device_url=f"{server.url}/d", token_url=f"{server.url}/t", client_id="c")
            code, out, err = host.run("--provider", "acme")
        assert (code, "Auth profile: acme:default (acme/token)" in out) == (0, True), err
        assert host.stored() == {"acme:default": {"type": "token", "provider": "acme", "token": "gho-token"}}
        assert "gho-token" not in out + err

    @pytest.mark.parametrize(
        ("kept", "name"),
        [
            pytest.param({"acme:default": {"type": "api_key", "key": "k"}}, "acme:default-2", id="an API key"),
            pytest.param({"acme:default": OAUTH, "acme:default-2": OAUTH}, "acme:default-3", id="logins of nobody knows whom"),
            pytest.param({"acme:default": {**OAUTH, "accountId": "7"}}, "acme:default-2", id="a login of somebody"),
            pytest.param({"acme:default": {**OAUTH, "provider": "zeta"}}, "acme:default-2", id="another provider's"),
            pytest.param({"acme:default": {"type": "api_key"}}, "acme:default-2", id="an entry that cannot be used"),
        ],
    )  # fmt: skip
    def test_a_login_of_nobody_knows_whom_takes_the_place_of_nothing(
        self, host: Host, kept: dict[str, Any], name: str
    ) -> None:
        host.keep({key: {"provider": "acme", **entry} for key, entry in kept.items()})
        before = host.stored()
        code, out, err = self._on_a_device(host, "--provider", "acme")
        assert (code, f"Auth profile: {name} (acme/oauth)" in out) == (0, True), err
        assert {key: host.stored()[key] for key in before} == before
        assert host.stored()[name]["access"] == "new-access"

    def test_an_id_that_is_named_is_replaced_also_by_a_login_of_nobody_knows_whom(self, host: Host) -> None:
        host.keep({"acme:default": {"provider": "acme", **OAUTH}})
        code, _, err = self._on_a_device(host, "--provider", "acme", "--profile-id", "acme:default")
        assert code == 0, err
        assert {key: entry["access"] for key, entry in host.stored().items()} == {"acme:default": "new-access"}

    def test_a_key_that_bears_the_persons_address_stays(self, host: Host, idp: Idp) -> None:
        key = {"type": "api_key", "provider": "acme", "key": "k", "email": "ada@example.org"}
        host.keep({"acme:ada@example.org": key})
        assert host.logs_in(idp.allow, *PKCE)[0] == 0
        assert list(host.stored()) == ["acme:ada@example.org", "acme:ada@example.org-2"]
        assert host.stored()["acme:ada@example.org"] == key

    @staticmethod
    def _on_a_device(host: Host, *arguments: str) -> tuple[int, str, str]:
        """A login at a server that tells nothing of whose it is."""
        device = {"device_code": "d", "user_code": "U", "verification_uri": "http://127.0.0.1/d", "interval": 0.01}
        given = {"access_token": "new-access", "refresh_token": "new-refresh", "token_type": "bearer"}
        with ScriptedTokenServer((200, device), (200, given)) as server:
            host.configure(device_url=f"{server.url}/d", token_url=f"{server.url}/t", client_id="c")
            return host.run(*arguments)

    def test_a_denied_login_stores_nothing(self, host: Host, idp: Idp) -> None:
        with host.start("--provider", "acme", "--method", "device") as process:
            assert process.stderr is not None
            line_with(process.stderr, "Open ")
            process.stderr.readline()
            idp.decide(process.stderr.readline().strip(), "deny")
            _, err = process.communicate(timeout=20)
        assert (process.returncode, "The login was denied. Nothing was stored." in err) == (1, True)
        assert not host.store().exists()

    @pytest.mark.parametrize("stop", ["terminate", "kill"])
    def test_a_login_that_is_broken_off_leaves_everything_as_it_was(self, host: Host, stop: str) -> None:
        host.keep({"acme:ada@example.org": {"type": "oauth", "provider": "acme", "access": "a", "refresh": "r"}})
        before = host.store().read_bytes(), host.config.read_bytes()
        with host.start(*PKCE, "--no-browser") as process:
            assert process.stderr is not None
            line_with(process.stderr, "http")
            getattr(process, stop)()
            process.communicate(timeout=20)
        assert process.returncode == (130 if stop == "terminate" else -9)
        assert (host.store().read_bytes(), host.config.read_bytes()) == before

    def test_a_browser_is_opened_where_one_would_be_seen(self, host: Host, idp: Idp, tmp_path: Path) -> None:
        script = tmp_path / "browser"
        script.write_text(f"#!{sys.executable}\nimport sys\nopen({str(tmp_path / 'url')!r}, 'w').write(sys.argv[1])\n")
        script.chmod(0o755)
        with host.start(*PKCE, BROWSER=str(script)) as process:
            assert process.stderr is not None
            url = line_with(process.stderr, "http")
            until(lambda: (tmp_path / "url").exists() and (tmp_path / "url").read_text() == url)
            idp.allow(url)
            process.communicate(timeout=20)
        assert process.returncode == 0


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        pytest.param((), 2, "--provider has to say where", id="no provider"),
        pytest.param(("--provider", "a b"), 2, "must be a provider id", id="no provider id"),
        pytest.param(("--provider", "acme", "--device-code", "--method", "pkce"), 2, "exclude each other", id="two ways"),
        pytest.param(("--provider", "acme", "--profile-id", "a b"), 2, "must be one word", id="no id"),
        pytest.param(("--provider", "acme", "at-secret"), 2, "never taken from the command line", id="a token as argument"),
        pytest.param(("--provider", "acme", "--token", "at-secret"), 2, "never taken from the command", id="as a flag"),
        pytest.param(("--provider", "zeta"), 1, "Write a table [auth.oauth.zeta]", id="nothing is known of it"),
        pytest.param(
            ("--provider", "openai-codex"), 1, "auth.oauth.openai-codex: is not complete: client_id is missing.",
            id="a built-in one without what its vendor gives to each program",
        ),
        pytest.param(("--provider", "chutes"), 1, "client_id is missing", id="another one"),
        pytest.param(("--provider", "acme", "--agent", "nobody"), 1, "Unknown agent id", id="no agent"),
        pytest.param(
            ("--provider", "acme", "--profile-id", "zeta:me"), 1, 'Auth profile "zeta:me" is for zeta, not acme.', id="foreign"
        ),
    ],
)  # fmt: skip
def test_what_cannot_be_done_is_said_before_anybody_logs_in(
    host: Host, arguments: tuple[str, ...], code: int, words: str
) -> None:
    host.keep({"zeta:me": {"type": "api_key", "provider": "zeta", "key": "k"}})
    ended, out, err = host.run(*arguments)
    assert (ended, out) == (code, "")
    assert words in err
    assert "at-secret" not in err


class TestOnATerminal:
    @pytest.fixture
    def screen(self, host: Host) -> Iterator[Callable[..., Any]]:
        started: list[Any] = []

        def start(*arguments: str) -> Any:
            quiet = {"TERM": "xterm-256color", "PROMPT_TOOLKIT_NO_CPR": "1"}
            given = {**os.environ, "PYTHONPATH": str(ROOT), **quiet}
            given = {
                name: value for name, value in given.items() if name not in ("DISPLAY", "WAYLAND_DISPLAY", "BROWSER")
            }
            command = ["-m", "bot", "models", "auth", "login", *arguments]
            started.append(
                pexpect.spawn(sys.executable, command, env=given, encoding="utf-8", timeout=20, dimensions=(60, 400))
            )
            return started[-1]

        yield start
        for one in started:
            one.close(force=True)

    def test_what_is_not_given_is_asked_and_a_wrong_paste_may_be_followed_by_the_right_one(
        self, host: Host, idp: Idp, screen: Callable[..., Any]
    ) -> None:
        terminal = screen()
        terminal.expect_exact("Where do you want to log in?")
        terminal.send("\r")
        terminal.expect_exact("How do you want to log in at acme?")
        terminal.send("\r")
        terminal.expect(r"Open this address and log in:\s+(http\S+)")
        url = _SEQUENCE.sub("", terminal.match[1])
        terminal.expect_exact("The address that the browser ended at")
        terminal.send("http://127.0.0.1/?code=1&state=2\r")
        terminal.expect_exact("That belongs to another login")
        terminal.expect_exact("The address that the browser ended at")
        os.write(terminal.child_fd, b"http://127.0.0.1/?code=1\xff&state=2\r")
        terminal.expect_exact("What was pasted is damaged")
        terminal.expect_exact("The address that the browser ended at")
        terminal.send(f"{idp.log_in(url)}\r")
        terminal.expect_exact("Auth profile: acme:ada@example.org (acme/oauth)")
        terminal.expect(pexpect.EOF)
        terminal.close()
        assert terminal.exitstatus == 0
        assert idp.takes(host.stored()["acme:ada@example.org"]["access"])

    def test_ctrl_c_at_the_question_stores_nothing(self, host: Host, screen: Callable[..., Any]) -> None:
        terminal = screen("--provider", "acme", "--method", "paste")
        terminal.expect_exact("The address that the browser ended at")
        terminal.send("\x03")
        terminal.expect(pexpect.EOF)
        terminal.close()
        assert (terminal.exitstatus, host.store().exists()) == (130, False)
