"""`remoteclaw models auth clear`, and the button behind it: which key is asked, what is believed, what a gateway then sees."""

import asyncio
import json
import os
import sys
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pexpect
import pytest

from adapters.storage.engine import open_database
from adapters.storage.state import SqlStateReader
from bot.app import inspect_installation, open_health
from bot.cli.main import main
from bot.config.load import load_settings
from bot.paths import Paths
from bot.system_clock import SystemClock
from core.auth.health import after_failure
from core.errors import Failure, FailureReason
from core.sessions.key import SessionKey
from tests.e2e.installation import KEYS, Installation, error, notices, replies, turn
from tests.fakes.provider_script import Raw, Step, raw, status
from tests.fakes.provider_server import ThreadedProviderServer

ROOT = Path(__file__).parents[2]
JSON = {"content-type": "application/json"}
WORK, HOME = KEYS["acme:work"], KEYS["acme:home"]
LIMIT, BILLING, AUTH = FailureReason.RATE_LIMIT, FailureReason.BILLING, FailureReason.AUTH
REVOKED = FailureReason.AUTH_PERMANENT
LIST, ANSWER = "/v1/models", "/v1/chat/completions"
UNPAID = {"error": {"message": f"Your balance is empty ({WORK}).", "type": "insufficient_quota"}}


def lists(*names: str) -> Raw:
    return raw(json.dumps({"data": [{"id": name} for name in names or ("small", "large")]}).encode(), headers=JSON)


class Host:
    """An installation in front of a provider that gives its list to those who have a key alone. No secret may be printed."""

    def __init__(self, state: Path, server: ThreadedProviderServer, capsys: pytest.CaptureFixture[str]) -> None:
        self.house = Installation(state)
        self.house.configure(server.base_url)
        self.house.keep(KEYS)
        self.server = server
        self._capsys = capsys
        server.script[""] = [status(401)] * 99

    def answers(self, key: str, *steps: Step) -> None:
        self.server.script[key] = list(steps)

    def out(
        self,
        reason: FailureReason = BILLING,
        name: str = "acme:work",
        model: str = "acme/small",
        back: timedelta | None = None,
    ) -> None:
        """As if a request had just failed."""
        paths, now = Paths.of(os.environ), SystemClock().now()
        settings = load_settings(paths.config, {})
        found = inspect_installation(settings, paths, {}).credentials.load("main").profiles[name]
        failure = Failure(reason=reason, retry_at=now + back if back is not None else None)
        with open_health(settings, paths, {}) as store:
            change = store.update_health(
                name, found.fingerprint or "", lambda health: after_failure(health, failure, model, now)
            )
            asyncio.run(change)

    def windows(self) -> list[tuple[str, str, str]]:
        """What the database has: profile, reason, model."""
        rows = self.house.rows("select profile, reason, model from windows order by profile, position")
        return [(str(name), str(reason), str(model)) for name, reason, model in rows]

    @property
    def seen(self) -> list[tuple[str, str]]:
        """The path and the key of each request, but the ones that ask whether a list is given to everybody."""
        return [(seen.path.partition("?")[0], seen.key) for seen in self.server.seen if seen.key]

    def clear(self, *arguments: str) -> tuple[int, str, str]:
        code = main(["models", "auth", "clear", *arguments])
        out, err = self._capsys.readouterr()
        for secret in KEYS.values():
            assert secret not in out + err
        return code, out, err

    def json(self, *arguments: str) -> tuple[int, dict[str, Any]]:
        code, out, _ = self.clear(*arguments, "--json")
        return code, json.loads(out)


@pytest.fixture(scope="module")
def server() -> Iterator[ThreadedProviderServer]:
    with ThreadedProviderServer() as running:
        yield running


@pytest.fixture
def host(state_dir: Path, server: ThreadedProviderServer, capsys: pytest.CaptureFixture[str]) -> Host:
    server.seen.clear()
    server.script.clear()
    return Host(state_dir, server, capsys)


class TestAccepted:
    def test_a_completion_brings_back_what_had_no_credit_and_a_second_reader_sees_it(self, host: Host) -> None:
        host.out(BILLING)
        host.answers(WORK, lists())
        with open_database(host.house.database) as database:
            reader, key = SqlStateReader(database), SessionKey("main", "main")
            assert [len(record.windows) for record in reader.read((key,)).health] == [1]
            code, out, err = host.clear("acme:work", "--yes")
            assert [len(record.windows) for record in reader.read((key,)).health] == [0]
        assert (code, err) == (0, "")
        first, second, third, fourth = out.splitlines()
        assert first == "acme:work is out:"
        assert second.startswith("- disabled · billing until 2")
        assert third == "The provider accepts it with acme/small (completion)."
        assert fourth == "Cleared: acme:work is back in service."
        assert host.seen == [(LIST, WORK), (ANSWER, WORK)]
        assert host.server.seen[-1].body["max_tokens"] == 8

    @pytest.mark.parametrize("reason", [AUTH, REVOKED])
    def test_the_list_is_enough_where_the_key_itself_was_refused(self, host: Host, reason: FailureReason) -> None:
        host.out(reason)
        host.answers(WORK, lists())
        code, out, err = host.clear("acme:work")
        assert (code, err) == (0, "")
        assert "The provider accepts it with acme/small (list of models)." in out
        assert host.seen == [(LIST, WORK)]
        assert host.windows() == []

    @pytest.mark.parametrize("code", [403, 404, 405, 501])
    def test_a_list_that_is_not_given_says_nothing(self, host: Host, code: int) -> None:
        host.out(REVOKED)
        host.answers(WORK, status(code))
        assert host.clear("acme:work", "--yes")[0] == 0
        assert host.seen == [(LIST, WORK), (ANSWER, WORK)]

    def test_a_list_that_everybody_gets_says_nothing(self, host: Host) -> None:
        host.out(REVOKED)
        host.server.script[""] = [lists()]
        host.answers(WORK, lists(), status(401))
        code, _, err = host.clear("acme:work", "--yes")
        assert code == 1
        assert "refuses acme:work with acme/small: auth (HTTP 401)" in err
        assert host.seen == [(LIST, WORK), (ANSWER, WORK)]

    def test_one_model_is_cleared_and_the_limit_of_another_stays(self, host: Host) -> None:
        for model in ("acme/small", "acme/large"):
            host.out(LIMIT, model=model, back=timedelta(hours=1))
        host.answers(WORK, lists())
        code, out, _ = host.clear("acme:work", "--model", "big", "--yes")
        assert code == 0
        assert out.splitlines()[-1] == "Cleared: acme:work for acme/large is back in service."
        assert host.windows() == [("acme:work", "rate_limit", "acme/small")]
        assert host.server.seen[-1].model == "large"

    def test_each_model_that_has_a_limit_is_asked_for_itself(self, host: Host) -> None:
        for model in ("acme/small", "acme/large"):
            host.out(LIMIT, model=model, back=timedelta(hours=1))
        host.answers(WORK, lists(), lists(), status(429, {"retry-after": "60"}))
        code, found = host.json("acme:work", "--yes")
        assert (code, found["outcome"]) == (1, "partly_cleared")
        assert [(check["model"], check["accepted"], check["reason"]) for check in found["checks"]] == [
            ("acme/small", False, "rate_limit"), ("acme/large", True, None),
        ]  # fmt: skip
        assert [left["model_scope"] for left in found["left"]] == ["acme/small"]
        assert host.windows() == [("acme:work", "rate_limit", "acme/small")]

    def test_a_credential_of_the_environment(self, host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("ACME_API_KEY", WORK)
        host.house.keep({})
        host.house.run("models", "status")
        paths = Paths.of(os.environ)
        settings = load_settings(paths.config, os.environ)
        found = inspect_installation(settings, paths, os.environ).credentials.load("main").profiles["env:ACME_API_KEY"]
        now = SystemClock().now()
        with open_health(settings, paths, os.environ) as store:
            asyncio.run(
                store.update_health(
                    found.id,
                    found.fingerprint or "",
                    lambda health: after_failure(health, Failure(reason=LIMIT), "acme/small", now),
                )
            )
        assert host.clear("env:ACME_API_KEY", "--yes")[0] == 0
        assert host.windows() == []


class TestRefused:
    @pytest.mark.parametrize(
        ("steps", "said"),
        [
            pytest.param([status(401)], "auth (HTTP 401)", id="by the list"),
            pytest.param([lists(), status(429, body=UNPAID)], "billing (HTTP 429)", id="by the completion"),
            pytest.param([lists(), status(402)], "billing (HTTP 402)", id="payment required"),
        ],
    )
    def test_the_reason_is_told_and_the_record_stays(self, host: Host, steps: list[Step], said: str) -> None:
        host.out(BILLING)
        before = host.house.dump()
        host.answers(WORK, *steps)
        code, out, err = host.clear("acme:work", "--yes")
        assert code == 1
        assert "Cleared" not in out
        assert f"remoteclaw: The provider still refuses acme:work with acme/small: {said}." in err
        assert "Nothing was cleared; --no-probe clears without asking." in err
        assert host.house.dump() == before

    def test_a_provider_that_cannot_be_reached_is_no_refusal(self, host: Host) -> None:
        host.out(BILLING)
        host.house.configure("http://127.0.0.1:1")
        code, _, err = host.clear("acme:work", "--yes")
        assert code == 1
        assert "acme:work could not be checked with acme/small: network." in err
        assert len(host.windows()) == 1

    def test_nobody_spends_tokens_without_a_yes(self, host: Host) -> None:
        host.out(BILLING)
        host.answers(WORK, lists())
        code, found = host.json("acme:work")
        assert (code, found["outcome"]) == (1, "unproven")
        assert host.seen == [(LIST, WORK)]
        assert len(host.windows()) == 1
        host.answers(WORK, lists())
        err = host.clear("acme:work")[2]
        assert "its list of models says nothing about credit and limits. Add --yes to ask for a completion" in err

    def test_without_a_probe_a_persons_word_is_enough(self, host: Host) -> None:
        host.out(BILLING)
        host.out(LIMIT, model="acme/large")
        code, found = host.json("acme:work", "--no-probe")
        assert (code, found["outcome"], found["checks"], found["left"]) == (0, "cleared", [], [])
        assert host.windows() == []
        assert host.server.seen == []

    def test_what_cannot_be_asked_with_is_named(self, host: Host) -> None:
        host.out(LIMIT)
        entry = {"type": "api_key", "provider": "acme", "key": WORK}
        config = host.house.state / "config.toml"
        config.write_text(f'{config.read_text()}\n[auth.profiles."acme:work"]\nprovider = "acme"\nmode = "oauth"\n')
        host.house.write_store(json.dumps({"version": 1, "profiles": {"acme:work": entry}}))
        code, _, err = host.clear("acme:work")
        assert code == 1
        assert "acme:work cannot be asked with: mode_mismatch. Mend that, or add --no-probe." in err
        assert host.seen == []
        assert host.clear("acme:work", "--no-probe")[0] == 0


class TestWhich:
    def test_one_that_is_not_out(self, host: Host) -> None:
        assert host.clear("acme:work") == (0, "acme:work is not out: nothing to clear.\n", "")
        host.out(LIMIT)
        assert host.clear("acme:work", "--model", "large") == (
            0, "acme:work for acme/large is not out: nothing to clear.\n", "",
        )  # fmt: skip
        assert host.seen == []

    def test_one_that_there_is_not(self, host: Host) -> None:
        assert host.clear("acme:nobody") == (
            1, "", 'remoteclaw: The agent main has no auth profile "acme:nobody". None is out now.\n',
        )  # fmt: skip
        host.out()
        assert host.clear("acme:nobody")[2].endswith("Out are: acme:work.\n")

    @pytest.mark.parametrize(
        ("flags", "said"),
        [
            pytest.param(["--model", "opus-1"], 'Auth profile "acme:work" is for acme, not zeta/opus-1.', id="model"),
            pytest.param(["--model", "nowhere/x"], "Invalid model reference", id="no such model"),
            pytest.param(["--agent", "nobody"], 'Unknown agent id "nobody".', id="agent"),
        ],
    )
    def test_what_does_not_fit_is_an_error(self, host: Host, flags: list[str], said: str) -> None:
        host.out()
        code, _, err = host.clear("acme:work", *flags)
        assert code == 1
        assert said in err
        assert host.seen == []

    def test_the_json(self, host: Host) -> None:
        host.out(REVOKED)
        host.answers(WORK, lists())
        code, found = host.json("acme:work")
        (window,), (check,) = found.pop("windows"), found.pop("checks")
        assert code == 0
        assert found == {
            "agent": "main", "profile": "acme:work", "provider": "acme", "model": None, "outcome": "cleared", "left": [],
        }  # fmt: skip
        assert window.pop("since").endswith("Z")
        assert window == {
            "profile": "acme:work", "state": "disabled", "reason": "auth_permanent", "model_scope": None, "until": None,
        }  # fmt: skip
        assert isinstance(check.pop("latency_ms"), int)
        assert check == {
            "model": "acme/small", "check": "models", "accepted": True, "reason": None, "status": None, "error": None,
            "note": None,
        }  # fmt: skip


@pytest.mark.parametrize(
    ("typed", "code", "said", "left"),
    [
        pytest.param("y", 0, "Cleared: acme:work is back in service.", 0, id="yes"),
        pytest.param("", 1, "Nothing was cleared", 1, id="enter is no"),
    ],
)
def test_a_person_at_a_terminal_is_asked_before_tokens_are_spent(
    host: Host, typed: str, code: int, said: str, left: int
) -> None:
    host.out(BILLING)
    host.answers(WORK, lists())
    arguments = ["-m", "bot", "models", "auth", "clear", "acme:work"]
    environ = {**host.house.environment(), "TERM": "xterm"}
    child = pexpect.spawn(sys.executable, arguments, env=environ, cwd=ROOT, encoding="utf-8", timeout=20)  # type: ignore[arg-type]
    child.expect("Ask it for a completion of at most 8 tokens with acme:work\\? \\[y/N\\] ")
    child.sendline(typed)
    child.expect(said)
    child.expect(pexpect.EOF)
    child.close()
    assert child.exitstatus == code
    assert len(host.windows()) == left


class TestRunning:
    """Beside a process that serves, and from its own button."""

    def test_a_chat_that_is_open_goes_by_it_with_its_very_next_message(self, host: Host) -> None:
        host.house.keep({"acme:work": WORK})
        with host.house.chat() as chat:
            host.answers(WORK, status(402))
            assert error(chat.say("hello")) == "all_unavailable"
            assert error(chat.say("hello")) == "all_unavailable"
            host.answers(WORK, lists())
            ended = host.house.run("models", "auth", "clear", "acme:work", "--yes")
            assert (ended.code, ended.err) == (0, "")
            assert turn(chat.say("hello"))["profile"] == "acme:work"

    def test_the_button_asks_with_that_key_and_runs_the_kept_message(self, host: Host) -> None:
        with host.house.chat() as chat:
            chat.say("/model @work")
            host.answers(WORK, status(402))
            card = replies(chat.say("the kept message"), "error")[0]
            (number,) = [c["n"] for c in card["data"]["choices"] if c["label"] == "Check acme:work again"]
            host.answers(WORK, lists(), status(429, body=UNPAID))
            host.server.seen.clear()
            again = replies(chat.say(f"/model {number}"), "error")[0]
            assert again["text"].startswith("acme:work is still out: the provider answered billing (HTTP 429)")
            assert WORK not in again["text"]
            assert host.seen == [(LIST, WORK), (ANSWER, WORK)]
            assert [window[1] for window in host.windows()] == ["billing"]
            host.answers(WORK, lists())
            events = chat.say(f"/model {number}")
            assert "acme:work is back: the provider accepts it." in notices(events)
            assert turn(events)["profile"] == "acme:work"
            assert host.server.seen[-1].body["messages"][-1]["content"] == "the kept message"
            assert host.windows() == []
            why = chat.say("/model why")[0]["data"]["decisions"]
            clear = next(decision for decision in why if decision["action"] == "clear")
            assert (clear["from"], clear["to"]) == ("acme:work disabled 5h · billing", "acme:work ready")
            assert HOME not in {seen.key for seen in host.server.seen}
