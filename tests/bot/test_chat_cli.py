"""`remoteclaw chat` as its users start it: with a script behind it, and at a real terminal."""

import json
import os
import re
import signal
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pexpect
import pytest

ROOT = Path(__file__).parents[2]
COMMAND = [sys.executable, "-m", "tests.fakes.chat_process"]
PATIENCE = 10


def environment(**more: str) -> dict[str, str]:
    """A terminal that answers no questions, since pexpect is none."""
    kept = {name: os.environ[name] for name in ("PATH", "HOME")}
    return {**kept, "PYTHONPATH": str(ROOT), "TERM": "xterm", "PROMPT_TOOLKIT_NO_CPR": "1", "USER": "ada", **more}


def chat(state: Path, *flags: str, typed: bytes | None = b"", **env: str) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(
        [*COMMAND, str(state), *flags],
        input=typed,
        capture_output=True,
        timeout=PATIENCE,
        cwd=state,
        env=environment(**env),
    )


class TestForScripts:
    def test_every_line_is_a_message_and_the_end_of_input_ends_with_0(self, state_dir: Path) -> None:
        ended = chat(state_dir, typed=b"one\n\n  \ntwo")
        assert (ended.returncode, ended.stdout, ended.stderr) == (0, b"echo one\n\necho two\n", b"")

    def test_an_error_reply_does_not_change_the_exit_code(self, state_dir: Path) -> None:
        ended = chat(state_dir, "-m", "wrong")
        assert (ended.returncode, ended.stdout) == (0, b"No such model.\n")

    def test_with_m_standard_input_is_not_read(self, state_dir: Path) -> None:
        ended = chat(state_dir, "-m", "one", "-m", " ", "-m", "two", typed=b"three\n")
        assert ended.stdout == b"echo one\n\necho two\n"

    def test_json_is_one_object_a_line_and_streams_only_if_asked_to(self, state_dir: Path) -> None:
        plain = [json.loads(line) for line in chat(state_dir, "--json", typed=b"hi\n").stdout.splitlines()]
        assert plain == [{"event": "reply", "kind": "text", "code": None, "text": "echo hi", "data": {}}]
        streamed = [json.loads(line) for line in chat(state_dir, "--json", "--stream", "-m", "hi").stdout.splitlines()]
        assert streamed[:2] == [{"event": "delta", "text": "echo "}, {"event": "delta", "text": "hi"}]
        assert streamed[2:] == plain

    def test_bytes_that_are_no_utf8_are_replaced_whatever_the_locale(self, state_dir: Path) -> None:
        ended = chat(state_dir, typed=b"a\xffb \xf0\x9f\xa6\x80\n", LC_ALL="C", PYTHONUTF8="0", PYTHONCOERCECLOCALE="0")
        assert ended.stdout.decode() == "echo a\ufffdb 🦀\n"

    def test_a_very_long_line_is_one_message(self, state_dir: Path) -> None:
        assert chat(state_dir, typed=b"x" * 500_000).stdout == b"echo " + b"x" * 500_000 + b"\n"

    def test_no_escape_sequence_is_printed(self, state_dir: Path) -> None:
        assert chat(state_dir, "-m", "evil").stdout == b"evil done\n"
        assert b"\\u001b" not in chat(state_dir, "--json", "-m", "evil").stdout

    @pytest.mark.parametrize("flags", [("--agent", "nobody"), ("--session", "agent:nobody:main")])
    def test_an_unknown_agent_is_named_with_those_there_are(self, state_dir: Path, flags: tuple[str, ...]) -> None:
        ended = chat(state_dir, *flags, "-m", "hi")
        assert (ended.returncode, ended.stdout) == (1, b"")
        assert b'Unknown agent id "nobody". Configured agents: main, writer.' in ended.stderr

    @pytest.mark.parametrize(
        ("flags", "sentence"),
        [
            pytest.param(("--session", "a b"), "'a b' is not a session key", id="session"),
            pytest.param(("--as", "me"), "'me' is not a sender", id="sender"),
            pytest.param(
                ("--agent", "writer", "--session", "agent:main:main"), "belongs to agent main", id="two agents"
            ),
        ],
    )
    def test_a_wrong_argument_is_told_in_a_sentence_and_ends_with_2(
        self, state_dir: Path, flags: tuple[str, ...], sentence: str
    ) -> None:
        ended = chat(state_dir, *flags, "-m", "hi")
        assert (ended.returncode, ended.stdout) == (2, b"")
        assert sentence in ended.stderr.decode()
        assert len(ended.stderr.splitlines()) == 1

    def test_a_closed_standard_input_is_an_empty_one(self, state_dir: Path) -> None:
        command = 'exec "$0" "$@" <&-'
        ended = subprocess.run(
            ["/bin/sh", "-c", command, *COMMAND, str(state_dir)],
            capture_output=True,
            timeout=PATIENCE,
            env=environment(),
        )
        assert (ended.returncode, ended.stderr) == (0, b"")

    def test_a_reader_that_goes_away_is_no_failure(self, state_dir: Path) -> None:
        reading, writing = os.pipe()
        os.close(reading)
        ended = subprocess.run(
            [*COMMAND, str(state_dir), "-m", "one", "-m", "two"],
            stdout=writing,
            stderr=subprocess.PIPE,
            timeout=PATIENCE,
            env=environment(),
        )
        os.close(writing)
        assert (ended.returncode, ended.stderr) == (0, b"")

    @pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
    @pytest.mark.parametrize("typed", [b"one\nhang\n", b"one\n"])
    def test_a_signal_ends_it_with_130_and_without_a_traceback(
        self, state_dir: Path, number: signal.Signals, typed: bytes
    ) -> None:
        with subprocess.Popen(
            [*COMMAND, str(state_dir), "--stream"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=environment(),
        ) as process:
            assert process.stdin
            assert process.stdout
            process.stdin.write(typed)
            process.stdin.flush()
            assert process.stdout.read(9) == b"echo one\n"
            if b"hang" in typed:
                assert process.stdout.read(6) == b"\necho "
            process.send_signal(number)
            assert process.wait(PATIENCE) == 130
            assert process.stderr
            assert process.stderr.read() == b""


@pytest.fixture
def terminal(state_dir: Path) -> Iterator[pexpect.spawn]:
    child = pexpect.spawn(
        COMMAND[0], [*COMMAND[1:], str(state_dir)], env=environment(), timeout=PATIENCE, dimensions=(24, 100)
    )
    child.expect_exact("Ctrl-D ends the chat.")
    at_prompt(child)
    yield child
    child.close(force=True)


def at_prompt(child: pexpect.spawn) -> None:
    """The prompt is drawn by cursor movements; what marks it is that pasting is bracketed now. A dumb one is just written."""
    child.expect([r"\x1b\[\?2004h", "> $"])


def say(child: pexpect.spawn, text: str) -> None:
    child.send(text)
    child.send("\r")


def drawn(child: pexpect.spawn) -> str:
    return re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", child.before.decode())


def ends(child: pexpect.spawn) -> int:
    child.expect(pexpect.EOF)
    child.close()
    assert child.exitstatus is not None
    return int(child.exitstatus)


class TestAtATerminal:
    def test_a_message_is_answered_and_ctrl_d_ends_with_0(self, terminal: pexpect.spawn) -> None:
        say(terminal, "hello")
        terminal.expect_exact("echo hello")
        at_prompt(terminal)
        terminal.send("\x04")
        assert ends(terminal) == 0

    def test_an_answer_is_shown_while_it_is_written_and_ctrl_c_stops_it_alone(self, terminal: pexpect.spawn) -> None:
        say(terminal, "hang")
        terminal.expect("hang(.|\n)*echo")
        terminal.send("\x03")
        terminal.expect_exact("Stopped.")
        at_prompt(terminal)
        say(terminal, "again")
        terminal.expect_exact("echo again")
        at_prompt(terminal)
        terminal.send("\x04")
        assert ends(terminal) == 0

    def test_ctrl_c_at_the_prompt_drops_the_line_and_says_how_to_end(self, terminal: pexpect.spawn) -> None:
        terminal.send("half a line\x03")
        terminal.expect_exact("Ctrl-D ends the chat.")
        at_prompt(terminal)
        terminal.send("\x04")
        assert ends(terminal) == 0

    def test_a_number_after_a_picker_chooses(self, terminal: pexpect.spawn) -> None:
        say(terminal, "/model")
        terminal.expect_exact("2. acme/large")
        at_prompt(terminal)
        say(terminal, "2")
        terminal.expect_exact("Now acme/large.")
        at_prompt(terminal)
        say(terminal, "2")
        terminal.expect_exact("echo 2")

    def test_tab_completes_a_command_with_what_the_gateway_suggests(self, terminal: pexpect.spawn) -> None:
        terminal.send("/mode")
        terminal.expect_exact("list models")
        terminal.send("l o")
        terminal.expect_exact("sonnet = zeta/sonnet-1")
        terminal.send("\t\r")
        terminal.expect_exact("echo /model opus")

    def test_sequences_of_the_model_do_not_reach_the_terminal(self, terminal: pexpect.spawn) -> None:
        say(terminal, "evil")
        terminal.expect_exact("evil done")
        assert b"\x1b]0;owned" not in terminal.before
        assert "owned" not in drawn(terminal)

    def test_sigterm_at_the_prompt_ends_with_130_and_a_sane_terminal(self, terminal: pexpect.spawn) -> None:
        terminal.kill(signal.SIGTERM)
        assert ends(terminal) == 130

    def test_what_was_typed_is_remembered_for_its_owner_alone(self, terminal: pexpect.spawn, state_dir: Path) -> None:
        say(terminal, "remember me")
        terminal.expect_exact("echo remember me")
        at_prompt(terminal)
        terminal.send("\x04")
        assert ends(terminal) == 0
        history = state_dir / "chat-history"
        assert stat.S_IMODE(history.stat().st_mode) == 0o600
        assert "+remember me" in history.read_text()

    @pytest.mark.parametrize("env", [{"NO_COLOR": "1"}, {"TERM": "dumb"}])
    def test_without_colour_the_answer_is_plain_and_still_grows(self, state_dir: Path, env: dict[str, str]) -> None:
        child = pexpect.spawn(COMMAND[0], [*COMMAND[1:], str(state_dir)], env=environment(**env), timeout=PATIENCE)
        at_prompt(child)
        say(child, "hang")
        child.expect_exact("echo ")
        child.send("\x03")
        child.expect_exact("Stopped.")
        say(child, "evil")
        child.expect_exact("evil done")
        assert not re.search(rb"\x1b\[[0-9;]*3[0-9]m", child.before)
        child.send("\x04")
        assert ends(child) == 0
