"""`remoteclaw models status --probe`: which key is asked, what is said of it, that it ends in time and changes nothing."""

import asyncio
import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

import pexpect
import pytest

from adapters.providers.registry import HttpProviderClient
from bot.cli.main import main
from bot.probing import ProbeLimits, Prober, scrubbed
from bot.unwaited_threads import wait_for_no_thread
from core.auth.profiles import AuthProfile, CredentialKind
from core.auth.secret import Secret
from core.models.catalog import ProviderEntry
from core.models.ref import ModelRef
from core.resolution.probe import ProbeStatus, Target
from tests.e2e.installation import Installation
from tests.fakes.clock import FakeClock
from tests.fakes.provider_request import OPENAI
from tests.fakes.provider_script import Raw, Step, drip, drop, raw, slow, status
from tests.fakes.provider_server import ProviderServer, ThreadedProviderServer

ROOT = Path(__file__).parents[2]
JSON = {"content-type": "application/json"}
CONFIG = """
[models.providers.acme]
base_url = "{url}/v1"
api = "openai-completions"
models = ["small", "large"]
{acme}
[models.providers.zeta]
base_url = "{url}"
api = "anthropic-messages"
models = ["opus-1"]
[agents.defaults]
model = "acme/small"
[agents.list.writer]
model = "acme/large"
{more}
"""
WORK, HOME = "sk-acme-key-of-WORK", "sk-acme-key-of-HOME"
SECRET = "Zq7fK2mX9vB4tW8nR3yL6pD1"
FIRST_LINE = "Auth profile credentials are missing or expired."
OPEN = "The provider lists its models without a key too"


def lists(*names: str) -> Raw:
    return raw(json.dumps({"data": [{"id": name} for name in names]}).encode(), headers=JSON)


def key(provider: str, text: str = WORK, **more: object) -> dict[str, object]:
    return {"type": "api_key", "provider": provider, "key": text, **more}


class Host:
    """A state directory in front of a provider that gives its list to `good` keys alone. No secret may be printed."""

    def __init__(self, state: Path, server: ThreadedProviderServer, capsys: pytest.CaptureFixture[str]) -> None:
        self.state = state
        self.server = server
        self._capsys = capsys
        server.script[""] = [status(401)] * 99
        self.configure()

    def configure(self, acme: str = "", more: str = "") -> None:
        text = CONFIG.format(url=self.server.base_url, acme=acme, more=more)
        (self.state / "config.toml").write_text(text)

    def keep(self, profiles: Mapping[str, object], agent: str = "main", **more: object) -> None:
        store = self.state / "agents" / agent / "agent" / "auth-profiles.json"
        store.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        store.touch(0o600)
        store.write_text(json.dumps({"version": 1, "profiles": dict(profiles), **more}))

    def answers(self, text: str, *steps: Step) -> None:
        self.server.script[text] = list(steps)

    def models(self, *arguments: str) -> tuple[int, str, str]:
        code = main(["models", *arguments])
        out, err = self._capsys.readouterr()
        for secret in (WORK, HOME, SECRET, "of-WORK", SECRET[:8], SECRET[-8:]):
            assert secret not in out + err
        return code, out, err

    def shown(self, *arguments: str) -> list[str]:
        code, out, err = self.models("status", "--probe", *arguments)
        assert (code, err) == (0, "")
        return out.partition("Auth probes\n")[2].splitlines()

    def probes(self, *arguments: str) -> dict[str, Any]:
        code, out, err = self.models("status", "--json", "--probe", *arguments)
        assert (code, err) == (0, "")
        found: dict[str, Any] = json.loads(out)["probes"]
        return found

    def row(self, *arguments: str) -> dict[str, Any]:
        """The only one."""
        (found,) = self.probes(*arguments)["results"]
        return dict(found)


@pytest.fixture(scope="module")
def server() -> Iterator[ThreadedProviderServer]:
    with ThreadedProviderServer() as running:
        yield running


@pytest.fixture
def host(state_dir: Path, server: ThreadedProviderServer, capsys: pytest.CaptureFixture[str]) -> Host:
    server.seen.clear()
    server.script.clear()
    return Host(state_dir, server, capsys)


class TestList:
    def test_each_credential_is_asked_with_its_own_key_and_no_tokens_are_spent(self, host: Host) -> None:
        host.keep({"acme:work": key("acme"), "acme:home": key("acme", HOME), "zeta:me": key("zeta", SECRET)})
        for text in (WORK, HOME, SECRET):
            host.answers(text, lists("small", "large", "opus-1-20260101"))
        found = host.probes()
        assert [(row["profile_id"], row["model"], row["status"], row["check"]) for row in found["results"]] == [
            ("acme:home", "acme/small", "ok", "models"),
            ("acme:work", "acme/small", "ok", "models"),
            ("zeta:me", "zeta/opus-1", "ok", "models"),
        ]
        assert all(
            row["proven"] and row["error"] is row["note"] is row["reason_code"] is None for row in found["results"]
        )
        assert {seen.path.partition("?")[0] for seen in host.server.seen} == {"/v1/models"}
        assert sorted(seen.key for seen in host.server.seen if seen.key) == sorted([WORK, HOME, SECRET])

    def test_the_shape_of_the_json(self, host: Host) -> None:
        host.keep(
            {"acme:work": key("acme"), "acme:late": {"type": "token", "provider": "acme", "token": HOME, "expires": 1}}
        )
        host.answers(WORK, lists("small"))
        found = host.probes(
            "--probe-provider", "ACME", "--probe-profile", "acme:work, acme:late", "--probe-timeout", "5000"
        )
        assert set(found) == {
            "started_at", "finished_at", "duration_ms", "total_targets", "unreadable_providers", "options", "results",
        }  # fmt: skip
        assert found["unreadable_providers"] == []
        assert found["started_at"].endswith("Z")
        assert found["total_targets"] == 1
        assert found["options"] == {
            "provider": "ACME", "profile_ids": ["acme:work", "acme:late"], "timeout_ms": 5000, "concurrency": 2,
            "max_tokens": 8, "level": "list", "all": False,
        }  # fmt: skip
        late, work = found["results"]
        latency = work.pop("latency_ms")
        assert isinstance(latency, int)
        assert work == {
            "provider": "acme", "model": "acme/small", "profile_id": "acme:work", "label": "acme:work",
            "source": "profile", "mode": "api_key", "status": "ok", "reason_code": None, "error": None, "check": "models",
            "proven": True, "note": None,
        }  # fmt: skip
        assert late == {
            "provider": "acme", "model": "acme/small", "profile_id": "acme:late", "label": "acme:late",
            "source": "profile", "mode": "token", "status": "unknown", "reason_code": "expired",
            "error": f"{FIRST_LINE}\n↳ Auth reason [expired]: it expired at 1970-01-01T00:00:00Z.",
            "latency_ms": None, "check": None, "proven": None, "note": None,
        }  # fmt: skip

    def test_a_list_that_everybody_gets_proves_nothing_and_says_so(self, host: Host) -> None:
        host.keep({"acme:work": key("acme"), "acme:home": key("acme", HOME)})
        host.server.script[""] = [lists("small")]
        for text in (WORK, HOME):
            host.answers(text, lists("small"))
        rows = host.probes("--probe-concurrency", "1")["results"]
        assert [(row["status"], row["proven"], row["note"].startswith(OPEN)) for row in rows] == [
            ("ok", False, True)
        ] * 2
        assert [seen.key for seen in host.server.seen].count("") == 1, "each provider is asked once"

    @pytest.mark.parametrize("code", [404, 405, 501])
    def test_a_provider_without_a_list_is_asked_for_an_answer_and_the_row_says_so(self, host: Host, code: int) -> None:
        host.keep({"acme:work": key("acme")})
        host.answers(WORK, status(code))
        row = host.row()
        assert (row["status"], row["check"], row["proven"]) == ("ok", "completion", True)
        assert row["note"] == f"The provider keeps no list of models (status {code}): a completion was asked for."
        (_, asked) = host.server.seen
        assert (asked.key, asked.path, asked.model) == (WORK, "/v1/chat/completions", "small")
        assert (asked.body["max_tokens"], asked.body["stream"]) == (8, False)

    def test_a_model_that_the_list_does_not_name_is_told(self, host: Host) -> None:
        host.keep({"acme:work": key("acme")})
        host.answers(WORK, lists("large", "smaller"))
        assert host.row()["note"] == "The list does not name small."

    def test_every_model_of_a_credential_needs_one_list(self, host: Host) -> None:
        host.keep({"acme:work": key("acme"), "zeta:me": key("zeta", SECRET)})
        host.answers(WORK, lists("large"))
        host.answers(SECRET, lists("vendor/opus-1"))
        rows = host.probes("--probe-all")["results"]
        assert [(row["model"], row["note"]) for row in rows] == [
            ("acme/small", "The list does not name small."), ("acme/large", None), ("zeta/opus-1", None),
        ]  # fmt: skip
        assert len([seen for seen in host.server.seen if seen.key]) == 2

    def test_a_provider_that_needs_no_key_is_asked_once_and_without_one(self, host: Host) -> None:
        host.configure(acme='auth = "none"')
        host.server.script[""] = [lists("small")]
        row = host.row("--probe-provider", "acme")
        assert (row["profile_id"], row["mode"], row["status"], row["proven"]) == ("none:acme", "none", "ok", True)
        assert len(host.server.seen) == 1

    def test_a_header_from_a_reference_goes_along(self, host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("TENANT", "seven-eleven")
        host.configure(acme='headers = { X-Tenant = { source = "env", provider = "default", id = "TENANT" } }')
        host.keep({"acme:work": key("acme")})
        host.answers(WORK, lists("small"))
        assert host.row()["status"] == "ok"
        assert {seen.headers.get("x-tenant") for seen in host.server.seen} == {"seven-eleven"}


class TestCompletion:
    def test_one_short_answer_is_asked_for(self, host: Host) -> None:
        host.keep({"acme:work": key("acme"), "zeta:me": key("zeta", SECRET)})
        rows = host.probes("--probe-level", "completion", "--probe-max-tokens", "5")["results"]
        assert [(row["status"], row["check"], row["proven"], row["note"]) for row in rows] == [
            ("ok", "completion", True, None)
        ] * 2
        assert sorted((seen.path, seen.model, seen.body["max_tokens"]) for seen in host.server.seen) == [
            ("/v1/chat/completions", "small", 5), ("/v1/messages", "opus-1", 5),
        ]  # fmt: skip
        assert all("thinking" not in seen.body and "tools" not in seen.body for seen in host.server.seen)

    def test_every_model_is_asked_itself(self, host: Host) -> None:
        host.keep({"acme:work": key("acme")})
        rows = host.probes("--probe-level", "completion", "--probe-all")["results"]
        assert [row["model"] for row in rows] == ["acme/small", "acme/large"]
        assert sorted(seen.model for seen in host.server.seen) == ["large", "small"]


REVOKED = {"error": {"message": "This API key has been revoked."}}
FAILURES = [
    pytest.param(status(401), "auth", "refused with 401", id="401"),
    pytest.param(status(403, body=REVOKED), "auth", "revoked", id="403 revoked"),
    pytest.param(status(429, body={"error": {"message": "Slow down"}}), "rate_limit", "Slow down", id="429"),
    pytest.param(
        status(429, body={"error": {"code": "insufficient_quota", "message": "Pay"}}), "billing", "Pay", id="quota"
    ),
    pytest.param(status(402), "billing", "refused with 402", id="402"),
    pytest.param(status(529), "rate_limit", "refused with 529", id="overloaded"),
    pytest.param(status(500), "timeout", "refused with 500", id="500"),
    pytest.param(status(400), "format", "refused with 400", id="400"),
    pytest.param(drop("x"), "unknown", "broke the connection off", id="dropped"),
    pytest.param(status(302, {"location": "http://127.0.0.1:1/"}), "format", "redirects elsewhere", id="redirect"),
    pytest.param(raw(b"<html>x</html>", headers={"content-type": "text/html"}), "format", "web page", id="web page"),
    pytest.param(slow(), "timeout", "within 0.3 s", id="silent"),
    pytest.param(drip("x"), "timeout", "within 0.3 s", id="drip"),
    pytest.param(raw(b"[", headers=JSON, hold=True), "timeout", "within 0.3 s", id="endless"),
]


class TestFailures:
    @pytest.mark.parametrize("level", ["list", "completion"])
    @pytest.mark.parametrize(("step", "expected", "words"), FAILURES)
    def test_a_failure_is_told_by_its_class_in_one_line_and_in_time(
        self, host: Host, step: Step, expected: str, words: str, level: str
    ) -> None:
        host.keep(
            {"acme:work": key("acme"), "acme:home": key("acme", HOME)}, order={"acme": ["acme:work", "acme:home"]}
        )
        host.answers(WORK, step)
        row = host.row("--probe-profile", "acme:work", "--probe-timeout", "300", "--probe-level", level)
        assert (row["status"], row["reason_code"], row["proven"]) == (expected, None, None)
        assert words in row["error"]
        assert "\n" not in row["error"]
        assert len(row["error"]) <= 200
        assert 0 <= row["latency_ms"] < 2000
        assert {seen.key for seen in host.server.seen} <= {WORK}, "no other credential is tried"

    def test_a_provider_that_is_not_there_is_told(self, host: Host) -> None:
        text = (host.state / "config.toml").read_text().replace(host.server.base_url, "http://127.0.0.1:9")
        (host.state / "config.toml").write_text(text)
        host.keep({"acme:work": key("acme")})
        row = host.row()
        assert (row["status"], row["error"]) == ("unknown", "No connection to http://127.0.0.1:9 (Connection refused).")

    def test_a_key_that_a_provider_repeats_is_not_repeated(self, host: Host) -> None:
        host.keep({"acme:work": key("acme", SECRET)})
        stars = f"{SECRET[:4]}********{SECRET[-4:]}"
        said = f"Incorrect API key provided: {SECRET} ({stars}, {SECRET[:6]}...{SECRET[-6:]}). api_key={SECRET} Bearer {SECRET}"
        for body in ({"error": {"message": said}}, said):
            host.answers(SECRET, status(401, body=body))
            row = host.row()
            assert row["status"] == "auth"
            assert not any(SECRET[i : i + 4] in json.dumps(row) for i in range(len(SECRET) - 3))
            host.answers(SECRET, status(401, body=body))
            shown = "\n".join(host.shown())
            assert not any(SECRET[i : i + 4] in shown for i in range(len(SECRET) - 3))

    def test_a_provider_cannot_write_on_the_terminal_or_begin_a_line(self, host: Host) -> None:
        host.keep({"acme:work": key("acme")})
        host.answers(WORK, status(401, body={"error": {"message": "no\x1b[2J\nacme/small  acme:work  ok · 1ms\r!"}}))
        shown = host.shown()
        assert len(shown) == 4
        assert "\x1b" not in "".join(shown)


SCRUBBED = [
    ("token: abc123 and api_key=zzz, ok", "token: *** and api_key=*** ok"),
    (
        "access_token=a.b refresh_token: c password=d secret: e",
        "access_token=*** refresh_token: *** password=*** secret: ***",
    ),
    ("Bearer abc1 failed, a bearer of news", "Bearer *** failed, a bearer of news"),
    ("sk-abcdefghijk is wrong", "*** is wrong"),
    ("key ab****yz or ab…yz or ab...yz.", "key *** or *** or ***"),
    ("wait... it is fine.", "wait... it is fine."),
    ("two\n  lines\t", "two lines"),
    ("x " * 150, f"{'x ' * 99}x…"),
]


@pytest.mark.parametrize(("text", "expected"), SCRUBBED)
def test_what_is_left_of_a_foreign_sentence(text: str, expected: str) -> None:
    assert scrubbed(text) == expected


class TestPlanned:
    def test_each_reason_has_its_words(self, host: Host) -> None:
        host.configure(more='[auth.profiles."acme:mode"]\nprovider = "acme"\nmode = "token"\n[auth.order]\nacme = ["acme:odd", '
                            '"acme:none", "acme:ref", "acme:mode", "acme:ghost"]')  # fmt: skip
        host.keep({
            "acme:odd": {"type": "token", "provider": "acme", "token": HOME, "expires": "soon"},
            "acme:none": {"type": "api_key", "provider": "acme"},
            "acme:ref": key("acme", keyRef={"source": "env", "provider": "default", "id": "GONE"}),
            "acme:mode": key("acme"),
            "acme:out": key("acme", HOME),
            "nowhere:me": key("nowhere", SECRET),
        })  # fmt: skip
        found = host.probes()
        told = {
            row["profile_id"]: (row["status"], row["reason_code"], row["error"].splitlines())
            for row in found["results"]
        }
        assert found["total_targets"] == 0
        assert host.server.seen == []
        assert told["acme:odd"] == ("unknown", "invalid_expires", [
            FIRST_LINE, "↳ Auth reason [invalid_expires]: expires must be a positive Unix time in milliseconds.",
        ])  # fmt: skip
        assert told["acme:none"][1:] == ("missing_credential", [
            FIRST_LINE, "↳ Auth reason [missing_credential]: it holds no inline credential and no SecretRef.",
        ])  # fmt: skip
        assert told["acme:ref"][2][1].startswith(
            '↳ Auth reason [unresolved_ref]: SecretRef "env:default:GONE" could not be resolved.'
        )
        assert told["acme:mode"][1:] == ("ineligible_profile", [
            FIRST_LINE, "↳ Auth reason [ineligible_profile]: auth.profiles says token, the store holds api_key.",
        ])  # fmt: skip
        assert told["acme:ghost"][1] == "ineligible_profile"
        excluded = ["Excluded by auth.order for this provider."]
        assert told["acme:out"] == ("unknown", "excluded_by_auth_order", excluded)
        assert told["nowhere:me"] == ("no_model", "no_model", ["No model available for probe"])

    def test_keys_of_a_list_are_told_apart_by_their_ids(self, host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("ACME_API_KEYS", f"{WORK},{HOME}")
        host.answers(WORK, status(401))
        host.answers(HOME, lists("small"))
        rows = host.probes()["results"]
        assert [(row["profile_id"], row["label"], row["source"], row["status"]) for row in rows] == [
            ("env:ACME_API_KEYS#1", "env", "env", "auth"), ("env:ACME_API_KEYS#2", "env", "env", "ok"),
        ]  # fmt: skip

    def test_a_key_of_the_config_is_labelled_so(self, host: Host) -> None:
        host.configure(acme=f'api_key = "{WORK}"')
        host.answers(WORK, lists("small"))
        row = host.row()
        assert (row["profile_id"], row["label"], row["source"]) == ("config:acme", "config", "config")

    def test_a_key_of_the_config_whose_reference_gives_nothing_is_a_row(self, host: Host) -> None:
        host.configure(acme='api_key = { source = "env", id = "GONE" }')
        row = host.row()
        assert (row["profile_id"], row["status"], row["reason_code"]) == ("config:acme", "unknown", "unresolved_ref")

    def test_a_command_to_copy_is_the_end_of_its_line(self, host: Host, tmp_path: Path) -> None:
        keys = tmp_path / "keys.json"
        keys.write_text("{}")
        keys.chmod(0o644)
        host.configure(
            acme='api_key = { source = "file", provider = "v", id = "/a" }',
            more=f'[secrets.providers.v]\nsource = "file"\npath = "{keys}"',
        )
        assert host.row()["error"].endswith(f" Run: chmod 600 {keys}")

    def test_a_short_key_of_the_environment_is_not_shown(self, host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("ACME_API_KEY", "abc123")  # C202
        host.answers("abc123", status(401, body={"error": {"message": "wrong: abc123"}}))
        code, out, err = host.models("status", "--probe")
        assert (code, err) == (0, "")
        assert "env:ACME_API_KEY (api_key)  auth · " in out
        assert "abc123" not in out

    def test_agents_probe_their_own_stores(self, host: Host) -> None:
        host.keep({"acme:work": key("acme")})
        host.keep({"acme:mine": key("acme", HOME)}, agent="writer", order={"acme": ["acme:mine"]})
        for text in (WORK, HOME):
            host.answers(text, lists("small", "large"), lists("small", "large"))
        assert host.row()["profile_id"] == "acme:work"
        own = {row["profile_id"]: row for row in host.probes("--agent", "writer")["results"]}
        assert own["acme:work"]["reason_code"] == "excluded_by_auth_order"
        assert (own["acme:mine"]["model"], own["acme:mine"]["status"]) == ("acme/large", "ok")
        assert [seen.key for seen in host.server.seen if seen.key] == [WORK, HOME]

    def test_an_agent_that_there_is_not_is_told(self, host: Host) -> None:
        code, out, err = host.models("status", "--probe", "--agent", "unknown")  # C205
        assert (code, out) == (1, "")
        assert err.startswith('remoteclaw: Unknown agent id "unknown".')


class TestShown:
    def test_a_table_by_provider_and_profile_with_what_went_wrong_below_each_row(self, host: Host) -> None:
        host.keep({"acme:work": key("acme"), "acme:home": key("acme", HOME), "nowhere:me": key("nowhere", SECRET),
                   "acme:late": {"type": "token", "provider": "acme", "token": "t", "expires": 1}})  # fmt: skip
        host.answers(WORK, lists("large"))
        host.answers(HOME, status(401))
        lines = host.shown()
        spans = [line.rpartition(" · ")[2] for line in lines if " · " in line]
        assert all(span.removesuffix("ms").isdigit() for span in spans)
        plain = [line.replace(f" · {spans[n]}", " · Nms") if " · " in line else line
                 for line, n in zip(lines, _counting(lines), strict=True)]  # fmt: skip
        assert plain[:-1] == [
            "Model       Profile (mode)        Status",
            "acme/small  acme:home (api_key)   auth · Nms",
            "  ↳ refused with 401",
            "acme/small  acme:late (token)     unknown",
            f"  ↳ {FIRST_LINE}",
            "  ↳ Auth reason [expired]: it expired at 1970-01-01T00:00:00Z.",
            "acme/small  acme:work (api_key)   ok · Nms",
            "  ↳ The list does not name small.",
            "nowhere/-   nowhere:me (api_key)  no_model",
            "  ↳ No model available for probe",
        ]
        assert plain[-1].startswith("Probed 2 targets in ")

    def test_nothing_to_ask(self, host: Host) -> None:
        assert host.shown() == ["- none", "No probe targets."]
        host.keep({"nowhere:me": key("nowhere")})
        assert host.shown()[-1] == "No probe targets."

    def test_without_the_flag_nobody_is_asked(self, host: Host) -> None:
        host.keep({"acme:work": key("acme")})
        code, out, _ = host.models("status", "--json")
        assert (code, "probes" in json.loads(out), host.server.seen) == (0, False, [])

    def test_the_flags_may_stand_before_the_word_status(self, host: Host) -> None:
        host.keep({"acme:work": key("acme"), "acme:home": key("acme", HOME)})
        host.answers(HOME, lists("small"))
        code, out, _ = host.models("--probe", "--probe-profile", "acme:home", "status", "--json")
        assert (code, [row["profile_id"] for row in json.loads(out)["probes"]["results"]]) == (0, ["acme:home"])

    @pytest.mark.parametrize(("expires", "code"), [(1, 1), (None, 0)])
    def test_check_is_not_moved_by_what_a_probe_finds(self, host: Host, expires: object, code: int) -> None:
        token = {"type": "token", "provider": "acme", "token": HOME, "expires": expires}
        host.keep({"acme:work": key("acme"), "acme:t": token})
        for text in (WORK, HOME):
            host.answers(text, status(401))
        assert host.models("status", "--check", "--probe")[0] == code


WRONG = [
    (["--probe", "--plain"], "--probe cannot be used with --plain output."),
    (["--probe-timeout", "0"], "--probe-timeout must be a positive number (ms)."),
    (["--probe-timeout", "-1"], "--probe-timeout must be a positive number (ms)."),
    (["--probe-timeout", "nan"], "--probe-timeout must be a positive number (ms)."),
    (["--probe-timeout", "soon"], "--probe-timeout must be a positive number (ms)."),
    (["--probe-timeout", "1e99"], "--probe-timeout must be at most 3600000 (an hour)."),
    (["--probe-concurrency", "0"], "--probe-concurrency must be > 0."),
    (["--probe-concurrency", "x"], "--probe-concurrency must be > 0."),
    (["--probe-concurrency", "1.5"], "--probe-concurrency must be a whole number of at most 1000000."),
    (["--probe-max-tokens", "0"], "--probe-max-tokens must be > 0."),
    (["--probe-max-tokens", "9" * 30], "--probe-max-tokens must be a whole number of at most 1000000."),
]


@pytest.mark.parametrize(("flags", "words"), WRONG)
def test_wrong_flags_are_wrong_usage(host: Host, flags: Sequence[str], words: str) -> None:
    assert host.models("status", *flags) == (2, "", f"remoteclaw: {words}\n")


def test_a_profile_or_provider_that_there_is_not_is_told_with_those_that_there_are(host: Host) -> None:
    host.keep({"acme:work": key("acme")})
    code, out, err = host.models("status", "--probe", "--probe-profile", "acme:nope")
    assert (code, out) == (1, "")
    assert err == "remoteclaw: There is no auth profile 'acme:nope'. There are: acme:work.\n"
    code, out, err = host.models("status", "--probe", "--probe-provider", "nobody")
    assert (code, out) == (1, "")
    assert err == "remoteclaw: There is no provider 'nobody'. There are: acme, zeta.\n"


def test_a_probe_leaves_every_file_as_it_was(host: Host) -> None:
    host.keep({"acme:work": key("acme"), "acme:home": key("acme", HOME)})
    assert main(["db", "upgrade"]) == 0
    host.models("status")

    def files() -> dict[str, bytes]:
        return {str(path): path.read_bytes() for path in sorted(host.state.rglob("*")) if path.is_file()}

    before = files()
    host.answers(WORK, status(429, {"retry-after": "60"}))
    host.answers(HOME, status(401))
    host.shown()
    assert files() == before
    host.shown("--probe-level", "completion")
    assert files() == before


def _counting(lines: Sequence[str]) -> list[int]:
    """For each line, how many before it hold a latency."""
    return [sum(" · " in earlier for earlier in lines[:n]) for n in range(len(lines))]


async def test_never_more_targets_at_once_than_asked_for(clock: FakeClock) -> None:
    async with ProviderServer() as server:
        keys = [f"key-number-{n:02}" for n in range(50)]
        for text in keys:
            server.script[text] = [slow()]
        provider = ProviderEntry(id="acme", base_url=server.openai_url, api=OPENAI)
        targets = [
            Target(
                provider="acme",
                model=ModelRef("acme", "small"),
                profile=AuthProfile(id=text, provider="acme", kind=CredentialKind.API_KEY, secret=Secret(text)),
            )
            for text in keys
        ]
        told: list[int] = []
        client = HttpProviderClient(clock)
        limits = ProbeLimits(timeout=timedelta(seconds=20), concurrency=4, completion=True)
        try:
            run = asyncio.ensure_future(Prober(client, {"acme": provider}, limits, clock, told.append).run(targets))
            for done in range(47):
                await server.wait_seen(4 + done)
                assert len(server.seen) == 4 + done
                server.release()
            server.release(3)
            results = await run
        finally:
            await client.close()
        assert [result.target.profile.id for result in results] == keys
        assert {result.status for result in results} == {ProbeStatus.OK}
        assert told == list(range(1, 51))


class TestProcess:
    def test_an_interrupt_ends_it_at_once_and_prints_nothing(
        self, tmp_path: Path, server: ThreadedProviderServer
    ) -> None:
        server.seen.clear()
        server.script.clear()
        place = Installation(tmp_path)
        place.configure(server.base_url)
        place.keep({"acme:work": WORK, "acme:home": HOME})
        server.script[WORK] = [slow()]
        server.script[HOME] = [lists("small")]
        process = place.start("models", "status", "--probe", "--probe-timeout", "600000")
        try:
            server.wait_seen(3, seconds=20)
            process.send_signal(signal.SIGINT)
            out, err = process.communicate(timeout=20)
        finally:
            process.kill()
            server.release()
        assert (process.returncode, out, err) == (130, "", "")

    def test_a_terminal_sees_how_far_it_is_and_a_pipe_does_not(
        self, tmp_path: Path, server: ThreadedProviderServer
    ) -> None:
        server.seen.clear()
        server.script.clear()
        place = Installation(tmp_path)
        place.configure(server.base_url)
        place.keep({"acme:work": WORK, "acme:home": HOME})
        server.script[WORK] = [slow()]
        server.script[HOME] = [lists("small")]
        server.script[""] = [status(401)]
        terminal: Any = pexpect.spawn(
            sys.executable, ["-m", "bot", "models", "status", "--probe"],
            env=place.environment(TERM="dumb"), cwd=str(tmp_path), encoding="utf-8", timeout=20, dimensions=(50, 200),
        )  # fmt: skip
        terminal.expect_exact("\r\x1b[KProbing: 1 of 2 done")
        server.release()
        terminal.expect_exact("\r\x1b[K")
        terminal.expect(pexpect.EOF)
        terminal.close()
        assert terminal.exitstatus == 0
        assert "Probing" not in terminal.before.rpartition("\x1b[K")[2]
        assert "Probed 2 targets in" in terminal.before

    @pytest.mark.parametrize("flags", [[], ["--probe-level", "completion"]], ids=["no probe", "flags without one"])
    def test_only_a_probe_loads_what_speaks_to_providers(self, tmp_path: Path, flags: list[str]) -> None:
        place = Installation(tmp_path)
        place.configure("http://127.0.0.1:9")
        driver = (
            "import sys; from bot.cli.main import main; main(['models', 'status', *sys.argv[1:]]);"
            "sys.exit(7 if {'httpx', 'aiohttp', 'bot.probing'} & set(sys.modules) else 0)"
        )
        command = [sys.executable, "-c", driver, *flags]
        ended = subprocess.run(command, env=place.environment(), cwd=ROOT, capture_output=True, timeout=30)
        assert ended.returncode == 0, ended


def test_a_thread_that_hangs_holds_up_neither_the_loop_nor_the_process(tmp_path: Path) -> None:
    driver = (
        "import asyncio, threading\n"
        "from bot.unwaited_threads import wait_for_no_thread\n"
        "async def ask():\n"
        "    wait_for_no_thread()\n"
        "    hung = asyncio.get_running_loop().run_in_executor(None, threading.Event().wait)\n"
        "    try:\n"
        "        async with asyncio.timeout(0.1):\n"
        "            await hung\n"
        "    except TimeoutError:\n"
        "        print('in time')\n"
        "asyncio.run(ask())\n"
    )
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    ended = subprocess.run([sys.executable, "-c", driver], env=environment, capture_output=True, text=True, timeout=20)
    assert (ended.returncode, ended.stdout, ended.stderr) == (0, "in time\n", "")


async def test_what_a_thread_gives_or_raises_arrives() -> None:
    wait_for_no_thread()
    loop = asyncio.get_running_loop()
    assert await loop.run_in_executor(None, lambda: threading.current_thread().daemon)
    with pytest.raises(ZeroDivisionError):
        await loop.run_in_executor(None, lambda: 1 / 0)
