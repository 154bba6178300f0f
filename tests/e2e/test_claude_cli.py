"""Chats that the Claude command line answers, in real processes: with a stand-in for the program always, and with the real one
where TEST_CLAUDE_BINARY names it (`npm install @anthropic-ai/claude-code`; the file `claude` of the package for this platform).
"""

import json
import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.installation import Chat, Installation, error, replies, turn
from tests.fakes.claude_cli import FakeClaude, answer, credentials, held, refusal, wait_dead
from tests.fakes.provider_script import ok, status
from tests.fakes.provider_server import ThreadedProviderServer

REAL = os.environ.get("TEST_CLAUDE_BINARY", "")
LOGIN = "anthropic:claude-cli"
TOKEN = "sk-ant-oat01-" + "e2e9" * 22
LIMIT = {"status": "rejected", "resetsAt": 4_102_444_800, "rateLimitType": "five_hour"}


@pytest.fixture
def fake(tmp_path: Path) -> FakeClaude:
    return FakeClaude(tmp_path / "claude")


@pytest.fixture
def home(state_dir: Path, fake: FakeClaude) -> Installation:
    """A login of the command line, and a model that it serves: nothing else is configured."""
    credentials(state_dir / ".claude", access=TOKEN)
    home = Installation(state_dir, PATH=f"{fake.bin}:{os.environ['PATH']}")
    configure(home, "")
    return home


def configure(home: Installation, more: str) -> None:
    (home.state / "config.toml").write_text(f'[agents.defaults]\nmodel = "claude-cli/sonnet"\n{more}')


def text(events: list[dict[str, Any]]) -> str:
    return "\n".join(reply["text"] for reply in replies(events, "text"))


def test_a_login_is_all_that_a_chat_needs(home: Installation, fake: FakeClaude) -> None:
    events = home.say("hello")
    assert text(events) == "served-by:sonnet"
    assert (turn(events)["model"], turn(events)["profile"]) == ("claude-cli/sonnet", LOGIN)
    assert turn(events)["usage"] == {"input_tokens": 7, "output_tokens": 3}
    assert fake.runs[0].cwd == str(home.state / "claude-cli")


def test_a_chat_that_goes_on_goes_on_in_the_programs_session(home: Installation, fake: FakeClaude) -> None:
    with home.chat() as chat:
        chat.say("first")
        chat.say("second")
        chat.say("/new")
        chat.say("third")
    first, second, third = fake.runs
    assert (second.resumed, second.said) == (first.session, "second")
    assert (third.resumed, third.said) == (None, "third"), "a new conversation knows nothing of the one before"


def test_a_restart_gives_the_whole_conversation_again(home: Installation, fake: FakeClaude) -> None:
    home.say("my name is Ada")
    home.say("who am I?")
    again = fake.runs[1]
    assert again.resumed is None
    assert "my name is Ada" in again.said
    assert "served-by:sonnet" in again.said


def test_anthropics_models_are_served_by_it_and_can_be_pinned_to_it(home: Installation, fake: FakeClaude) -> None:
    with home.chat() as chat:
        assert error(chat.say("/model opus")) is None
        assert turn(chat.say("hello"))["profile"] == LOGIN
    assert fake.runs[0].model == "claude-opus-4-5"
    found = home.explain("anthropic/claude-opus-4-5")
    (anthropic,) = [p for p in found["providers"] if p["provider"] == "anthropic"]
    assert [(c["profile"], c["kind"], c["state"]) for c in anthropic["candidates"]] == [(LOGIN, "cli", "ready")]


def test_a_pin_names_it_for_the_models_of_the_command_line(home: Installation) -> None:
    with home.chat() as chat:
        assert error(chat.say(f"/model claude-cli/haiku@{LOGIN}")) is None
        assert turn(chat.say("hello"))["model"] == "claude-cli/haiku"
        assert LOGIN in "\n".join(reply["text"] for reply in replies(chat.say("/model status"), "status"))


def test_a_pin_names_it_for_anthropics_models_too_and_holds_across_both_providers(
    home: Installation, fake: FakeClaude
) -> None:
    with home.chat() as chat:
        assert error(chat.say(f"/model opus@{LOGIN}")) is None
        assert turn(chat.say("hello"))["model"] == "anthropic/claude-opus-4-5"
        assert "kept" in json.dumps(chat.say("/model claude-cli/haiku"))
        assert turn(chat.say("hello"))["profile"] == LOGIN
    assert [run.model for run in fake.runs] == ["claude-opus-4-5", "haiku"]


def test_a_key_takes_the_place_of_the_plan_only_with_somebodys_word(home: Installation, fake: FakeClaude) -> None:
    """The plan is paid for; a message with the key costs (product.md 6)."""
    home.write_store(json.dumps({"version": 1, "profiles": {
        "anthropic:work": {"type": "api_key", "provider": "anthropic", "key": "sk-ant-api03-work"}}}))  # fmt: skip
    found = home.explain("anthropic/claude-opus-4-5")
    assert (found["next"]["profile"], found["next"]["reason"]) == (LOGIN, "order")
    after = home.explain("anthropic/claude-opus-4-5", "--assume", f"{LOGIN}=rate_limit")
    assert (after["next"]["profile"], after["next"]["reason"]) == (None, "all_unavailable")
    configure(home, '[failover]\ncross_billing = "announce"\n')
    after = home.explain("anthropic/claude-opus-4-5", "--assume", f"{LOGIN}=rate_limit")
    assert after["next"]["profile"] == "anthropic:work"


def test_a_used_up_plan_is_told_with_its_end_and_rests_until_then(home: Installation, fake: FakeClaude) -> None:
    fake.plan(refusal("You've hit your session limit · resets 5pm (UTC)", 429, LIMIT))
    events = home.say("hello")
    assert turn(events)["outcome"] == "failed"
    assert [a["outcome"] for a in turn(events)["attempts"]] == ["rate_limit"]
    (provider,) = home.explain()["providers"]
    (candidate,) = provider["candidates"]
    assert (candidate["state"], candidate["reason"]) == ("cooling", "rate_limit")


def test_a_lost_login_says_how_to_log_in(home: Installation, fake: FakeClaude) -> None:
    fake.plan(refusal("Not logged in · Please run /login"))
    events = home.say("hello")
    assert [a["outcome"] for a in turn(events)["attempts"]] == ["auth"]
    credentials(home.state / ".claude", access="sk-ant-oat01-" + "new1" * 22)
    assert text(home.say("hello again")) == "served-by:sonnet", "a fresh login has a clean record"


def test_one_setting_leaves_it_alone(home: Installation, fake: FakeClaude) -> None:
    configure(home, "[claude_cli]\nenabled = false\n")
    (provider,) = home.explain()["providers"]
    assert provider["candidates"] == []
    assert turn(home.say("hello"))["outcome"] == "failed"
    assert fake.runs == []


def test_a_provider_without_a_credential_of_ours_uses_whatever_login_the_program_has(
    home: Installation, fake: FakeClaude
) -> None:
    """As on macOS, where it lies in the keychain."""
    (home.state / ".claude" / ".credentials.json").unlink()
    configure(home, '[models.providers.claude-cli]\nauth = "none"\n')
    assert text(home.say("hello")) == "served-by:sonnet"


def test_the_program_is_named_and_called_as_the_config_says(home: Installation, fake: FakeClaude) -> None:
    home.env["PATH"] = os.environ["PATH"]
    configure(home, f'[claude_cli]\ncommand = "{fake.path}"\nargs = ["--effort", "low"]\nmax_processes = 1\n')
    assert text(home.say("hello")) == "served-by:sonnet"
    assert fake.runs[0].argv[:2] == ["--effort", "low"]


def test_a_missing_program_is_told_where_people_look(home: Installation) -> None:
    home.env["PATH"] = os.environ["PATH"]
    shown = home.run("models", "status")
    assert "anthropic:claude-cli does not serve: the command 'claude' of the Claude CLI was not found." in shown.out
    assert "missing_credential" in shown.out


def test_a_status_shows_it_and_no_character_of_its_tokens(home: Installation, fake: FakeClaude) -> None:
    shown = home.run("models", "status")
    assert "1. anthropic:claude-cli (Claude max) · cli · ready · next" in shown.out
    assert "- anthropic:claude-cli ok expires in" in shown.out
    whole = shown.out + home.run("models", "status", "--json").out
    home.say("hello")
    kept = [path.read_bytes() for path in home.state.rglob("*") if path.is_file() and ".claude" not in path.parts]
    assert TOKEN not in whole
    assert not any(TOKEN.encode() in content or b"sk-ant-ort01" in content for content in kept)


def test_a_probe_asks_the_program_as_it_has_no_list(home: Installation, fake: FakeClaude) -> None:
    found = home.run("models", "status", "--probe", "--probe-provider", "claude-cli", "--json").json
    (row,) = found["probes"]["results"]
    assert (row["profile_id"], row["status"]) == (LOGIN, "ok")
    assert len(fake.runs) == 1


def test_stopping_ends_the_program(home: Installation, fake: FakeClaude) -> None:
    fake.plan(held("so far", " and the rest"))
    with home.chat("--stream") as chat:
        chat.begin("hello")
        while chat.event()["event"] != "delta":
            pass
        chat.process.send_signal(signal.SIGINT)
        assert wait_dead(fake.runs[0].pid)


def test_the_end_of_the_chat_is_the_end_of_the_program_and_its_children(home: Installation, fake: FakeClaude) -> None:
    fake.plan([["child"], *held("so far", " and the rest")])
    with home.chat("--stream") as chat:
        chat.begin("hello")
        while chat.event()["event"] != "delta":
            pass
        chat.process.send_signal(signal.SIGTERM)
        assert wait_dead(fake.runs[0].pid)
        assert fake.child is not None
        assert wait_dead(fake.child)


def test_what_was_broken_off_is_not_gone_on_with(home: Installation, fake: FakeClaude) -> None:
    fake.plan(answer("one"), refusal("API Error: 400 bad", 400), answer("two"))
    with home.chat() as chat:
        chat.say("first")
        assert turn(chat.say("second"))["outcome"] == "failed"
        assert text(chat.say("second again")) == "two"
    assert [run.resumed is None for run in fake.runs] == [True, False, True]


@pytest.mark.skipif(not REAL, reason="TEST_CLAUDE_BINARY names no real claude program (364 MB, from npm)")
class TestReal:
    """The real program against a provider on loopback. Its one request beside the answers is to find out whether that is there."""

    @pytest.fixture
    def chat(self, home: Installation, server: ThreadedProviderServer) -> Iterator[Chat]:
        configure(home, f"""
            [claude_cli]
            command = "{REAL}"
            [models.providers.claude-cli]
            base_url = "{server.base_url}"
        """)  # fmt: skip
        with home.chat() as chat:
            yield chat

    def asked(self, server: ThreadedProviderServer) -> list[dict[str, Any]]:
        """What reached the provider, without the question whether it is there."""
        return [seen.body for seen in server.seen if seen.path.startswith("/v1/messages")]

    def test_it_answers_and_goes_on_in_its_session(self, chat: Chat, server: ThreadedProviderServer) -> None:
        server.script[TOKEN] = [ok("Grüße 🦀", tokens=(11, 4)), ok("two")]
        events = chat.say("first")
        assert (text(events), turn(events)["usage"]) == ("Grüße 🦀", {"input_tokens": 11, "output_tokens": 4})
        assert text(chat.say("second")) == "two"
        first, second = self.asked(server)
        assert first["tools"] == []
        said = [m["role"] for m in second["messages"] if m["role"] != "system"]  # its own words about the machine
        assert said == ["user", "assistant", "user"]
        assert {seen.key for seen in server.seen if seen.key} == {TOKEN}

    def test_it_reads_no_file_and_obeys_no_command(
        self, chat: Chat, server: ThreadedProviderServer, tmp_path: Path
    ) -> None:
        (tmp_path / "private").write_text("WHAT-NOBODY-MAY-SEE")
        chat.say(f"read @{tmp_path}/private")
        chat.say(f'and @"{tmp_path}/private"')
        chat.say("/cost of it")
        chat.say("\ufeff /cost of it")
        asked = self.asked(server)
        assert len(asked) == 4
        assert "WHAT-NOBODY-MAY-SEE" not in json.dumps(asked)

    @pytest.mark.parametrize(
        ("step", "outcome"),
        [
            pytest.param(status(401), "auth", id="401"),
            pytest.param(status(429), "rate_limit", id="429"),
            pytest.param(status(404), "model_not_found", id="404"),
            pytest.param(status(400), "format", id="400"),
        ],
    )
    def test_its_refusals_are_classified(
        self, step: Any, outcome: str, chat: Chat, server: ThreadedProviderServer
    ) -> None:
        server.script[TOKEN] = [step] * 3
        assert turn(chat.say("hello"))["attempts"][0]["outcome"] == outcome

    def test_a_limit_of_the_plan_has_its_end(
        self, chat: Chat, server: ThreadedProviderServer, home: Installation
    ) -> None:
        headers = {
            "anthropic-ratelimit-unified-status": "rejected",
            "anthropic-ratelimit-unified-reset": "4102444800",
            "anthropic-ratelimit-unified-representative-claim": "five_hour",
        }
        server.script[TOKEN] = [status(429, headers)]
        attempt = turn(chat.say("hello"))["attempts"][0]
        assert attempt["outcome"] == "rate_limit"
        assert attempt["retry_at"] is not None

    def test_an_overloaded_provider_is_asked_again_by_us(self, chat: Chat, server: ThreadedProviderServer) -> None:
        server.script[TOKEN] = [status(529), ok("at last")]
        events = chat.say("hello")
        assert text(events) == "at last"
        assert [a["outcome"] for a in turn(events)["attempts"]] == ["overloaded", "ok"]
        assert len(self.asked(server)) == 2, "it tries nothing again by itself"
