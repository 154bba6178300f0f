"""`secrets configure` on a real terminal: what it asks, refuses as it is typed, and writes. Breaking off writes nothing."""

import json
import stat
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.bot.secrets_stage import CANARY, TOKEN, WORK, Host, key, private, ref
from tests.fakes.screen import Screen
from tests.fakes.secret_store import python_command

DOWN, CLEAR = "\x1b[B", "\x15"


Starts = Callable[..., Screen]


@pytest.fixture
def on_screen() -> Iterator[Starts]:
    started: list[Screen] = []

    def start(*arguments: str, **environment: str) -> Screen:
        started.append(Screen("secrets", "configure", *arguments, **environment))
        return started[-1]

    yield start
    for screen in started:
        screen.close()
        assert CANARY not in screen.text


@pytest.fixture
def host(tmp_path: Path, state_dir: Path, capsys: pytest.CaptureFixture[str]) -> Host:
    host = Host(tmp_path, state_dir, capsys)
    host.furnish()
    return host


def add_vault(screen: Screen, host: Host) -> None:
    """Answer the questions for a provider that is a JSON file, with a mistake at each that can have one."""
    screen.asked("Providers of secrets", DOWN + "\r")
    screen.asked("How shall the provider be called?", "Vault\r")
    screen.asked("It must begin with a to z", f"{CLEAR}old\r")
    screen.asked("There is one of that name", f"{CLEAR}vault\r")
    screen.asked("Where does vault take secrets from?", "\r")
    screen.asked("The file, as an absolute path:", "keys.json\r")
    screen.asked("It must be an absolute path", f"{CLEAR}{host.keys}\r")
    screen.asked("What does the file hold?", "\r")


class TestWhole:
    def test_a_provider_is_set_up_and_credentials_are_moved(self, host: Host, on_screen: Starts) -> None:
        screen = on_screen("--apply")
        add_vault(screen, host)
        screen.asked("Set its limits and permissions too?", "y")
        screen.asked("The longest time for an answer", "1h\r")
        screen.asked("It must be at most 2m", f"{CLEAR}2s\r")
        screen.asked("The largest size in bytes", "30000000\r")
        screen.asked("It is too large", f"{CLEAR}4096\r")
        screen.asked("Shall it count whoever", "perhaps\r")
        screen.asked("It must be true or false", f"{CLEAR}\r")
        screen.asked("change vault (file)", "remove old\r")
        screen.asked("Providers of secrets", "\r")
        screen.sees("Which credentials shall be kept by a provider?")
        screen.sees("models.providers.acme.api_key (a secret as it is)")
        screen.asked('profiles."acme:token".tokenRef (a secret as it is)', f"{DOWN}{DOWN} {DOWN} \r")
        screen.asked('Where is profiles."acme:work".keyRef (a secret as it is) to be kept?', DOWN + "\r")
        screen.asked("at file:vault:", f"{CLEAR}nothing\r")
        screen.asked("The id of a file reference must be", f"{CLEAR}/nothing\r")
        screen.sees("'nothing' does not exist")
        screen.asked("give another reference", DOWN + "\r")
        screen.asked('Where is profiles."acme:work"', DOWN + "\r")
        screen.asked("at file:vault:", "acme/work\r")
        screen.asked('Where is profiles."acme:token".tokenRef', DOWN + "\r")
        screen.asked("at file:vault:", "token\r")
        screen.asked("Take ACME_API_KEY out of", "y")
        for words in (
            "- set up vault (file)",
            '- profiles."acme:work".keyRef of agent main: file:vault:/acme/work',
            "- remove old",
            "- take ACME_API_KEY out of .env",
        ):
            screen.sees(words)
        screen.asked("Carry it out?", "\r")
        code, shown = screen.ended()
        assert code == 0
        assert shown.count("Updated ") == 3
        assert (
            f'[secrets.providers.vault]\nsource = "file"\npath = "{host.keys}"\ntimeout = "2s"\nmax_bytes = 4096\n'
            in (host.config.read_text())
        )
        assert "secrets.providers.old" not in host.config.read_text()
        assert host.stored()["acme:work"] == key("", ref("/acme/work"))
        assert host.stored()["acme:token"] == {"type": "token", "provider": "acme", "tokenRef": ref("/token")}
        assert host.dotenv.read_text() == "# for the daemon\nOTHER=1\n"

    def test_a_variable_that_is_added_meanwhile_is_found_at_the_next_try(self, host: Host, on_screen: Starts) -> None:
        private(host.dotenv, "")
        screen = on_screen("--skip-provider-setup", "--agent", "writer", "--yes", "--json")
        screen.sees("Which credentials")
        screen.asked('profiles."acme:own".keyRef', f"{DOWN}{DOWN} \r")
        screen.asked("Where is", "\r")
        screen.asked("at env:default:", "\r")
        screen.sees("The environment variable ACME_API_KEY is missing or empty")
        private(host.dotenv, "ACME_API_KEY=sk-CANARY-added\n")
        screen.asked("try again", "\r")
        code, shown = screen.ended()
        assert code == 0
        found = json.loads(shown[shown.index("\n{") :])
        assert (found["applied"], found["changed_files"]) == (True, [str(host.store("writer"))])
        assert host.stored("writer") == {"acme:own": key("", ref("ACME_API_KEY", "default", "env"))}

    def test_a_credential_can_be_left_as_it_is(self, host: Host, on_screen: Starts) -> None:
        before = host.files()
        screen = on_screen("--skip-provider-setup")
        screen.asked("Which credentials", " \r")
        screen.asked("Where is channels.telegram.token", "\r")
        screen.asked("at env:default:", f"{CLEAR}lower\r")
        screen.asked("must be a variable name", f"{CLEAR}UNSET\r")
        screen.asked("What about channels.telegram.token", f"{DOWN}{DOWN}\r")
        code, shown = screen.ended()
        assert (code, host.files()) == (0, before)
        assert "There is nothing to change." in shown

    def test_a_plan_can_be_written_for_later(self, host: Host, on_screen: Starts) -> None:
        before = host.files()
        screen = on_screen("--providers-only", "--plan-out", str(host.plan))
        add_vault(screen, host)
        screen.asked("Set its limits and permissions too?", "\r")
        screen.asked("Providers of secrets", "\r")
        code, shown = screen.ended()
        assert code == 0
        assert f"Plan: {host.plan}" in shown
        assert host.files() == before
        assert stat.S_IMODE(host.plan.stat().st_mode) == 0o600
        assert list(host.plan.parent.glob(".*")) == []
        assert host.secrets("apply", "--from", str(host.plan)) == (0, f"Updated {host.config}\n", "")
        assert "[secrets.providers.vault]" in host.config.read_text()

    def test_a_command_is_run_only_where_that_is_allowed(self, host: Host, tmp_path: Path, on_screen: Starts) -> None:
        runs = tmp_path / "runs"
        body = f"open({str(runs)!r}, 'a').write('x')\nanswer({{'a': {TOKEN!r}}})"
        command = python_command(tmp_path, body)
        for flags, is_run in (("--apply", "--yes"), False), (("--allow-exec", "--apply", "--yes"), True):
            screen = on_screen(*flags)
            screen.asked("Providers of secrets", DOWN + "\r")
            screen.asked("How shall the provider be called?", "helper\r")
            screen.asked("Where does helper take secrets from?", DOWN + "\r")
            screen.asked("The command, as an absolute path", "\r")
            screen.asked("It is needed", f"{command};id\r")
            screen.asked("no shell reads it", f"{CLEAR}{command}\r")
            screen.asked("Its arguments", "'a\r")
            screen.asked("Its quotes do not match", "'\r")
            screen.asked("Variables that it gets", "A B\r")
            screen.asked("must be the name of an environment variable", f"{CLEAR}HOME, PATH\r")
            screen.asked("What does it answer with?", "\r")
            screen.asked("Set its limits", "\r")
            screen.asked("Providers of secrets", "\r")
            screen.asked("Which credentials", f"{DOWN}{DOWN}{DOWN} \r")
            screen.asked("Where is", DOWN + DOWN + "\r")
            screen.asked("at exec:helper:", "a/../b\r")
            screen.asked("must not contain the path segments", f"{CLEAR}a\r")
            code, shown = screen.ended()
            assert ("It cannot be carried out now" in shown, code, runs.exists()) == (
                not is_run,
                int(not is_run),
                is_run,
            )
        assert host.stored()["acme:token"]["tokenRef"] == ref("a", "helper", "exec")
        assert 'args = ["a"]\npass_env = ["HOME", "PATH"]' in host.config.read_text()


class TestBrokenOff:
    @pytest.mark.parametrize(
        ("where", "how"),
        [
            *(pytest.param(n, "\x03", id=f"Ctrl-C at question {n}") for n in range(7)),
            pytest.param(1, "\x04", id="end of input"),
        ],
    )
    def test_anywhere_nothing_is_written(self, host: Host, on_screen: Starts, where: int, how: str) -> None:
        before = host.files()
        screen = on_screen("--apply", "--plan-out", str(host.plan))
        steps = [
            ("Providers of secrets", DOWN + "\r"),
            ("How shall the provider be called?", "vault\r"),
            ("Where does vault take secrets from?", DOWN + DOWN + "\r"),
            ("Variables that may be read", "ACME_API_KEY\r"),
            ("Providers of secrets", "\r"),
            ("Which credentials", " \r"),
            ("Where is channels.telegram.token", "\r"),
        ]
        for words, answer in steps[:where]:
            screen.asked(words, answer)
        screen.asked(steps[where][0], how)
        code, _ = screen.ended()
        assert (code, host.files(), host.plan.exists()) == (130, before, False)

    @pytest.mark.parametrize(("answer", "code"), [("\x03", 130), ("n", 1)])
    def test_at_the_last_question_too(self, host: Host, on_screen: Starts, answer: str, code: int) -> None:
        before = host.files()
        screen = on_screen("--providers-only")
        screen.asked("Providers of secrets", "remove old\r")
        screen.asked("Providers of secrets", "\r")
        screen.asked("Carry it out?", answer)
        assert screen.ended()[0] == code
        assert host.files() == before


class TestUsage:
    def test_without_a_terminal_it_says_what_to_do(self, host: Host) -> None:
        code, out, err = host.secrets("configure")
        assert (code, out) == (1, "")
        assert "requires an interactive TTY. In a script, write a plan" in err

    def test_two_flags_exclude_each_other(self, host: Host) -> None:
        code, _, err = host.secrets("configure", "--providers-only", "--skip-provider-setup")
        assert code == 2
        assert "not allowed with" in err

    def test_an_agent_that_there_is_not_is_named(self, host: Host, on_screen: Starts) -> None:
        code, shown = on_screen("--agent", "nobody").ended()
        assert code == 1
        assert 'Unknown agent id "nobody". Configured agents: main, writer.' in shown

    def test_work_is_not_offered_where_there_is_none(self, host: Host, on_screen: Starts) -> None:
        host.config.write_text("")
        host.keep({"acme:login": {"type": "oauth", "provider": "acme", "access": WORK}})
        code, shown = on_screen("--skip-provider-setup").ended()
        assert code == 0
        assert "There is no credential that could be moved." in shown
