"""`remoteclaw models`: what it prints, and the exit codes that monitors rely on."""

import json
import re
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from bot.cli.main import main

CONFIG = """
[models.providers.acme]
base_url = "http://127.0.0.1:9/v1"
api = "openai-completions"
models = ["small", { id = "large", alias = "big" }]
[models.providers.zeta]
base_url = "http://127.0.0.1:9"
api = "anthropic-messages"
models = [{ id = "opus-1", alias = "opus" }]
[agents.defaults]
model = { primary = "acme/small", fallbacks = ["zeta/opus-1"] }
[agents.list.writer]
model = "zeta/opus-1"
"""
HOUR = 3600_000


def key(provider: str, text: str = "sk-0123456789") -> dict[str, Any]:
    return {"type": "api_key", "provider": provider, "key": text}


def token(provider: str, expires: object = None, text: str | None = "tok-0123456789") -> dict[str, Any]:
    return {"type": "token", "provider": provider, "token": text, "expires": expires}


class Host:
    """A state directory, and the command on it."""

    def __init__(self, state: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self.state = state
        self._capsys = capsys
        self.configure(CONFIG)
        self.keep({"acme:work": key("acme"), "acme:home": key("acme", "sk-another-one"), "zeta:me": key("zeta")})

    def configure(self, text: str) -> None:
        (self.state / "config.toml").write_text(text)

    def keep(self, profiles: Mapping[str, object], agent: str = "main") -> None:
        store = self.state / "agents" / agent / "agent" / "auth-profiles.json"
        store.parent.mkdir(parents=True, exist_ok=True)
        store.touch(0o600)
        store.write_text(json.dumps({"version": 1, "profiles": dict(profiles)}))

    def models(self, *arguments: str) -> tuple[int, str, str]:
        code = main(["models", *arguments])
        captured = self._capsys.readouterr()
        return code, captured.out, captured.err

    def shows(self, *arguments: str) -> str:
        code, out, err = self.models(*arguments)
        assert (code, err) == (0, "")
        return out

    def json(self, *arguments: str) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.shows(*arguments, "--json"))
        return found


@pytest.fixture
def host(state_dir: Path, capsys: pytest.CaptureFixture[str]) -> Host:
    return Host(state_dir, capsys)


class TestStatus:
    def test_it_names_where_everything_is_and_how_each_credential_stands(self, host: Host) -> None:
        shown = host.shows("status")
        for line in (
            f"Config        : {host.state}/config.toml",
            "Agent         : main",
            f"Agent dir     : {host.state}/agents/main/agent",
            "Default       : acme/small",
            "Fallbacks (1) : zeta/opus-1",
            "Aliases (2)   : big -> acme/large, opus -> zeta/opus-1",
            "Configured models (0): all",
            "[acme] http://127.0.0.1:9/v1 · openai-completions",
            "[zeta] http://127.0.0.1:9 · anthropic-messages",
        ):
            assert line in shown.splitlines()
        assert "  1. acme:work · api_key · ready · next · #" in shown
        assert "  2. acme:home · api_key · ready · #" in shown
        assert "0123456789" not in shown

    def test_without_a_word_it_is_status(self, host: Host) -> None:
        assert host.shows() == host.shows("status")
        forms = ("--json",), ("status", "--json"), ("--json", "status"), ("--status-json",)
        assert len({re.sub(r'"remaining_ms": .*', "", host.shows(*form)) for form in forms}) == 1

    def test_looking_makes_no_database(self, host: Host) -> None:
        host.shows("status", "--session", "room")
        assert not (host.state / "remoteclaw.db").exists()

    def test_plain_is_the_default_model_alone(self, host: Host) -> None:
        assert host.shows("--plain") == host.shows("--status-plain") == "acme/small\n"
        assert host.shows("--plain", "--agent", "writer") == "zeta/opus-1\n"

    def test_json_and_plain_together_are_wrong_usage(self, host: Host) -> None:
        assert host.models("--json", "--plain") == (
            2, "", "remoteclaw: Choose either --json or --plain, not both.\n",
        )  # fmt: skip

    def test_another_agent_has_its_own_default_and_reads_through(self, host: Host) -> None:
        host.keep({"zeta:own": key("zeta")}, agent="writer")
        found = host.json("--agent", "Writer")
        assert (found["agent"], found["default"]) == ("writer", "zeta/opus-1")
        assert {c["profile"] for c in found["providers"][0]["candidates"]} == {"zeta:own", "zeta:me"}

    def test_an_agent_that_there_is_not_is_told_with_those_that_there_are(self, host: Host) -> None:
        code, out, err = host.models("--agent", "nobody")
        assert (code, out) == (1, "")
        assert err == 'remoteclaw: Unknown agent id "nobody". Configured agents: main, writer.\n'

    @pytest.mark.parametrize("session", ["a b", "agent:", "agent:main", "agent:main:a::b"])
    def test_what_is_no_session_is_wrong_usage(self, host: Host, session: str) -> None:
        for command in (("status",), ("explain",)):
            code, out, err = host.models(*command, "--session", session)
            assert (code, out) == (2, "")
            assert "is not a session key" in err

    def test_a_session_is_shown_beside_the_rest(self, host: Host) -> None:
        shown = host.shows("--session", "agent:main:telegram:default:group:-1")
        assert "Session       : agent:main:telegram:default:group:-1" in shown
        assert "Next: acme:work, the first in order that can serve" in shown
        assert host.json("--session", "room")["session"]["session"] == "agent:main:terminal:default:named:room"
        assert "session" not in host.json()

    def test_a_profile_that_cannot_serve_says_why(self, host: Host) -> None:
        host.keep({
            "acme:late": token("acme", 1_000),
            "acme:odd": token("acme", "tomorrow"),
            "acme:none": {"type": "api_key", "provider": "acme"},
            "acme:ref": {"type": "api_key", "provider": "acme", "keyRef": {"source": "env", "provider": "default", "id": "GONE"}},
            "acme:bad": {"type": "riddle", "provider": "acme"},
            "acme:good": key("acme"),
        })  # fmt: skip
        shown = host.shows()
        for name, reason in (
            ("late", "expired"), ("odd", "invalid_expires"), ("none", "missing_credential"), ("ref", "unresolved_ref"),
        ):  # fmt: skip
            assert f"  – acme:{name} · {'token' if name in ('late', 'odd') else 'api_key'} · {reason}" in shown
        assert "  1. acme:good · api_key · ready · next" in shown
        assert "Note: " in shown
        assert "'acme:bad' is not used" in shown
        reasons = {c["profile"]: c["reason"] for c in host.json()["providers"][0]["candidates"]}
        assert reasons["acme:ref"] == "unresolved_ref"

    def test_a_provider_in_use_without_a_credential_is_named(self, host: Host) -> None:
        host.keep({"acme:work": key("acme")})
        shown = host.shows().splitlines()
        assert shown[shown.index("Missing auth") + 1].startswith(
            "- zeta is in use and has no credential that may be used. Run `remoteclaw models auth paste-api-key "
        )
        assert host.json()["missing_providers_in_use"] == ["zeta"]


CHECKS = [
    pytest.param({}, 0, id="keys never expire"),
    pytest.param({"zeta:t": ("zeta", 48 * HOUR)}, 0, id="a token for two days"),
    pytest.param({"zeta:t": ("zeta", 23 * HOUR)}, 2, id="a token for less than a day"),
    pytest.param({"zeta:t": ("zeta", -HOUR)}, 1, id="an expired token"),
    pytest.param({"zeta:t": ("zeta", None)}, 0, id="a token without an end"),
    pytest.param({"other:t": ("other", -HOUR)}, 1, id="an expired token of a provider that is not in use"),
    pytest.param({"zeta:a": ("zeta", -HOUR), "zeta:b": ("zeta", HOUR)}, 1, id="expired counts before expiring"),
]


class TestCheck:
    @pytest.mark.parametrize(("tokens", "code"), CHECKS)
    @pytest.mark.parametrize("form", [(), ("--json",), ("--plain",)])
    def test_the_exit_code_says_how_urgent_it_is(
        self, host: Host, tokens: dict[str, tuple[str, int | None]], code: int, form: tuple[str, ...]
    ) -> None:
        now = time.time() * 1000
        found = {name: token(p, None if ends is None else now + ends) for name, (p, ends) in tokens.items()}
        host.keep({"acme:work": key("acme"), "zeta:me": key("zeta"), **found})
        assert host.models("status", "--check", *form)[0] == code
        assert host.models("status", *form)[0] == 0, "without --check nothing fails"

    def test_a_provider_in_use_without_a_credential_fails(self, host: Host) -> None:
        host.keep({"acme:work": key("acme")})
        assert host.models("--check")[0] == 1

    def test_a_token_that_is_missing_fails(self, host: Host) -> None:
        host.keep({"acme:work": key("acme"), "zeta:me": key("zeta"), "zeta:t": {"type": "token", "provider": "zeta"}})
        assert host.models("--check")[0] == 1


class TestExplain:
    def test_it_lists_what_would_be_tried_in_order(self, host: Host) -> None:
        shown = host.shows("explain")
        assert "Would be tried, in order:" in shown
        tried = ["  1. acme/small with acme:work", "  2. acme/small with acme:home", "  3. zeta/opus-1 with zeta:me"]
        assert [line for line in shown.splitlines() if " with " in line] == tried

    def test_a_reference_is_read_as_after_model(self, host: Host) -> None:
        assert host.json("explain", "big@home")["next"] == {
            "model": "acme/large", "profile": "acme:home", "reason": "pinned", "until": None,
        }  # fmt: skip
        assert host.json("explain", "@acme:home", "prefer")["pin"]["mode"] == "prefer"
        assert host.json("explain", "opus@zeta:me", "for", "2h")["next"]["until"] is not None

    @pytest.mark.parametrize(
        ("reason", "profile"),
        [
            ("rate_limit", "acme:home"),
            ("billing", "acme:home"),
            ("auth_permanent", "acme:home"),
            ("overloaded", "acme:work"),
        ],
    )
    def test_a_failure_that_is_assumed_moves_on_as_it_would(self, host: Host, reason: str, profile: str) -> None:
        assert host.json("explain", "--assume", f"acme:work={reason}")["next"]["profile"] == profile
        assert host.json("explain", "--assume", f"work={reason}")["next"]["profile"] == profile

    def test_assumptions_add_up(self, host: Host) -> None:
        both = ("--assume", "acme:work=rate_limit", "--assume", "acme:home=auth")
        assert host.json("explain", *both)["next"]["profile"] == "zeta:me"
        strict = host.json("explain", "@work", *both)
        assert (strict["next"]["profile"], strict["next"]["reason"]) == (None, "pinned_unavailable")
        assert "  nothing" in host.shows("explain", "@work", *both)

    @pytest.mark.parametrize(
        ("arguments", "code", "words"),
        [
            (("--assume", "acme:work"), 2, "PROFILE=REASON"),
            (("--assume", "acme:work=tired"), 2, "'tired' is not a failure reason"),
            (("--assume", "acme:gone=auth"), 1, "No profile 'acme:gone' for acme"),
            (("xyzzyxyzzy",), 1, "No model 'xyzzyxyzzy' is known"),
            (("big@zeta:me",), 1, "is a credential of zeta"),
            (("big", "please"), 1, "'please' was not understood"),
            (("list",), 1, "is not a model reference"),
            (("--agent", "nobody"), 1, "Unknown agent id"),
        ],
    )  # fmt: skip
    def test_what_makes_no_sense_is_told(self, host: Host, arguments: tuple[str, ...], code: int, words: str) -> None:
        ended = host.models("explain", *arguments)
        assert (ended[0], ended[1]) == (code, "")
        assert words in ended[2]
        assert len(ended[2].splitlines()) == 1

    def test_the_host_is_not_bound_by_who_may_pin_or_by_a_locked_session(self, host: Host) -> None:
        host.configure(
            f'{CONFIG}\n[auth.profiles."acme:work"]\nprovider = "acme"\npin_allow = ["telegram:1"]\n'
            '[session]\nlocked = ["agent:main:telegram:default:group:-1"]\n'
        )
        found = host.json("explain", "big@acme:work", "--session", "agent:main:telegram:default:group:-1")
        assert found["next"]["profile"] == "acme:work"
