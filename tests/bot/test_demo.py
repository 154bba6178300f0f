"""`make demo` as a newcomer and as a script meet it: the real program, the real demo provider, nothing else."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pexpect
import pytest

ROOT = Path(__file__).parents[2]
COMMAND = [sys.executable, "-m", "bot", "demo"]
PATIENCE = 30


def environment(home: Path, **more: str) -> dict[str, str]:
    """With keys of the machine's own, none of which the demo may use, and a place of its own for temporary files."""
    scratch = home / "tmp"
    scratch.mkdir(exist_ok=True)
    keys = {"ANTHROPIC_API_KEY": "sk-ant-of-the-machine", "ACME_API_KEY": "sk-acme-of-the-machine"}
    own = {"HOME": str(home), "TMPDIR": str(scratch), "REMOTECLAW_STATE_DIR": str(home / "own-state")}
    return {"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT), **own, **keys, **more}


def demo(home: Path, script: str, *flags: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*COMMAND, *flags], input=script, capture_output=True, text=True, timeout=PATIENCE, env=environment(home)
    )


def events(home: Path, *lines: str, flags: tuple[str, ...] = ()) -> list[dict[str, Any]]:
    ended = demo(home, "".join(f"{line}\n" for line in lines), "--json", *flags)
    assert ended.returncode == 0, ended.stderr
    return [json.loads(line) for line in ended.stdout.splitlines()]


def replies(all_events: list[dict[str, Any]], kind: str) -> list[dict[str, Any]]:
    return [event for event in all_events if event["event"] == "reply" and event["kind"] == kind]


def test_a_script_runs_unattended_and_leaves_nothing_behind(tmp_path: Path) -> None:
    ended = demo(tmp_path, "hello\n\n/model status\n/model nosuch@nobody\n")
    assert ended.returncode == 0
    assert "acme:work" in ended.stdout
    assert "\x1b" not in ended.stdout
    assert "/model big@acme:home" in ended.stderr
    assert "/model big@acme:home" not in ended.stdout
    assert sorted(path.name for path in tmp_path.iterdir()) == ["tmp"]
    assert list((tmp_path / "tmp").iterdir()) == []


def test_the_fourth_question_is_answered_by_the_next_credential_and_the_chat_says_so(tmp_path: Path) -> None:
    said = events(tmp_path, "one", "two", "three", "four", "/model status")
    turns = [event for event in said if event["event"] == "turn"]
    assert [turn["profile"] for turn in turns] == ["acme:work", "acme:work", "acme:work", "acme:home"]
    assert [attempt["outcome"] for attempt in turns[3]["attempts"]] == ["rate_limit", "ok"]
    assert turns[3]["attempts"][0]["status"] == 429
    notices = " ".join(notice["text"] for notice in replies(said, "notice"))
    assert "acme:work" in notices
    assert "acme:home" in notices
    status = replies(said, "status")[0]["data"]
    acme = next(provider for provider in status["providers"] if provider["provider"] == "acme")
    states = {candidate["profile"]: candidate["state"] for candidate in acme["candidates"]}
    assert states == {"acme:work": "cooling", "acme:home": "ready"}
    assert status["next"]["profile"] == "acme:home"


def test_only_the_demos_own_credentials_exist_in_it(tmp_path: Path) -> None:
    said = events(tmp_path, "/model", "/model status")
    text = json.dumps(said)
    assert "env:" not in text
    assert "of-the-machine" not in text
    providers = {choice["ref"].partition("/")[0] for choice in replies(said, "picker")[0]["data"]["choices"]}
    assert providers == {"acme", "zeta"}


def test_what_the_welcome_suggests_works(tmp_path: Path) -> None:
    said = events(tmp_path, "/model big@acme:home", "who are you?", "/model opus for 10m", "and you?", "/model status")
    turns = [event for event in said if event["event"] == "turn"]
    assert [(turn["model"], turn["profile"]) for turn in turns] == [
        ("acme/large", "acme:home"),
        ("zeta/opus-1", "zeta:me"),
    ]
    assert replies(said, "status")[0]["data"]["model"]["alias"] == "opus"


def test_m_and_stream_work_as_in_chat(tmp_path: Path) -> None:
    ended = demo(tmp_path, "not read\n", "--json", "--stream", "-m", "hello")
    said = [json.loads(line) for line in ended.stdout.splitlines()]
    answer = "".join(event["text"] for event in said if event["event"] == "delta")
    assert answer == replies(said, "text")[0]["text"]
    assert len([event for event in said if event["event"] == "turn"]) == 1


def test_a_signal_ends_the_demo_and_removes_its_directory(tmp_path: Path) -> None:
    with subprocess.Popen(
        COMMAND, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment(tmp_path)
    ) as process:
        assert process.stdin
        assert process.stdout
        process.stdin.write(b"hello\n")
        process.stdin.flush()
        assert process.stdout.readline()
        assert len(list((tmp_path / "tmp").iterdir())) == 1
        process.send_signal(signal.SIGTERM)
        assert process.wait(PATIENCE) == 130
    assert list((tmp_path / "tmp").iterdir()) == []


@pytest.mark.parametrize("env", [{"TERM": "xterm"}, {"TERM": "xterm", "NO_COLOR": "1"}])
def test_at_a_terminal_a_number_picks_a_model_and_the_answer_says_who_it_is(
    tmp_path: Path, env: dict[str, str]
) -> None:
    child = pexpect.spawn(
        COMMAND[0],
        COMMAND[1:],
        env=environment(tmp_path, PROMPT_TOOLKIT_NO_CPR="1", **env),
        timeout=PATIENCE,
        dimensions=(40, 120),
        encoding="utf-8",
    )
    child.expect_exact("ask four things")
    child.expect_exact("Ctrl-D ends the chat.")
    child.expect_exact("\x1b[?2004h")
    child.send("/model\r")
    child.expect_exact("acme:home")
    child.expect_exact("\x1b[?2004h")
    child.send("2\r")
    child.expect("opus")
    child.expect_exact("\x1b[?2004h")
    child.send("/model stat\x09us\r")
    child.expect_exact("Default")
    child.expect_exact("\x1b[?2004h")
    child.send("\x04")
    child.expect(pexpect.EOF)
    child.close()
    assert child.exitstatus == 0
