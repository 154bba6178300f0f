"""Logins through whole processes: refreshed before they end, and after a refusal; the new token is what arrives at the provider."""

import json
import signal
import time
from collections.abc import Iterator
from typing import Any

import pytest

from tests.e2e.installation import Installation, error, replies, turn
from tests.fakes.provider_script import status
from tests.fakes.provider_server import ThreadedProviderServer
from tests.fakes.token_server import SLOW, ScriptedTokenServer

MINUTE = 60_000
SERVED = "served-by:"


@pytest.fixture
def tokens() -> Iterator[ScriptedTokenServer]:
    with ScriptedTokenServer() as tokens:
        yield tokens


@pytest.fixture
def house(house: Installation, server: ThreadedProviderServer, tokens: ScriptedTokenServer) -> Installation:
    login = f'[auth.oauth.acme]\ntoken_url = "{tokens.url}/token"\nclient_id = "a-client"\n'
    house.configure(server.base_url, login)
    return house


def keep(house: Installation, left: int | None, **more: Any) -> None:
    """Store one login whose token ends after `left` milliseconds, None: nobody knows when; and `more` profiles."""
    entry = {
        "type": "oauth",
        "provider": "acme",
        "access": "access-0",
        "refresh": "refresh-0",
        "email": "ada@example.org",
    }
    ends = {} if left is None else {"expires": int(time.time() * 1000) + left}
    house.write_store(json.dumps({"version": 1, "profiles": {"acme:me": {**entry, **ends}, **more}}))


def login(house: Installation) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(house.store.read_text())["profiles"]["acme:me"]
    return found


def keys(server: ThreadedProviderServer) -> list[str]:
    return [seen.key for seen in server.seen]


def test_a_login_that_ends_is_refreshed_first_and_the_new_token_arrives(
    house: Installation, server: ThreadedProviderServer, tokens: ScriptedTokenServer
) -> None:
    keep(house, 4 * MINUTE)
    before = house.explain("acme/small")
    events = house.say("hi", "again")
    assert before["next"]["profile"] == "acme:me"
    assert [r["text"] for r in replies(events, "text")] == [f"{SERVED}ss-1"] * 2
    assert (keys(server), len(tokens.seen)) == (["access-1"] * 2, 1)
    assert (login(house)["access"], login(house)["refresh"]) == ("access-1", "refresh-1")
    assert replies(events, "notice") == []
    status_of = house.run("models", "status", "--check")
    assert (status_of.code, "acme:me (ada@example.org) expiring, refreshable" in status_of.out) == (0, True)
    everything = "".join(str(table) for table in house.dump().values()) + status_of.out + str(events)
    assert not any(secret in everything for secret in ("access-", "refresh-"))


def test_a_login_with_only_a_refresh_token_serves(
    house: Installation, server: ThreadedProviderServer, tokens: ScriptedTokenServer
) -> None:
    keep(house, None)
    entry = {"type": "oauth", "provider": "acme", "access": "", "refresh": "refresh-0", "expires": 1}
    house.write_store(json.dumps({"profiles": {"acme:me": entry}}))
    assert turn(house.say("hi"))["outcome"] == "ok"
    assert keys(server) == ["access-1"]


def test_a_token_that_is_refused_is_refreshed_once_within_the_turn(
    house: Installation, server: ThreadedProviderServer, tokens: ScriptedTokenServer
) -> None:
    keep(house, None)
    server.script["access-0"] = [status(401)]
    events = house.say("hi")
    assert turn(events)["outcome"] == "ok"
    assert (keys(server), len(tokens.seen)) == (["access-0", "access-1"], 1)


def test_a_probe_asks_with_the_token_that_the_next_request_would_carry(
    house: Installation, server: ThreadedProviderServer, tokens: ScriptedTokenServer
) -> None:
    keep(house, -MINUTE)
    ended = house.run("models", "status", "--probe", "--probe-level", "completion", "--json")
    (row,) = [one for one in ended.json["probes"]["results"] if one["profile_id"] == "acme:me"]
    assert (row["status"], keys(server), login(house)["access"]) == ("ok", ["access-1"], "access-1")


def test_two_chats_at_once_send_one_refresh_and_both_are_served(
    house: Installation, server: ThreadedProviderServer, tokens: ScriptedTokenServer
) -> None:
    keep(house, 4 * MINUTE)
    tokens.script.append(SLOW)
    with house.chat("--session", "agent:main:a") as one, house.chat("--session", "agent:main:b") as other:
        for chat in (one, other):
            chat.begin("hi")
        assert tokens.arrived.acquire(timeout=20)
        tokens.release()
        for chat in (one, other):
            while (event := chat.event())["event"] != "turn":
                pass
            assert event["outcome"] == "ok"
    assert (keys(server), len(tokens.seen)) == (["access-1"] * 2, 1)


def test_a_token_server_that_is_away_fails_the_turn_and_is_not_held_against_the_login(
    house: Installation, server: ThreadedProviderServer, tokens: ScriptedTokenServer
) -> None:
    keep(house, -MINUTE)
    tokens.script.extend([503] * 3)
    events = house.say("hi", "again")
    assert error([e for e in events if e["event"] != "turn"][:1]) == "timeout"
    assert events[-1]["outcome"] == "ok"
    assert keys(server) == ["access-1"]


def test_a_token_server_that_is_away_costs_nothing_while_the_token_holds(
    house: Installation, server: ThreadedProviderServer, tokens: ScriptedTokenServer
) -> None:
    keep(house, 4 * MINUTE)
    tokens.script.append(503)
    assert house.say("hi", "again")[-1]["outcome"] == "ok"
    assert (keys(server), len(tokens.seen)) == (["access-0"] * 2, 1), "it is asked again in a minute"


def test_a_command_that_is_interrupted_again_and_again_stores_the_tokens_that_it_has_asked_for(
    house: Installation, server: ThreadedProviderServer, tokens: ScriptedTokenServer
) -> None:
    keep(house, -MINUTE)
    tokens.script.append(SLOW)
    process = house.start("chat", "-m", "hi")
    assert tokens.arrived.acquire(timeout=20)
    assert process.stderr is not None
    process.send_signal(signal.SIGTERM)
    assert "A login is being refreshed." in process.stderr.readline()
    for _ in range(3):
        process.send_signal(signal.SIGINT)
    assert process.poll() is None
    tokens.release()
    process.communicate(timeout=20)
    assert process.returncode == 130
    assert (login(house)["access"], login(house)["refresh"], keys(server)) == ("access-1", tokens.refresh, [])
    assert turn(house.say("hi"))["outcome"] == "ok"
    assert (keys(server), len(tokens.seen)) == (["access-1"], 1)


def test_a_lost_login_is_told_with_the_way_back_and_another_credential_serves(
    house: Installation, server: ThreadedProviderServer, tokens: ScriptedTokenServer
) -> None:
    keep(house, 4 * MINUTE)
    tokens.refresh = "somebody-else-has-spent-it"
    events = house.say("hi")
    told = replies(events, "error")[0]["text"]
    assert "remoteclaw models auth login --provider acme --profile-id acme:me" in told
    row = house.explain("acme/small")["providers"][0]["candidates"][0]
    assert (row["state"], row["reason"], row["until"]) == ("disabled", "auth_permanent", None)
    keep(house, 4 * MINUTE, **{"acme:k": {"type": "api_key", "provider": "acme", "key": "sk-other-KEY1"}})
    assert [r["text"] for r in replies(house.say("hi"), "text")] == [f"{SERVED}KEY1"]
    assert len(tokens.seen) == 1, "a lost login is not asked for again"
    tokens.refresh = "refresh-0"
    keep(house, 60 * MINUTE)
    house.write_store(house.store.read_text().replace("access-0", "access-9"))
    assert [r["text"] for r in replies(house.say("hi"), "text")] == [f"{SERVED}ss-9"], "a new login has a clean record"


def test_where_nothing_is_known_of_a_providers_logins_one_that_has_ended_has_ended(
    house: Installation, server: ThreadedProviderServer
) -> None:
    house.configure(server.base_url)
    keep(house, -MINUTE)
    assert house.run("models", "status", "--check").code == 1
    assert house.explain("acme/small")["next"]["reason"] == "no_credentials"
