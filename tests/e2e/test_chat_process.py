"""Which key arrives: `remoteclaw chat` as a process, on a real state directory, before a provider that records."""

import itertools
import signal
from collections import Counter
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest

from tests.e2e.installation import KEYS, Installation, error, notices, replies, turn, until
from tests.fakes.provider_script import Step, slow, status
from tests.fakes.provider_server import ThreadedProviderServer

WORK, HOME, MINE, YOUR = KEYS.values()


def arrived(server: ThreadedProviderServer) -> list[str]:
    """The profiles whose keys arrived, in order; a key of no profile as it is."""
    names = {key: name for name, key in KEYS.items()}
    return [names.get(seen.key, seen.key) for seen in server.seen]


def limited(**headers: str) -> Step:
    return status(429, {name.replace("_", "-"): value for name, value in headers.items()})


class TestPins:
    @pytest.mark.parametrize(
        ("command", "key", "model", "path", "header"),
        [
            ("/model big@acme:home", HOME, "large", "/v1/chat/completions", "authorization"),
            ("/model opus@zeta:you", YOUR, "opus-1", "/v1/messages", "x-api-key"),
        ],
    )
    def test_a_pin_holds_for_the_next_message_and_after_a_restart(
        self,
        house: Installation,
        server: ThreadedProviderServer,
        command: str,
        key: str,
        model: str,
        path: str,
        header: str,
    ) -> None:
        events = house.say(command, "hi")
        assert turn(events)["profile"] == command.partition("@")[2]
        assert house.explain("--session", "agent:main:terminal:default:direct:ada")["next"]["reason"] == "pinned"
        house.say("hi again")
        assert [(seen.key, seen.model, seen.path) for seen in server.seen] == [(key, model, path)] * 2
        for seen in server.seen:
            carried = {name for name, value in seen.headers.items() if any(k in value for k in KEYS.values())}
            assert carried == {header}

    def test_a_strict_pin_that_is_out_is_never_replaced_and_the_kept_message_runs_once(
        self, house: Installation, server: ThreadedProviderServer
    ) -> None:
        server.script[WORK] = [limited(retry_after="90")]
        with house.chat() as chat:
            chat.say("/model @work")
            card = replies(chat.say("the kept one"), "error")[0]
            assert card["code"] == "pinned_unavailable"
            assert [choice["label"] for choice in card["data"]["choices"]] == [
                "Use acme:home once", "Prefer instead", "Release pin", "Try again", "Check acme:work again",
            ]  # fmt: skip
            assert turn(chat.say("the kept two"))["outcome"] == "failed"
            assert arrived(server) == ["acme:work"]
        events = house.say("/model 1", "/model 1", "and then")
        assert arrived(server) == ["acme:work", "acme:home"]
        assert server.seen[-1].body["messages"][-1]["content"] == "the kept two"
        assert [reply["code"] for reply in replies(events, "error")] == ["number_without_picker", "pinned_unavailable"]

    def test_a_preferred_pin_is_served_by_the_next_and_returned_to(
        self, house: Installation, server: ThreadedProviderServer
    ) -> None:
        server.script[WORK] = [limited(retry_after="1")]
        with house.chat() as chat:
            chat.say("/model @work prefer")
            told = notices(chat.say("hi"))
            assert "Answered by acme:home" in told
            assert "The pin stays" in told
            until(lambda: chat.say("/model status")[0]["data"]["next"]["profile"] == "acme:work")
            chat.say("hi")
        assert arrived(server) == ["acme:work", "acme:home", "acme:work"]

    def test_once_holds_for_one_turn(self, house: Installation, server: ThreadedProviderServer) -> None:
        house.say("/model big@home", "/model opus@me once", "hi")
        events = house.say("hi", "hi")
        assert arrived(server) == ["zeta:me", "acme:home", "acme:home"]
        assert "ended" not in notices(events)

    def test_for_holds_until_its_time_is_over_and_that_is_told_once(
        self, house: Installation, server: ThreadedProviderServer
    ) -> None:
        with house.chat() as chat:
            chat.say("/model big@home")
            chat.say("/model opus@me for 1h")
            chat.say("hi")
            chat.say("/model undo")
            chat.say("/model opus@you for 1s")
            told = until(lambda: [e for e in chat.say("/model status") if "has ended" in e["text"]])
            assert "zeta/opus-1@zeta:you has ended: its time is over. Now acme/large@acme:home." in told[0]["text"]
            assert "ended" not in notices(chat.say("hi"))
        assert arrived(server) == ["zeta:me", "acme:home"]

    def test_undo_goes_back(self, house: Installation, server: ThreadedProviderServer) -> None:
        house.say("/model @home", "/model opus@you", "/model undo", "hi", "/model -", "hi")
        assert arrived(server) == ["acme:home", "zeta:you"]

    def test_a_profile_that_is_removed_while_it_is_pinned_is_told_and_nobody_takes_its_place(
        self, house: Installation, server: ThreadedProviderServer
    ) -> None:
        with house.chat() as chat:
            chat.say("/model @work")
            chat.say("hi")
            house.keep({name: key for name, key in KEYS.items() if name != "acme:work"})
            events = chat.say("hi")
            assert error(events) == "pinned_unavailable"
            assert "no such profile any more" in events[0]["text"]
            assert arrived(server) == ["acme:work"]
            chat.say("/model auto")
            chat.say("hi")
        assert arrived(server) == ["acme:work", "acme:home"]

    def test_a_pin_that_was_acknowledged_survives_a_kill(
        self, house: Installation, server: ThreadedProviderServer
    ) -> None:
        for command, name in (("/model big@home", "acme:home"), ("/model opus@you", "zeta:you")):
            with house.chat() as chat:
                chat.begin(command)
                assert chat.event()["kind"] == "notice"
                chat.kill()
            house.say("hi")
            assert arrived(server)[-1] == name

    def test_a_kill_during_a_turn_leaves_the_choice_and_no_half_of_a_conversation(
        self, house: Installation, server: ThreadedProviderServer
    ) -> None:
        server.script[HOME] = [slow("never")]
        with house.chat() as chat:
            chat.say("/model @home")
            chat.begin("cut off")
            server.wait_seen(1)
            chat.kill()
        assert turn(house.say("whole"))["profile"] == "acme:home"
        assert [message["content"] for message in server.seen[-1].body["messages"]] == ["whole"]

    def test_of_two_processes_that_choose_at_once_every_acknowledged_choice_is_stored_and_no_other(
        self, house: Installation
    ) -> None:
        house.say("/whoami")
        with house.chat() as one, house.chat() as two:
            for _ in range(25):
                one.begin("/model big@home")
                two.begin("/model opus@me")
            answers = [chat.event() for chat in (one, two) for _ in range(25)]
        codes = Counter(answer["code"] for answer in answers)
        assert set(codes) <= {None, "lost_race"}
        decisions = house.rows("select before, after from decisions order by id")
        assert len(decisions) == codes[None]
        for (_, after), (before, _) in itertools.pairwise(decisions):
            assert before == after, "nobody decided upon what was no longer so"
        assert f"Model: {'big' if 'large' in decisions[-1][1] else 'opus'} " in house.say("/status")[0]["text"]


class TestOrder:
    @pytest.mark.parametrize(
        ("in_config", "in_store", "expected"),
        [
            (None, ["acme:home", "acme:work"], "acme:home"),
            (["acme:home", "acme:work"], None, "acme:home"),
            (["acme:work", "acme:home"], ["acme:home"], "acme:home"),
            (None, None, "acme:work"),
        ],
    )
    def test_the_stores_order_counts_before_the_configs(
        self,
        house: Installation,
        server: ThreadedProviderServer,
        in_config: list[str] | None,
        in_store: list[str] | None,
        expected: str,
    ) -> None:
        if in_config is not None:
            house.configure(server.base_url, "[auth.order]", f"acme = {in_config}")
        house.keep(KEYS, {"acme": in_store} if in_store is not None else None)
        house.say("hi")
        assert arrived(server) == [expected]

    def test_a_key_that_is_replaced_while_the_chat_runs_is_used_by_the_very_next_message(
        self, house: Installation, server: ThreadedProviderServer
    ) -> None:
        with house.chat() as chat:
            for key in ("sk-first-of-three-0001", "sk-second-of-three-0002", "sk-third-of-three-00003"):
                house.keep({**KEYS, "acme:work": key}, {"acme": ["acme:work"]})
                chat.say("hi")
                assert server.seen[-1].key == key

    def test_a_withdrawn_key_is_out_until_it_is_replaced(
        self, house: Installation, server: ThreadedProviderServer
    ) -> None:
        server.script[WORK] = [status(401, body={"error": {"code": "account_deactivated", "message": "no"}})]
        house.keep(KEYS, {"acme": ["acme:work"]})
        with house.chat() as chat:
            assert error(chat.say("hi")) == "all_unavailable"
            assert error(chat.say("hi")) == "all_unavailable"
            assert len(server.seen) == 1
            house.keep({**KEYS, "acme:work": "sk-the-new-one"}, {"acme": ["acme:work"]})
            assert turn(chat.say("hi"))["outcome"] == "ok"
        assert server.seen[-1].key == "sk-the-new-one"


class TestEnvironment:
    def test_a_key_of_the_environment_serves_only_where_there_is_no_profile(
        self, house: Installation, server: ThreadedProviderServer
    ) -> None:
        house.say("hi", ACME_API_KEY="sk-from-the-environment")
        house.keep({})
        assert turn(house.say("hi", ACME_API_KEY="sk-from-the-environment"))["profile"] == "env:ACME_API_KEY"
        assert arrived(server) == ["acme:work", "sk-from-the-environment"]

    def test_a_list_goes_on_for_a_rate_limit_and_for_nothing_else(
        self, house: Installation, server: ThreadedProviderServer
    ) -> None:
        house.keep({})
        house.env["ACME_API_KEYS"] = "sk-list-of-keys-1, sk-list-of-keys-2"
        server.script["sk-list-of-keys-1"] = [status(401), limited(retry_after="60")]
        with house.chat() as chat:
            assert error(chat.say("hi")) == "auth"
            assert [seen.key for seen in server.seen] == ["sk-list-of-keys-1"], "told at once"
            assert turn(chat.say("hi"))["profile"] == "env:ACME_API_KEYS#2"
        assert [seen.key[-1] for seen in server.seen] == ["1", "1", "2"]

    def test_the_last_error_is_told_when_the_whole_list_is_at_its_limit(
        self, house: Installation, server: ThreadedProviderServer
    ) -> None:
        house.keep({})
        house.env["ACME_API_KEYS"] = "sk-list-of-keys-1;sk-list-of-keys-2"
        server.script["sk-list-of-keys-1"] = server.script["sk-list-of-keys-2"] = [limited(), limited()]
        events = house.say("hi")
        assert error(events) == "all_unavailable"
        assert [attempt["outcome"] for attempt in turn(events)["attempts"]] == ["rate_limit"] * 2

    def test_a_key_of_the_environment_can_be_pinned(self, house: Installation, server: ThreadedProviderServer) -> None:
        house.env["ACME_API_KEY"] = "sk-from-the-environment"
        house.say("/model big@env:ACME_API_KEY", "hi")
        assert arrived(server) == ["sk-from-the-environment"]


class TestFailures:
    @pytest.mark.parametrize(
        ("headers", "seconds"),
        [
            pytest.param({"retry-after": "40"}, 40, id="seconds"),
            pytest.param({"retry-after-ms": "45500", "retry-after": "40"}, 46, id="milliseconds"),
            pytest.param({"retry-after": "date"}, 50, id="HTTP date"),
            pytest.param({}, 30, id="the provider says nothing"),
        ],
    )
    def test_a_rate_limit_holds_until_the_provider_said(
        self, house: Installation, server: ThreadedProviderServer, headers: dict[str, str], seconds: int
    ) -> None:
        now = datetime.now(UTC)
        if headers.get("retry-after") == "date":
            headers = {"retry-after": format_datetime(now + timedelta(seconds=seconds), usegmt=True)}
        server.script[WORK] = [status(429, headers)]
        events = house.say("hi", "/model status")
        assert arrived(server) == ["acme:work", "acme:home"]
        candidates = events[-1]["data"]["providers"][0]["candidates"]
        work = next(c for c in candidates if c["profile"] == "acme:work")
        assert (work["state"], work["reason"], work["model_scope"]) == ("cooling", "rate_limit", "acme/small")
        until_ = datetime.fromisoformat(work["until"])
        assert timedelta(seconds=seconds - 2) <= until_ - now <= timedelta(seconds=seconds + 20)
        first = turn(events)["attempts"][0]
        assert (first["retry_at"] == work["until"]) is bool(headers)

    @pytest.mark.parametrize(
        ("code", "reason", "keys", "state"),
        [
            (401, "auth", ["acme:work", "acme:home"], ("disabled", "auth")),
            (402, "billing", ["acme:work", "acme:home"], ("disabled", "billing")),
            (500, "timeout", ["acme:work"] * 3, ("ready", None)),
            (529, "overloaded", ["acme:work"] * 3, ("ready", None)),
            (400, "format", ["acme:work"], ("ready", None)),
            (404, "model_not_found", ["acme:work"], ("ready", None)),
        ],
    )
    def test_a_refusal_by_its_status(
        self,
        house: Installation,
        server: ThreadedProviderServer,
        code: int,
        reason: str,
        keys: list[str],
        state: tuple[str, str | None],
    ) -> None:
        server.script[WORK] = [status(code)] * 3
        events = house.say("hi", "/model status")
        assert arrived(server) == keys
        made = turn(events)["attempts"]
        assert [a["outcome"] for a in made if a["profile"] == "acme:work"] == [reason] * keys.count("acme:work")
        assert made[0]["status"] == code
        assert turn(events)["outcome"] == ("ok" if "acme:home" in keys else "failed")
        candidates = events[-1]["data"]["providers"][0]["candidates"]
        work = next(c for c in candidates if c["profile"] == "acme:work")
        assert (work["state"], work["reason"]) == state

    def test_silence_ends_at_its_limit_and_is_not_held_against_the_credential(
        self, house: Installation, server: ThreadedProviderServer
    ) -> None:
        house.configure(server.base_url, "[failover]", 'silence = "150ms"')
        server.script[WORK] = [slow("late")] * 3
        events = house.say("hi", "hi")
        assert error(events[:2]) == "timeout"
        assert arrived(server) == ["acme:work"] * 4
        assert [event["outcome"] for event in events if event["event"] == "turn"] == ["failed", "ok"]

    def test_the_whole_turn_has_a_deadline(self, house: Installation, server: ThreadedProviderServer) -> None:
        house.configure(server.base_url, "[failover]", 'deadline = "300ms"')
        server.script[WORK] = [slow("late")]
        assert error(house.say("hi")) == "timeout"
        assert arrived(server) == ["acme:work"]

    def test_a_provider_that_is_not_there_is_told(self, house: Installation) -> None:
        house.configure("http://127.0.0.1:9")
        events = house.say("hi")
        assert error(events) == "network"
        assert {attempt["profile"] for attempt in turn(events)["attempts"]} == {"acme:work"}

    def test_a_fallback_of_the_other_wire_format_serves_the_default_and_is_told(
        self, house: Installation, server: ThreadedProviderServer
    ) -> None:
        house.configure(server.base_url, default='{ primary = "acme/small", fallbacks = ["zeta/sonnet-1"] }')
        server.script[WORK] = [limited()]
        server.script[HOME] = [status(402)]
        events = house.say("hi")
        assert arrived(server) == ["acme:work", "acme:home", "zeta:me"]
        assert (turn(events)["model"], turn(events)["profile"]) == ("zeta/sonnet-1", "zeta:me")
        assert "Answered by zeta:me with zeta/sonnet-1, because acme:work answered rate_limit" in notices(events)


def test_sigterm_during_a_turn_ends_the_chat_and_the_provider_is_let_go(
    house: Installation, server: ThreadedProviderServer
) -> None:
    server.script[WORK] = [slow("never")]
    with house.chat() as chat:
        chat.begin("hi")
        server.wait_seen(1)
        chat.process.send_signal(signal.SIGTERM)
        assert chat.process.wait(20) == 130
        server.wait_abandoned()
        assert chat.process.stderr is not None
        assert chat.process.stderr.read() == ""
