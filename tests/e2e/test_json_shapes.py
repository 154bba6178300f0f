"""The JSON that other programs rely on (docs of the machine interfaces), field by field, as the processes print it."""

import re
from typing import Any

import pytest

from tests.e2e.installation import KEYS, Installation, replies, turn
from tests.fakes.provider_script import ok, status
from tests.fakes.provider_server import ThreadedProviderServer

SESSION = "agent:main:terminal:default:direct:ada"
TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ")
MAYBE_TEXT, MAYBE_TIME, MAYBE_NUMBER = (str, None), (TIME, None), (int, None)
MODEL = {
    "ref": str,
    "alias": MAYBE_TEXT,
    "source": ("session", "inherited", "agent", "default"),
    "set_by": MAYBE_TEXT,
    "set_at": MAYBE_TIME,
}
PIN = {
    "profile": str,
    "source": ("user", "auto", "inherited"),
    "mode": ("strict", "prefer"),
    "set_by": MAYBE_TEXT,
    "set_at": MAYBE_TIME,
    "expires_at": MAYBE_TIME,
    "turns_left": MAYBE_NUMBER,
}
REASONS = ("pinned", "sticky", "order", "pinned_unavailable", "no_credentials", "all_unavailable")
CANDIDATE = {
    "profile": str,
    "kind": ("api_key", "token", "oauth", "cli", "env", "config", "none"),
    "state": ("ready", "cooling", "disabled", "ineligible"),
    "reason": MAYBE_TEXT,
    "until": MAYBE_TIME,
    "model_scope": MAYBE_TEXT,
    "position": MAYBE_NUMBER,
    "pinned": bool,
    "last_used": MAYBE_TIME,
    "expires_at": MAYBE_TIME,
    "fingerprint": (re.compile("[0-9a-f]{8}"), None),
    "label": MAYBE_TEXT,
}
PROVIDER = {"provider": str, "base_url": str, "api": str, "candidates": [CANDIDATE]}
STATUS = {
    "session": str,
    "agent": str,
    "model": MODEL,
    "pin": (PIN, None),
    "next": {"model": str, "profile": MAYBE_TEXT, "reason": REASONS, "until": MAYBE_TIME},
    "default": str,
    "candidates": [{"model": str, "profile": str}],
    "providers": [PROVIDER],
}
ATTEMPT = {"model": str, "profile": str, "outcome": str, "status": MAYBE_NUMBER, "retry_at": MAYBE_TIME}
TURN = {
    "event": ("turn",),
    "outcome": ("ok", "failed"),
    "model": str,
    "profile": MAYBE_TEXT,
    "attempts": [ATTEMPT],
    "usage": {"input_tokens": int, "output_tokens": int},
    "cost_usd": (None, 0.0),
}
KINDS = ("text", "notice", "picker", "status", "error")
REPLY = {"event": ("reply",), "kind": KINDS, "code": MAYBE_TEXT, "text": str, "data": dict}
CHOICE = {"n": int, "ref": str, "alias": MAYBE_TEXT, "profile": MAYBE_TEXT, "state": str}
PICKER = {"current": dict, "choices": [CHOICE], "page": int, "pages": int}


def differences(value: Any, shape: Any, where: str = "") -> list[str]:
    """Where a value is not of a shape: a type, a pattern, a table of exactly these keys, a list of one shape, or one of several."""
    if isinstance(shape, dict):
        if not isinstance(value, dict) or set(value) != set(shape):
            return [f"{where}: {sorted(value) if isinstance(value, dict) else value!r} is not {sorted(shape)}"]
        return [found for key in shape for found in differences(value[key], shape[key], f"{where}.{key}")]
    if isinstance(shape, list):
        if not isinstance(value, list):
            return [f"{where}: {value!r} is no list"]
        return [found for n, item in enumerate(value) for found in differences(item, shape[0], f"{where}[{n}]")]
    if isinstance(shape, tuple):
        tried = [differences(value, one, where) for one in shape]
        return [] if any(not found for found in tried) else tried[0]
    if isinstance(shape, re.Pattern):
        fits = isinstance(value, str) and shape.fullmatch(value) is not None
    elif isinstance(shape, type):
        fits = type(value) is shape
    else:
        fits = value == shape
    return [] if fits else [f"{where}: {value!r} is not {shape}"]


@pytest.fixture
def lived_in(house: Installation, server: ThreadedProviderServer) -> Installation:
    """With a pin that cooled, one that ends, a label, a broken entry and a fallback: every field has something to say."""
    house.configure(
        server.base_url,
        '[auth.profiles."acme:work"]',
        'provider = "acme"',
        'label = "the key of the firm"',
        default='{ primary = "acme/small", fallbacks = ["zeta/sonnet-1"] }',
    )
    server.script[KEYS["acme:work"]] = [status(429, {"retry-after": "300"})]
    house.say("/model big@acme:work for 3h", "hi")
    return house


def test_chat_prints_replies_and_turns_in_their_shapes(lived_in: Installation) -> None:
    events = lived_in.say("/model", "/model list acme", "hi", "/model big@nope", "/model auto", "hi", "/model status")
    for event in events:
        assert differences(event, TURN if event["event"] == "turn" else REPLY) == []
    for picker in replies(events, "picker"):
        assert differences(picker["data"], PICKER) == []
        assert {"ref", "alias", "source"} <= set(picker["data"]["current"])
        assert [choice["n"] for choice in picker["data"]["choices"]] == list(
            range(1, len(picker["data"]["choices"]) + 1)
        )
        for choice in picker["data"]["choices"]:
            assert f"{choice['n']}. " in picker["text"], "a plain terminal shows every number"
    assert differences(replies(events, "status")[0]["data"], STATUS) == []


def test_a_turn_accounts_for_every_attempt(house: Installation, server: ThreadedProviderServer) -> None:
    server.script[KEYS["acme:work"]] = [status(429, {"retry-after": "300"})]
    server.script[KEYS["acme:home"]] = [ok("here", tokens=(11, 5))]
    report = turn(house.say("hi"))
    assert (report["outcome"], report["model"], report["profile"]) == ("ok", "acme/small", "acme:home")
    limited, served = report["attempts"]
    assert (limited["profile"], limited["outcome"], limited["status"]) == ("acme:work", "rate_limit", 429)
    assert TIME.fullmatch(limited["retry_at"])
    assert served == {
        "model": "acme/small", "profile": "acme:home", "outcome": "ok", "status": 200, "retry_at": None,
    }  # fmt: skip
    assert report["usage"] == {"input_tokens": 11, "output_tokens": 5}


def test_status_explain_and_models_status_say_the_same(lived_in: Installation) -> None:
    in_chat = lived_in.say("/model status")[0]["data"]
    explained = lived_in.explain("--session", SESSION)
    listed = lived_in.run("models", "status", "--json", "--session", SESSION).json
    assert differences(explained, STATUS) == []
    assert in_chat == explained == listed["session"]
    assert explained["session"] == SESSION
    assert explained["pin"]["expires_at"] is not None
    assert explained["next"] == {
        "model": "acme/large", "profile": None, "reason": "pinned_unavailable", "until": explained["next"]["until"],
    }  # fmt: skip
    assert explained["candidates"] == []
    work = next(c for c in explained["providers"][0]["candidates"] if c["profile"] == "acme:work")
    assert (work["state"], work["reason"], work["model_scope"]) == ("cooling", "rate_limit", "acme/large")
    assert (work["label"], work["pinned"]) == ("the key of the firm", True)
    assert work["fingerprint"] is not None


def test_models_status_has_its_own_fields_and_no_session_unless_asked_for(lived_in: Installation) -> None:
    found = lived_in.run("models", "status", "--json").json
    shape = {
        "config_path": str,
        "agent": str,
        "agent_dir": str,
        "default": str,
        "default_model": str,
        "resolved_default": str,
        "fallbacks": [str],
        "image_model": MAYBE_TEXT,
        "image_fallbacks": [str],
        "aliases": dict,
        "allow": [str],
        "allowed": [str],
        "auth": dict,
        "providers": [PROVIDER],
        "missing_providers_in_use": [str],
        "problems": [str],
    }
    assert differences(found, shape) == []
    assert found["aliases"] == {"big": "acme/large", "opus": "zeta/opus-1"}
    assert [provider["provider"] for provider in found["providers"]] == ["acme", "zeta"]


def test_explain_tells_what_would_be_after_a_choice_and_a_failure(lived_in: Installation) -> None:
    chosen = lived_in.explain("opus@zeta:you", "--session", SESSION)
    assert chosen["next"] == {"model": "zeta/opus-1", "profile": "zeta:you", "reason": "pinned", "until": None}
    failed = lived_in.explain("zeta/opus-1", "--session", SESSION, "--assume", "zeta:me=rate_limit")
    assert (failed["next"]["profile"], failed["candidates"]) == (
        "zeta:you",
        [{"model": "zeta/opus-1", "profile": "zeta:you"}],
    )
    assert lived_in.explain("--session", SESSION)["model"]["ref"] == "acme/large", "it was only a question"


@pytest.mark.parametrize("model", ["small", "opus"])
def test_streamed_pieces_add_up_to_the_text(house: Installation, server: ThreadedProviderServer, model: str) -> None:
    text = "Das Öl, die Ähre 🦀 and\nsome   blanks\n\n```py\nx = 1\n```\n" + "word " * 300
    for key in KEYS.values():
        server.script[key] = [ok(text.strip())]
    ended = house.run("chat", "--json", "--stream", "-m", f"/model {model}", "-m", "hi")
    events = ended.events[1:]
    deltas = [event for event in events if event["event"] == "delta"]
    assert all(set(delta) == {"event", "text"} for delta in deltas)
    assert len(deltas) > 1
    assert [event["event"] for event in events] == ["delta"] * len(deltas) + ["reply", "turn"]
    assert "".join(delta["text"] for delta in deltas) == events[-2]["text"] == text.strip()
    assert server.seen[-1].body["stream"] is True


def test_without_stream_nothing_is_streamed(house: Installation, server: ThreadedProviderServer) -> None:
    assert [event["event"] for event in house.say("hi")] == ["reply", "turn"]
    assert not server.seen[-1].body.get("stream")
