"""`models auth add` and `setup-token`: what they ask on a real terminal, what they store, and that no secret is on the screen."""

import json
import os
import re
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pexpect
import pytest

from bot.cli.prompts import can_ask
from tests.bot.test_models_auth import CONFIG, DAY, SECRET, SETUP, Host, key

ROOT = Path(__file__).parents[2]
DOWN, PASTE, PASTED = "\x1b[B", "\x1b[200~", "\x1b[201~"
_SEQUENCE = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")


class Screen:
    """A command on a pseudo-terminal. Everything that was ever drawn is kept."""

    def __init__(self, *arguments: str, **environment: str) -> None:
        # A real terminal says where its cursor is; this one does not, and would be waited for at every question.
        quiet = {"TERM": "xterm-256color", "PROMPT_TOOLKIT_NO_CPR": "1"}
        given = {**os.environ, "PYTHONPATH": str(ROOT), **quiet, **environment}
        self._terminal: Any = pexpect.spawn(
            sys.executable, ["-m", "bot", "models", "auth", *arguments],
            env=given, encoding="utf-8", timeout=30, dimensions=(60, 120),
        )  # fmt: skip
        self._seen = ""

    def sees(self, words: str) -> None:
        self._terminal.expect_exact(words)
        self._seen += self._terminal.before + words

    def asked(self, words: str, answer: str) -> None:
        """Answer a question once it is drawn."""
        self.sees(words)
        self._terminal.send(answer)

    def ended(self) -> tuple[int, str]:
        """The exit code and everything that was drawn, without what only moves the cursor or colours."""
        self._terminal.expect(pexpect.EOF)
        self._seen += self._terminal.before
        self._terminal.close()
        return self._terminal.exitstatus, _SEQUENCE.sub("", self._seen)

    def close(self) -> None:
        self._terminal.close(force=True)


Starts = Callable[..., Screen]


@pytest.fixture
def on_screen() -> Iterator[Starts]:
    started: list[Screen] = []

    def start(*arguments: str, **environment: str) -> Screen:
        started.append(Screen(*arguments, **environment))
        return started[-1]

    yield start
    for screen in started:
        screen.close()


@pytest.fixture
def host(state_dir: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Host:
    host = Host(state_dir, capsys, monkeypatch)
    host.config.write_text(CONFIG)
    return host


class TestAdd:
    def test_a_key_of_a_provider_that_is_chosen_by_typing(self, host: Host, on_screen: Starts) -> None:
        screen = on_screen("add")
        screen.sees("Whose credential is it?")
        screen.asked("another provider", "zet")
        screen.asked("/ ", "\r")
        screen.asked("What is it for zeta?", "\r")
        screen.asked("Its id:", "\r")
        screen.asked("API key of zeta (it is not shown):", f"{SECRET}\r")
        code, shown = screen.ended()
        assert code == 0
        assert SECRET not in shown
        assert f"Updated {host.config}" in shown
        assert "Auth profile: zeta:manual (zeta/api_key)" in shown
        assert host.stored()["profiles"] == {"zeta:manual": key("zeta", SECRET)}

    def test_a_token_has_an_end_that_is_asked_for(self, host: Host, on_screen: Starts) -> None:
        screen = on_screen("add", "--provider", "acme", "--profile-id", "acme:t", "--agent", "writer", "--json")
        screen.asked("What is it for acme?", f"{DOWN}\r")
        screen.asked("How long is it valid?", "\x15soon\r")
        screen.asked("invalid duration", "\x152d\r")
        screen.asked("Token of acme (it is not shown):", f"{SECRET}\r")
        code, shown = screen.ended()
        assert code == 0
        assert SECRET not in shown
        entry = host.stored("writer")["profiles"]["acme:t"]
        assert (entry["type"], entry["token"]) == ("token", SECRET)
        assert abs(entry["expires"] - time.time() * 1000 - 2 * DAY) < 60_000
        assert json.loads(shown[shown.index("{") :])["profile"] == "acme:t"

    def test_a_year_is_offered_and_nothing_is_no_end(self, host: Host, on_screen: Starts) -> None:
        for answer, days in (("\r", 365), ("\x15\r", None)):
            screen = on_screen("add", "--provider", "acme", "--profile-id", f"acme:{days}")
            screen.asked("What is it for acme?", f"{DOWN}\r")
            screen.asked("365d", answer)
            screen.asked("Token of acme (it is not shown):", f"{SECRET}\r")
            assert screen.ended()[0] == 0
            expires = host.stored()["profiles"][f"acme:{days}"].get("expires")
            assert (expires is None) if days is None else (0 < expires - time.time() * 1000 <= days * DAY)

    def test_an_id_that_is_taken_is_replaced_or_another_one_is_asked_for(self, host: Host, on_screen: Starts) -> None:
        host.keep({"acme:manual": key("acme"), "zeta:me": key("zeta")})
        screen = on_screen("add", "--provider", "acme")
        screen.asked("What is it for acme?", "\r")
        screen.asked("Its id:", "\r")
        screen.asked("acme:manual is there already.", f"{DOWN}\r")
        screen.asked("Its id:", "\x15zeta:me\r")
        screen.asked("is for zeta, not acme", "\x15acme:new\r")
        screen.asked("API key of acme (it is not shown):", f"{SECRET}\r")
        assert screen.ended()[0] == 0
        assert host.stored()["profiles"]["acme:manual"] == key("acme")
        assert host.stored()["profiles"]["acme:new"] == key("acme", SECRET)
        screen = on_screen("add", "--provider", "acme", "--profile-id", "acme:manual")
        screen.asked("What is it for acme?", "\r")
        screen.asked("acme:manual is there already.", "\r")
        screen.asked("API key of acme (it is not shown):", f"{SECRET}\r")
        assert screen.ended()[0] == 0
        assert host.stored()["profiles"]["acme:manual"] == key("acme", SECRET)

    def test_another_provider_is_named_and_what_cannot_be_a_secret_is_asked_for_again(
        self, host: Host, on_screen: Starts
    ) -> None:
        screen = on_screen("add")
        screen.sees("Whose credential is it?")
        screen.asked("another provider", "another\r")
        screen.asked("The provider's id:", "a b\r")
        screen.asked("must be a provider id", "\x15Mine\r")
        screen.asked("What is it for mine?", "\r")
        screen.asked("Its id:", "\r")
        screen.asked("API key of mine (it is not shown):", "\r")
        screen.asked("No API key was given", f"{SETUP}\r")
        screen.asked("That is a setup-token and no API key", f"\x15{SECRET}\r")
        code, shown = screen.ended()
        assert code == 0
        assert SECRET not in shown
        assert SETUP[:20] not in shown
        assert host.stored()["profiles"] == {"mine:manual": key("mine", SECRET)}

    @pytest.mark.parametrize("end", ["\x03", "\x04"], ids=["Ctrl-C", "end of input"])
    def test_whoever_breaks_off_has_stored_nothing(self, host: Host, on_screen: Starts, end: str) -> None:
        screen = on_screen("add", "--provider", "acme", "--profile-id", "acme:x")
        screen.asked("What is it for acme?", "\r")
        screen.asked("API key of acme (it is not shown):", end)
        assert screen.ended()[0] == 130
        assert not host.store().exists()
        assert host.config.read_text() == CONFIG

    def test_in_a_pipe_it_names_the_commands_for_scripts(self, host: Host) -> None:
        assert not can_ask()
        code, out, err = host.auth("add", given=SECRET)
        assert (code, out) == (2, "")
        assert "models auth paste-api-key --provider <provider>" in err
        assert not host.store().exists()

    @pytest.mark.parametrize("term", ["dumb", "unknown"])
    def test_a_terminal_that_cannot_draw_is_none(self, host: Host, on_screen: Starts, term: str) -> None:
        code, shown = on_screen("add", TERM=term).ended()
        assert code == 2
        assert "needs a terminal" in shown

    @pytest.mark.parametrize("command", ["add", "setup-token"])
    @pytest.mark.parametrize("arguments", [(SECRET,), ("--token", SECRET), (f"--key={SECRET}",)])
    def test_a_secret_as_an_argument_is_refused_and_not_repeated(
        self, host: Host, command: str, arguments: tuple[str, ...]
    ) -> None:
        code, out, err = host.auth(command, *arguments)
        assert (code, out) == (2, "")
        assert f"Run `remoteclaw models auth {command}` and paste it when asked." in err

    def test_wrong_flags_are_told_before_anything_is_asked(self, host: Host, on_screen: Starts) -> None:
        code, shown = on_screen("add", "--provider", "a b").ended()
        assert (code, "must be a provider id" in shown) == (2, True)
        code, shown = on_screen("add", "--agent", "unknown").ended()
        assert (code, 'Unknown agent id "unknown".' in shown) == (1, True)


class TestSetupToken:
    def test_it_is_stored_for_a_year_even_if_it_was_wrapped(self, host: Host, on_screen: Starts) -> None:
        """C214."""
        screen = on_screen("setup-token")
        screen.sees("Run `claude setup-token` in another terminal")
        screen.asked("Is the token at hand?", "y")
        screen.asked("Token of anthropic (it is not shown):", f"{PASTE}{SETUP[:40]} \r\n  {SETUP[40:]}{PASTED}\r")
        code, shown = screen.ended()
        assert code == 0
        assert SETUP[:30] not in shown
        assert SETUP[-30:] not in shown
        entry = host.stored()["profiles"]["anthropic:manual"]
        assert (entry["type"], entry["provider"], entry["token"]) == ("token", "anthropic", SETUP)
        assert abs(entry["expires"] - time.time() * 1000 - 365 * DAY) < 60_000
        assert 'mode = "token"' in host.config.read_text()

    @pytest.mark.parametrize(
        ("given", "words"),
        [
            pytest.param("sk-ant-api03-x", "Expected a setup-token", id="C214 another kind"),
            pytest.param("sk-ant-oat01-abcdefg", "Token looks too short; paste the full setup-token", id="C214 short"),
            pytest.param("", "No token was given", id="C214 nothing"),
        ],
    )
    def test_what_is_none_is_told_at_once(self, host: Host, on_screen: Starts, given: str, words: str) -> None:
        screen = on_screen("setup-token", "--yes", "--profile-id", "anthropic:s")
        screen.asked("Token of anthropic (it is not shown):", f"{given}\r")
        screen.asked(words, f"\x15{SETUP}\r")
        assert screen.ended()[0] == 0
        assert host.stored()["profiles"]["anthropic:s"]["token"] == SETUP

    def test_with_yes_the_old_one_is_replaced_without_a_question(self, host: Host, on_screen: Starts) -> None:
        host.keep({"anthropic:manual": {"type": "token", "provider": "anthropic", "token": "old", "email": "a@b.c"}})
        screen = on_screen("setup-token", "--yes")
        screen.asked("Token of anthropic (it is not shown):", f"{SETUP}\r")
        assert screen.ended()[0] == 0
        entry = host.stored()["profiles"]["anthropic:manual"]
        assert (entry["token"], entry["email"]) == (SETUP, "a@b.c")

    def test_without_a_token_at_hand_nothing_is_stored(self, host: Host, on_screen: Starts) -> None:
        screen = on_screen("setup-token")
        screen.asked("Is the token at hand?", "n")
        code, shown = screen.ended()
        assert (code, "Nothing was stored." in shown) == (1, True)
        assert not host.store().exists()

    def test_it_needs_a_terminal_and_the_provider_that_has_such_tokens(self, host: Host, on_screen: Starts) -> None:
        code, out, err = host.auth("setup-token", given=SETUP)
        assert (code, out) == (2, "")
        assert "models auth paste-token --provider anthropic" in err
        code, shown = on_screen("setup-token", "--provider", "openai").ended()
        assert (code, "Only anthropic has setup-tokens." in shown) == (2, True)


class TestPasteOnAScreen:
    def test_lines_that_were_pasted_are_all_taken_and_none_is_left_for_the_shell(
        self, host: Host, on_screen: Starts
    ) -> None:
        screen = on_screen("paste-token", "--provider", "anthropic")
        screen.asked("token of anthropic (it is not shown):", f"{PASTE}{SETUP[:50]}\r\n{SETUP[50:]}{PASTED}\r")
        code, shown = screen.ended()
        assert code == 0
        assert SETUP[:30] not in shown
        assert host.stored()["profiles"]["anthropic:manual"]["token"] == SETUP

    def test_the_list_is_a_table(self, host: Host, on_screen: Starts) -> None:
        host.keep(
            {"acme:a": {**key("acme"), "email": "a\x1b[31m@b.c"}, "acme:b": {"type": "token", "provider": "acme"}}
        )
        code, shown = on_screen("list").ended()
        assert code == 0
        assert re.search(r"^Profile +Kind +State +Expires +Fingerprint", shown, re.MULTILINE)
        assert re.search(r"^acme:a \(a\\x1b\[31m@b\.c\) +acme/api_key +ready +- +[0-9a-f]{8}", shown, re.MULTILINE)
        assert re.search(r"^acme:b +acme/token +missing_credential", shown, re.MULTILINE)
