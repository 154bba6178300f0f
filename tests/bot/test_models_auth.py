"""`remoteclaw models auth`: what it stores, what it prints and refuses, and that no secret is ever shown."""

import io
import json
import os
import re
import stat
import subprocess
import sys
import time
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pexpect
import pytest

from adapters.storage.profile_file import AuthProfileFiles
from bot.cli.main import main
from bot.cli.models_auth import open_desk
from bot.cli.models_auth_paste import checked, keep
from bot.config.edit import add_profile, edited, remove_profile
from core.auth.secret import Secret
from core.errors import BotError
from tests.e2e.installation import Installation
from tests.fakes.provider_server import ThreadedProviderServer

ROOT = Path(__file__).parents[2]
CONFIG = """# my gateway
[models.providers.acme]   # the one at home
base_url = "http://127.0.0.1:9/v1"
api = "openai-completions"
models = ["small"]
[models.providers.zeta]
base_url = "http://127.0.0.1:9"
api = "anthropic-messages"
models = ["opus-1"]
[agents.defaults]
model = "acme/small"
[agents.list.writer]
model = "zeta/opus-1"
"""
SECRET = "Vq7x-CANARY-0123456789"
SETUP = f"sk-ant-oat01-{'a' * 80}"
DAY = 86_400_000
NAMED = '[auth.profiles."acme:a"]\nprovider = "acme"\n'


class Host:
    """A state directory, and the command on it. Whatever it prints is searched for the secret that went in."""

    def __init__(self, state: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
        self.state = state
        self.config = state / "config.toml"
        self._capsys = capsys
        self._monkeypatch = monkeypatch

    def store(self, agent: str = "main") -> Path:
        return self.state / "agents" / agent / "agent" / "auth-profiles.json"

    def keep(self, profiles: Mapping[str, object], agent: str = "main", **more: object) -> None:
        store = self.store(agent)
        store.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        store.touch(0o600)
        store.write_text(json.dumps({"version": 1, "profiles": dict(profiles), **more}))

    def stored(self, agent: str = "main") -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.store(agent).read_text())
        return found

    def auth(self, *arguments: str, given: str | bytes = "") -> tuple[int, str, str]:
        raw = given.encode() if isinstance(given, str) else given
        self._monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(raw)))
        code = main(["models", "auth", *arguments])
        out, err = self._capsys.readouterr()
        for secret in (SECRET, SETUP, "sk-proj-"):
            assert secret not in out + err
        return code, out, err

    def does(self, *arguments: str, given: str = "") -> str:
        code, out, err = self.auth(*arguments, given=given)
        assert (code, err) == (0, "")
        return out

    def json(self, *arguments: str, given: str = "") -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.does(*arguments, "--json", given=given))
        return found


@pytest.fixture
def host(state_dir: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Host:
    host = Host(state_dir, capsys, monkeypatch)
    host.config.write_text(CONFIG)
    return host


def key(provider: str, text: str = "sk-0123456789") -> dict[str, Any]:
    return {"type": "api_key", "provider": provider, "key": text}


def served(capsys: pytest.CaptureFixture[str]) -> set[str]:
    """The credentials that the next request of main may go out with."""
    assert main(["models", "explain", "acme/small", "--json"]) == 0
    return {candidate["profile"] for candidate in json.loads(capsys.readouterr().out)["candidates"]}


class TestPaste:
    def test_a_key_is_stored_and_named_in_the_config_whose_comments_stay(self, host: Host) -> None:
        shown = host.does("paste-api-key", "--provider", "acme", given=f"{SECRET}\n")
        assert shown == f"Updated {host.config}\nAuth profile: acme:manual (acme/api_key)\n"
        assert host.stored()["profiles"] == {"acme:manual": key("acme", SECRET)}
        assert stat.S_IMODE(host.store().stat().st_mode) == 0o600
        added = '\n[auth.profiles."acme:manual"]\nprovider = "acme"\nmode = "api_key"\n'
        assert host.config.read_text() == CONFIG + added

    def test_a_token_may_end(self, host: Host) -> None:
        before = time.time() * 1000
        found = host.json("paste-token", "--provider", "OpenRouter", "--expires-in", "365d", given=SECRET)
        entry = host.stored()["profiles"]["openrouter:manual"]
        assert (entry["type"], entry["provider"], entry["token"]) == ("token", "openrouter", SECRET)
        assert 365 * DAY <= entry["expires"] - before <= 365 * DAY + 60_000
        assert found["expires_at"].endswith("Z")
        assert (found["profile"], found["type"], found["config_updated"]) == ("openrouter:manual", "token", True)

    @pytest.mark.parametrize(
        ("span", "days"), [("12", 12.0), ("1h30m", 0.0625), ("2d", 2.0)], ids=["bare days", "parts", "days"]
    )
    def test_how_long_is_written_as_a_duration(self, host: Host, span: str, days: float) -> None:
        before = time.time() * 1000
        host.does("paste-token", "--provider", "acme", "--expires-in", span, given=SECRET)
        left = host.stored()["profiles"]["acme:manual"]["expires"] - before
        assert days * DAY <= left + 2 <= days * DAY + 60_000

    def test_without_a_config_there_is_one_afterwards(self, host: Host) -> None:
        host.config.unlink()
        host.does("paste-token", "--provider", "openrouter", given=SECRET)
        assert stat.S_IMODE(host.config.stat().st_mode) == 0o600
        assert 'mode = "token"' in host.config.read_text()
        assert host.does("list").splitlines()[2] == "- openrouter:manual [openrouter/token]"

    def test_what_a_terminal_wrapped_is_put_together(self, host: Host) -> None:
        host.does("paste-token", "--provider", "anthropic", given=f"{SETUP[:40]} \r\n  {SETUP[40:]}\n")
        assert host.stored()["profiles"]["anthropic:manual"]["token"] == SETUP

    @pytest.mark.parametrize(
        ("command", "provider", "given", "words"),
        [
            pytest.param(
                "paste-token", "anthropic", "sk-ant-api03-x", 'starting with "sk-ant-" and "oat01-"', id="another kind"
            ),
            pytest.param("paste-token", "anthropic", "sk-ant-oat01-short", "Token looks too short", id="cut off"),
            pytest.param("paste-token", "openai", "sk-0123456789abc", "paste-api-key", id="an OpenAI key"),
            pytest.param("paste-token", "acme", "sk-proj-0123456789", "paste-api-key", id="one of a project"),
            pytest.param("paste-api-key", "anthropic", SETUP, "paste-token", id="a token as a key"),
            pytest.param("paste-api-key", "acme", " \n ", "No API key was given", id="nothing"),
            pytest.param("paste-api-key", "acme", f"{SECRET}\x07", "no request can carry", id="a control character"),
            pytest.param("paste-api-key", "acme", "\u4e2d\u6587", "no request can carry", id="no header's letters"),
            pytest.param("paste-api-key", "acme", f"{SECRET}\u4e2d", "is not ASCII", id="some of them"),
            pytest.param("paste-api-key", "acme", f"{SECRET} x", "The API key holds a blank", id="a blank inside"),
            pytest.param("paste-token", "acme", f"{SECRET}\u00e9", "The token holds a character", id="an accent"),
            pytest.param("paste-api-key", "acme", SECRET * 1000, "longer than 16 KiB", id="far too long"),
        ],
    )
    def test_what_cannot_be_right_is_not_stored(
        self, host: Host, command: str, provider: str, given: str, words: str
    ) -> None:
        code, out, err = host.auth(command, "--provider", provider, given=given)
        assert (code, out) == (1, "")
        assert words in err
        assert not host.store().exists()
        assert host.config.read_text() == CONFIG

    def test_what_a_terminal_damages_is_refused(self) -> None:
        with pytest.raises(BotError, match="The token is damaged"):
            checked(f"{SECRET[:8]}\udcff{SECRET[8:]}", "acme", True)

    def test_bytes_that_are_no_text_are_refused(self, host: Host) -> None:
        assert "not UTF-8" in host.auth("paste-api-key", "--provider", "acme", given=b"\xff\xfe")[2]

    @pytest.mark.parametrize(
        "arguments",
        [(SECRET,), ("--token", SECRET), (f"--token={SECRET}",), ("--api-key", SECRET), ("--key", SECRET)],
        ids=["bare", "flag", "flag with =", "--api-key", "--key"],
    )
    def test_a_secret_as_an_argument_is_refused_and_not_repeated(self, host: Host, arguments: tuple[str, ...]) -> None:
        code, out, err = host.auth("paste-token", "--provider", "acme", *arguments)
        assert (code, out) == (2, "")
        assert "never taken from the command line" in err
        assert not host.store().exists()

    @pytest.mark.parametrize(
        ("arguments", "code"),
        [
            (("paste-token",), 2),
            (("paste-token", "--provider", "a b"), 2),
            (("paste-token", "--provider", "acme", "--profile-id", "a b"), 2),
            (("paste-token", "--provider", "acme", "--expires-in", "abc"), 2),
            (("paste-token", "--provider", "acme", "--agent", "nobody"), 1),
            (("order",), 2),
            (("list", "--agent", ""), 1),
            (("list", "--agent", "!!!"), 1),
        ],
    )
    def test_wrong_usage_asks_for_no_secret(self, host: Host, arguments: tuple[str, ...], code: int) -> None:
        assert host.auth(*arguments, given=SECRET)[0] == code
        assert not host.store().exists()

    @pytest.mark.parametrize(
        "arguments",
        [
            pytest.param(("paste-api-key", "--provider", "sk-proj-0123456789abcdef"), id="provider"),
            pytest.param(("paste-api-key", "--provider", "SK-PROJ-0123456789ABCDEF"), id="capitals"),
            pytest.param(
                ("paste-token", "--provider", "acme", "--profile-id", "acme:sk-proj-0123456789abcdef"), id="profile"
            ),
            pytest.param(("list", "--provider", "sk-proj-0123456789abcdef"), id="list"),
            pytest.param(("order", "clear", "--provider", "sk-proj-0123456789abcdef"), id="order"),
        ],
    )
    def test_a_secret_in_the_place_of_a_name_is_refused_and_not_repeated(
        self, host: Host, arguments: tuple[str, ...]
    ) -> None:
        code, out, err = host.auth(*arguments, given=SECRET)
        assert (code, out) == (2, "")
        assert "looks like a secret, so it is not taken" in err
        assert "0123456789" not in err
        assert not host.store().exists()
        assert host.config.read_text() == CONFIG

    def test_alone_it_shows_its_help(self, host: Host) -> None:
        shown = host.does()
        assert shown.startswith("usage: remoteclaw models auth ")
        for word in ("list", "add", "setup-token", "paste-api-key", "paste-token", "logout", "order"):
            assert re.search(rf"^    {word}\b", shown, re.MULTILINE)

    def test_an_agent_and_json_may_stand_before_the_last_word(self, host: Host) -> None:
        host.keep({"zeta:own": key("zeta")}, agent="writer")
        for command in (("--agent", "writer", "--json", "list"), ("list", "--agent", "Writer", "--json")):
            found = json.loads(host.does(*command))
            assert (found["agent"], [row["id"] for row in found["profiles"]]) == ("writer", ["zeta:own"])

    def test_an_unknown_agent_is_told_with_those_that_there_are(self, host: Host) -> None:
        for command in (("list",), ("order", "get", "--provider", "acme"), ("logout", "x")):
            code, _, err = host.auth(*command, "--agent", "nobody")
            assert code == 1
            assert err == 'remoteclaw: Unknown agent id "nobody". Configured agents: main, writer.\n'

    def test_an_id_of_another_provider_is_not_taken_over(self, host: Host) -> None:
        host.keep({"mine": key("acme")})
        code, _, err = host.auth("paste-api-key", "--provider", "zeta", "--profile-id", "mine", given=SECRET)
        assert (code, err) == (1, 'remoteclaw: Auth profile "mine" is for acme, not zeta.\n')

    def test_a_reference_is_replaced_and_not_stored_over(self, host: Host) -> None:
        ref = {"source": "env", "provider": "default", "id": "ACME_KEY"}
        host.keep({"acme:manual": {"type": "api_key", "provider": "acme", "keyRef": ref, "email": "a@b.c"}})
        host.does("paste-api-key", "--provider", "acme", given=SECRET)
        assert host.stored()["profiles"]["acme:manual"] == {**key("acme", SECRET), "email": "a@b.c"}

    def test_the_first_name_in_the_config_would_take_others_out_of_service_so_it_is_not_written(
        self, host: Host
    ) -> None:
        host.keep({"acme:work": key("acme")}, agent="writer")
        assert "Updated" not in host.does("paste-api-key", "--provider", "acme", given=SECRET)
        assert host.config.read_text() == CONFIG

    @pytest.mark.parametrize(
        ("before", "order"),
        [
            pytest.param('[auth.order]\nacme = ["acme:a"]  # first\n', '["acme:manual","acme:a"]  # first', id="named"),
            pytest.param(NAMED + 'mode = "token"\n', '["acme:manual", "acme:a"]', id="other mode"),
            pytest.param(NAMED + 'mode = "api_key"\n', None, id="same mode"),
        ],
    )  # fmt: skip
    def test_it_comes_first_in_the_configs_order(self, host: Host, before: str, order: str | None) -> None:
        host.keep({"acme:a": key("acme")} if "auth.order" not in before else {})
        host.config.write_text(CONFIG + before)
        host.does("paste-api-key", "--provider", "acme", given=SECRET)
        text = host.config.read_text()
        assert (f"acme = {order}" in text) if order is not None else ("order" not in text)

    def test_a_mode_in_the_config_that_no_longer_fits_is_corrected(self, host: Host) -> None:
        host.config.write_text(
            CONFIG + '[auth.profiles."acme:manual"]\nprovider = "acme"\nmode = "token" # was\nlabel = "L"\n'
        )
        host.does("paste-api-key", "--provider", "acme", given=SECRET)
        assert 'mode = "api_key" # was\nlabel = "L"' in host.config.read_text()

    def test_an_order_that_leaves_it_out_is_told(self, host: Host) -> None:
        host.keep({"acme:a": key("acme")}, order={"acme": ["acme:a"]})
        code, _, err = host.auth("paste-api-key", "--provider", "acme", given=SECRET)
        assert code == 0
        assert "the order of acme does not name acme:manual, so it is not tried" in err

    def test_what_a_command_that_was_cut_off_left_out_is_told_and_put_right_by_the_same_command(
        self, host: Host, capsys: pytest.CaptureFixture[str]
    ) -> None:
        host.keep({"acme:a": key("acme"), "acme:cut": key("acme"), "zeta:x": key("zeta")})
        host.config.write_text(CONFIG + NAMED)
        code, _, err = host.auth("paste-api-key", "--provider", "acme", "--profile-id", "acme:b", given=SECRET)
        assert code == 0
        assert f"Note: {host.config} names other profiles of acme and not acme:cut, so it is not tried." in err
        host.does("paste-api-key", "--provider", "acme", "--profile-id", "acme:cut", given=SECRET)
        assert served(capsys) == {"acme:a", "acme:b", "acme:cut"}

    def test_what_is_decided_goes_by_the_config_and_the_stores_of_that_moment(
        self, host: Host, capsys: pytest.CaptureFixture[str]
    ) -> None:
        early = open_desk(None)
        host.does("paste-api-key", "--provider", "acme", "--profile-id", "acme:b", given="sk-of-the-other-one")
        keep(early, "acme:a", "acme", "api_key", SECRET, None, as_json=False)
        capsys.readouterr()
        assert served(capsys) == {"acme:a", "acme:b"}

    def test_a_key_of_one_agent_takes_no_key_of_the_environment_from_another(
        self, host: Host, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("ACME_API_KEY", "sk-of-the-environment")
        assert served(capsys) == {"env:ACME_API_KEY"}
        host.does("paste-api-key", "--provider", "acme", "--agent", "writer", given=SECRET)
        assert "acme:manual" in host.config.read_text()
        assert served(capsys) == {"env:ACME_API_KEY"}
        assert main(["models", "status", "--check"]) == 0

    def test_a_provider_that_nobody_knows_is_told(self, host: Host) -> None:
        code, _, err = host.auth("paste-api-key", "--provider", "antropic", given=SECRET)
        assert code == 0
        assert "no provider antropic is known" in err

    def test_status_and_a_gateway_that_runs_already_see_it_at_once(
        self, host: Host, capsys: pytest.CaptureFixture[str]
    ) -> None:
        running = AuthProfileFiles(host.state)
        host.keep({"acme:manual": key("acme")})
        assert running.load().profiles["acme:manual"].secret == Secret("sk-0123456789")
        host.does("paste-api-key", "--provider", "acme", given=SECRET)
        assert running.load().profiles["acme:manual"].secret == Secret(SECRET)
        assert main(["models", "status"]) == 0
        assert "  1. acme:manual · api_key · ready · next" in capsys.readouterr().out

    def test_on_a_terminal_it_is_asked_for_and_not_echoed(self, host: Host) -> None:
        environment = {**os.environ, "PYTHONPATH": str(ROOT), "TERM": "dumb"}
        command = ["-m", "bot", "models", "auth", "paste-api-key", "--provider", "acme"]
        terminal: Any = pexpect.spawn(sys.executable, command, env=environment, encoding="utf-8", timeout=20)
        terminal.expect_exact("API key of acme (it is not shown): ")
        terminal.sendline(SECRET)
        terminal.expect(pexpect.EOF)
        terminal.close()
        assert terminal.exitstatus == 0
        assert SECRET not in terminal.before
        assert "Auth profile: acme:manual (acme/api_key)" in terminal.before
        assert host.stored()["profiles"]["acme:manual"]["key"] == SECRET

    def test_several_commands_at_once_lose_nothing_of_store_or_config(self, host: Host) -> None:
        environment = {**os.environ, "PYTHONPATH": str(ROOT)}
        started = []
        host.config.write_text(CONFIG + '[auth.profiles."acme:a"]\nprovider = "acme"\n')
        for n in range(4):
            command = ["models", "auth", "paste-api-key", "--provider", "acme", "--profile-id", f"acme:{n}"]
            process = subprocess.Popen(
                [sys.executable, "-m", "bot", *command], env=environment, stdin=subprocess.PIPE, text=True
            )
            assert process.stdin is not None
            started.append(process)
        for n, process in enumerate(started):
            process.communicate(f"sk-of-number-{n}", timeout=60)
        assert [process.returncode for process in started] == [0] * 4
        assert {f"acme:{n}" for n in range(4)} == set(host.stored()["profiles"])
        assert all(f'[auth.profiles."acme:{n}"]' in host.config.read_text() for n in range(4))

    @pytest.mark.parametrize("_", range(3))
    def test_six_keys_at_once_are_all_in_service(self, host: Host, capsys: pytest.CaptureFixture[str], _: int) -> None:
        environment = {**os.environ, "PYTHONPATH": str(ROOT)}
        names = [f"acme:{n}" for n in range(6)]
        command = [sys.executable, "-m", "bot", "models", "auth", "paste-api-key", "--provider", "acme", "--profile-id"]
        started = [subprocess.Popen([*command, i], env=environment, stdin=subprocess.PIPE, text=True) for i in names]
        for n, process in enumerate(started):
            assert process.stdin is not None
            process.stdin.write(f"sk-of-number-{n}")
            process.stdin.close()
        assert [process.wait(60) for process in started] == [0] * 6
        assert served(capsys) == set(names)


class TestOrder:
    def test_it_is_set_shown_and_cleared(self, host: Host) -> None:
        host.keep({"acme:a": key("acme"), "acme:b": key("acme")})
        head = f"Agent: main\nProvider: acme\nAuth store: {host.store()}\n"
        assert host.does("order", "get", "--provider", "acme") == f"{head}Order override: (none)\n"
        shown = host.does("order", "set", "--provider", "acme", "acme:b", "acme:a", "acme:b")
        assert shown == f"{head}Order override: acme:b, acme:a\n"
        assert host.stored()["order"] == {"acme": ["acme:b", "acme:a"]}
        assert host.json("order", "get", "--provider", "Acme") == {
            "agent": "main", "agent_dir": str(host.store().parent), "provider": "acme",
            "auth_store_path": str(host.store()), "order": ["acme:b", "acme:a"], "inherited": False,
        }  # fmt: skip
        assert host.does("order", "clear", "--provider", "acme") == "Cleared per-agent order override.\n"
        assert host.json("order", "get", "--provider", "acme")["order"] is None
        assert "order" not in host.stored()

    def test_what_it_leaves_out_is_not_tried(self, host: Host, capsys: pytest.CaptureFixture[str]) -> None:
        host.keep({"acme:a": key("acme"), "acme:b": key("acme")})
        host.does("order", "set", "--provider", "acme", "acme:b")
        assert main(["models", "status"]) == 0
        shown = capsys.readouterr().out
        assert "  1. acme:b · api_key · ready · next" in shown
        assert "acme:a · api_key · excluded_by_auth_order" in shown

    @pytest.mark.parametrize(
        ("ids", "code", "words"),
        [
            (("acme:gone",), 1, 'Auth profile "acme:gone" not found in '),
            (("acme:a", "zeta:me"), 1, 'Auth profile "zeta:me" is for zeta, not acme.'),
            ((), 2, "Missing profile ids."),
            (("own",), 1, 'Auth profile "own" not found in '),
        ],
    )
    def test_every_id_must_be_one_that_the_agent_has(
        self, host: Host, ids: tuple[str, ...], code: int, words: str
    ) -> None:
        host.keep({"acme:a": key("acme"), "zeta:me": key("zeta")})
        host.keep({"own": key("acme")}, agent="writer")
        ended = host.auth("order", "set", "--provider", "acme", *ids)
        assert (ended[0], ended[1]) == (code, "")
        assert words in ended[2]
        assert "order" not in host.stored()

    def test_another_agent_may_order_what_it_reads_through_and_main_is_not_touched(self, host: Host) -> None:
        host.keep({"acme:a": key("acme")}, order={"acme": ["acme:a"]})
        before = host.store().read_bytes()
        get = ("order", "get", "--provider", "acme", "--agent", "writer")
        assert host.does(*get).endswith("Order override: acme:a (from main)\n")
        host.keep({"acme:own": key("acme")}, agent="writer")
        host.does("order", "set", "--provider", "acme", "--agent", "writer", "acme:own", "acme:a")
        assert host.stored("writer")["order"] == {"acme": ["acme:own", "acme:a"]}
        cleared = host.does("order", "clear", "--provider", "acme", "--agent", "writer")
        assert cleared.endswith("Order override: acme:a (from main)\n")
        assert host.store().read_bytes() == before

    def test_keys_of_the_environment_may_be_ordered(self, host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("ACME_API_KEY", SECRET)
        host.does("order", "set", "--provider", "acme", "env:ACME_API_KEY")
        assert host.stored()["order"] == {"acme": ["env:ACME_API_KEY"]}

    def test_a_store_that_cannot_be_written_is_told(self, host: Host) -> None:
        host.keep({"acme:a": key("acme")})
        host.store().chmod(0o644)
        for command in (("order", "clear", "--provider", "acme"), ("logout", "acme:a", "--yes")):
            code, out, err = host.auth(*command)
            assert (code, out) == (1, "")
            assert f"chmod 600 {host.store()}" in err


class TestListAndLogout:
    def test_the_list_says_what_each_is_and_how_long_it_lasts(self, host: Host) -> None:
        host.keep({
            "zeta:t": {"type": "token", "provider": "zeta", "token": SECRET, "expires": 4_102_444_800_000},
            "acme:a": {**key("acme", SECRET), "email": "a@b.c"},
            "acme:old": {"type": "token", "provider": "acme", "token": SECRET, "expires": 1_000},
        })  # fmt: skip
        assert host.does("list").splitlines() == [
            "Agent: main",
            "Profiles:",
            "- acme:a (a@b.c) [acme/api_key]",
            "- acme:old [acme/token; expires 1970-01-01T00:00:01Z; expired]",
            "- zeta:t [zeta/token; expires 2100-01-01T00:00:00Z]",
        ]
        found = host.json("list", "--provider", "acme")
        assert [(row["id"], row["state"]) for row in found["profiles"]] == [
            ("acme:a", "ready"),
            ("acme:old", "ineligible"),
        ]
        assert host.does("list", "--provider", "nobody") == "Agent: main\nProfiles: (none)\n"

    def test_a_removed_credential_is_gone_from_store_orders_and_config(self, host: Host) -> None:
        host.does("paste-api-key", "--provider", "acme", given=SECRET)
        host.does("order", "set", "--provider", "acme", "acme:manual")
        shown = host.does("logout", "acme:manual", "--yes")
        assert shown == f"Updated {host.config}\nRemoved auth profile: acme:manual\n"
        assert host.stored() == {"version": 1, "profiles": {}}
        assert host.config.read_text().rstrip() == CONFIG.rstrip()

    def test_what_the_operator_wrote_about_it_stays(self, host: Host) -> None:
        own = '[auth.profiles."acme:a"]\nprovider = "acme"\npin_allow = ["owners"]\n'
        host.keep({"acme:a": key("acme")})
        host.config.write_text(CONFIG + own)
        host.does("logout", "acme:a", "--yes")
        assert host.config.read_text() == CONFIG + own

    def test_it_is_not_removed_without_a_yes(self, host: Host) -> None:
        host.keep({"acme:a": key("acme")})
        code, out, err = host.auth("logout", "acme:a")
        assert (code, out, err) == (2, "", "remoteclaw: Removing acme:a needs a yes. Add --yes.\n")
        assert "acme:a" in host.stored()["profiles"]

    def test_what_is_not_the_agents_own_is_not_removed(self, host: Host) -> None:
        host.keep({"acme:a": key("acme")})
        assert 'Auth profile "x" not found in ' in host.auth("logout", "x", "--yes")[2]
        code, _, err = host.auth("logout", "acme:a", "--yes", "--agent", "writer")
        assert (code, err) == (1, 'remoteclaw: Auth profile "acme:a" is kept by main. Add --agent main.\n')
        assert "acme:a" in host.stored()["profiles"]


HEAD = '[models.providers.acme]\nbase_url = "http://127.0.0.1:9/v1"\napi = "openai-completions"\n'
LAYOUTS = [
    pytest.param('auth = {order={acme=["acme:a"]}, profiles={"acme:a"={provider="acme"}}} # c\n' + HEAD, id="inline"),
    pytest.param('auth.order.acme=["acme:a"]\nauth.profiles."acme:a".provider="acme" # x\n' + HEAD, id="dotted"),
    pytest.param('[auth]\nprofiles."acme:a".provider="acme" # x\norder.acme=["acme:a"]\n' + HEAD, id="dotted in a table"),
    pytest.param('[auth.order]\nacme=["acme:a"]\n' + HEAD + NAMED + "[log] # l\n" + NAMED.replace(":a", ":b"), id="scattered"),
    pytest.param('[auth.order]\nacme=[\n  "acme:a", # one\n  "acme:b",\n]\n' + HEAD, id="several lines"),
    pytest.param(("# top\n" + HEAD).replace("\n", "\r\n"), id="lines of Windows"),
    pytest.param("[auth]\n[auth.profiles]\n# mine\n" + HEAD, id="empty tables"),
    pytest.param(HEAD + '[log]\nlevel = "info"', id="no newline at the end"),
]  # fmt: skip


class TestConfigEdit:
    @pytest.mark.parametrize("text", LAYOUTS)
    def test_however_the_config_is_written_the_rest_of_it_stays(self, text: str) -> None:
        content = edited(text.encode(), add_profile("acme:new", "acme", "token"), {}, "config.toml").decode()
        before, after = tomllib.loads(text), tomllib.loads(content)
        assert after["auth"]["profiles"]["acme:new"] == {"provider": "acme", "mode": "token"}
        assert after["auth"].get("order", {"acme": ["acme:new"]})["acme"][0] == "acme:new"
        assert {k: v for k, v in after.items() if k != "auth"} == {k: v for k, v in before.items() if k != "auth"}
        assert content.count("#") == text.count("#"), "no comment is lost"
        undone = tomllib.loads(edited(content.encode(), remove_profile("acme:new"), {}, "config.toml").decode())
        assert undone.get("auth", {}).get("profiles", {}) == before.get("auth", {}).get("profiles", {})

    def test_a_link_is_followed_and_the_files_permissions_stay(self, host: Host, tmp_path: Path) -> None:
        target = host.config.rename(tmp_path / "mine.toml")
        target.chmod(0o640)
        host.config.symlink_to(target)
        host.does("paste-api-key", "--provider", "acme", given=SECRET)
        assert host.config.is_symlink()
        assert "acme:manual" in target.read_text()
        assert stat.S_IMODE(target.stat().st_mode) == 0o640

    def test_if_only_the_config_refuses_it_is_told_what_is_done_already(self, host: Host) -> None:
        lock = host.state / "config.toml.lock"
        lock.mkdir()  # nothing can take this away
        os.utime(lock, (1, 1))
        code, out, err = host.auth("paste-api-key", "--provider", "acme", given=SECRET)
        assert (code, out) == (1, "")
        assert "The credential is stored, but the configuration was not updated" in err
        assert "acme:manual" in host.stored()["profiles"]


def test_the_next_message_of_a_chat_that_is_open_goes_out_with_what_was_just_changed(state_dir: Path) -> None:
    with ThreadedProviderServer() as server:
        house = Installation(state_dir)
        house.configure(server.base_url)

        def auth(*arguments: str, typed: str = "", told: str = "") -> None:
            ended = house.run("models", "auth", *arguments, typed=typed)
            assert (ended.code, ended.err) == (0, told)

        paste = ("paste-api-key", "--provider", "acme")
        auth(*paste, typed="sk-the-first-key")
        with house.chat() as chat:
            chat.say("one")
            auth(*paste, typed="sk-the-second-key")
            chat.say("two")
            auth(*paste, "--profile-id", "acme:work", typed="sk-the-key-of-work")
            auth("order", "set", "--provider", "acme", "acme:work")
            chat.say("three")
            note = "the order of acme had only this one, so it is gone; now these serve: acme:manual."
            auth("logout", "acme:work", "--yes", told=f"remoteclaw: Note: {note}\n")
            chat.say("four")
        used = ["sk-the-first-key", "sk-the-second-key", "sk-the-key-of-work", "sk-the-second-key"]
        assert [seen.key for seen in server.seen] == used
