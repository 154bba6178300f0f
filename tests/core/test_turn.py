"""Turns: which credential serves, what is remembered of a failure, and what the user is told (product.md 5.2, 6)."""

import asyncio
from dataclasses import replace
from datetime import timedelta

import pytest

from core.auth.profiles import CredentialKind
from core.auth.secret import SecretRef
from core.errors import Failure, FailureReason, StorageError
from core.messages import ReplyKind
from core.models.ref import ModelRef
from core.resolution.rules import AgentRules
from core.sessions.ports import TurnRecord
from tests.fakes.clock import START
from tests.fakes.provider_client import Breaks, Held
from tests.world import ALLOWED, GROUP, World, profile, rules

LIMIT = FailureReason.RATE_LIMIT


def limited(seconds: float) -> Failure:
    return Failure(reason=LIMIT, status=429, retry_at=START + timedelta(seconds=seconds))


async def test_the_credential_that_served_is_kept() -> None:
    world = World()
    for _ in range(3):
        await world.say("hi")
    assert world.served == ["acme:work"] * 3
    assert world.resolution().next.reason == "sticky"
    assert not world.notices()


async def test_a_new_session_begins_with_the_least_recently_used() -> None:
    world = World()
    await world.say("hi")
    await world.say("hi", by=ALLOWED, key="agent:main:telegram:default:direct:2")
    assert world.served == ["acme:work", "acme:home"]


async def test_an_idle_session_begins_the_order_anew_and_is_told() -> None:
    world = World()
    world.credentials.order("acme", "acme:home", "acme:work")
    world.provider.script["acme:home"] = [limited(60)]
    await world.say("hi")
    assert world.served == ["acme:home", "acme:work"]
    world.wait(minutes=59)
    await world.say("hi")
    assert world.served[-1] == "acme:work", "still warm"
    world.wait(hours=1)
    await world.say("hi")
    assert world.served[-1] == "acme:home"
    assert "has rested" in world.notices()


async def test_a_changed_order_ends_the_automatic_pin_but_no_users_pin() -> None:
    world = World()
    world.credentials.order("acme", "acme:work", "acme:home")
    await world.say("hi")
    world.credentials.order("acme", "acme:home", "acme:work")
    await world.say("hi")
    assert world.served == ["acme:work", "acme:home"]
    assert "Answered by acme:home" in world.notices()
    await world.say("/model @acme:work")
    world.credentials.order("acme", "acme:home")
    await world.say("hi")
    assert world.served[-1] == "acme:work"


async def test_a_rate_limit_moves_to_the_next_credential_and_is_told_with_its_end() -> None:
    world = World()
    world.provider.script["acme:work"] = [limited(90)]
    reply = await world.say("hi")
    assert reply.text == "served-by:acme:home"
    assert world.served == ["acme:work", "acme:home"]
    assert "acme:work answered rate_limit (HTTP 429) and is out until 12:01 UTC (in 2m)" in world.notices()
    report = world.report()
    assert report["outcome"] == "ok"
    assert report["attempts"] == [
        {"model": "acme/small", "profile": "acme:work", "outcome": "rate_limit", "status": 429,
         "retry_at": "2026-05-04T12:01:30Z"},
        {"model": "acme/small", "profile": "acme:home", "outcome": "ok", "status": 200, "retry_at": None},
    ]  # fmt: skip
    assert report["usage"] == {"input_tokens": 7, "output_tokens": 3}
    await world.say("hi")
    assert world.served[-1] == "acme:home"
    assert not world.notices(), "told once"
    why = await world.say("/model why")
    assert why.data["decisions"][0]["action"] == "rotate"


async def test_a_cooling_credential_is_not_asked_but_serves_another_model() -> None:
    world = World(profiles=[profile("acme:work"), profile("acme:home")])
    world.provider.script["acme:work"] = [limited(90)]
    await world.say("hi")
    await world.say("/model auto")
    await world.say("hi", by=ALLOWED, key="agent:main:telegram:default:direct:2")
    assert world.served[-1] == "acme:home"
    await world.say("/model big@acme:work")
    await world.say("hi")
    assert world.served[-1] == "acme:work", "a limit of one model says nothing of another"


async def test_a_strict_pin_is_never_replaced_and_a_card_tells() -> None:
    world = World()
    await world.say("/model @acme:work")
    world.provider.script["acme:work"] = [limited(90)]
    card = await world.say("hi")
    assert world.served == ["acme:work"]
    assert (card.kind, card.code) == (ReplyKind.ERROR, "pinned_unavailable")
    assert "acme:work is pinned here and out: cooling 2m · rate_limit" in card.text
    assert [b.label for b in card.buttons] == [
        "Use acme:home once", "Prefer instead", "Release pin", "Try again", "Check acme:work again",
    ]  # fmt: skip
    assert world.report()["outcome"] == "failed"
    await world.say("hi")
    assert world.served == ["acme:work"], "known to be out: not even asked"
    found = world.resolution().next
    assert (found.profile, found.reason, found.until) == (None, "pinned_unavailable", START + timedelta(seconds=90))


async def test_each_choice_of_the_card_runs_the_kept_message_once() -> None:
    for label, expected, pin in [
        ("Use acme:home once", "acme:home", "acme:work"),
        ("Prefer instead", "acme:home", "acme:work"),
        ("Release pin", "acme:home", None),
    ]:
        world = World()
        await world.say("/model @acme:work")
        world.provider.script["acme:work"] = [limited(90)]
        card = await world.say("the kept message")
        replies = await world.press(card, label)
        assert world.served == ["acme:work", expected], label
        assert world.provider.requests[-1].messages[-1].text == "the kept message"
        assert replies[0].replaces, "the pressed card is replaced"
        again = await world.press(card, label)
        assert len(world.served) == 2, "of two presses one counts"
        assert again[-1].code == "number_without_picker"
        pinned = world.resolution().pinned
        assert (pinned.profile if pinned and pinned.pin else None) == pin


async def test_try_again_runs_the_kept_message_when_the_credential_is_back() -> None:
    world = World()
    await world.say("/model @acme:work")
    world.provider.script["acme:work"] = [limited(90)]
    card = await world.say("hi")
    world.wait(seconds=91)
    replies = await world.press(card, "Try again")
    assert world.served == ["acme:work", "acme:work"]
    assert replies[-1].text == "served-by:acme:work"


async def test_a_card_can_be_answered_by_number_but_not_by_another_sender() -> None:
    world = World()
    await world.say("/model @acme:work", key=GROUP)
    world.provider.script["acme:work"] = [limited(90)]
    card = await world.say("hi", key=GROUP)
    (refused,) = await world.press(card, "Release", key=GROUP, by=ALLOWED)
    assert refused.code == "not_authorised"
    assert (await world.say("/model 1", key=GROUP, by=ALLOWED)).code == "number_without_picker"
    await world.say("/model 1", key=GROUP)
    assert world.served == ["acme:work", "acme:home"]


async def test_a_preferred_pin_is_served_by_the_next_said_and_returned_to() -> None:
    world = World()
    await world.say("/model @acme:work prefer")
    world.provider.script["acme:work"] = [limited(90)]
    reply = await world.say("hi")
    assert reply.text == "served-by:acme:home"
    assert "The pin stays" in world.notices()
    found = world.resolution().next
    assert (found.profile, found.reason) == ("acme:home", "pinned_unavailable")
    await world.say("hi")
    assert world.served[-1] == "acme:home"
    assert "acme:work is cooling" in world.notices(), "said in each such turn"
    world.wait(seconds=90)
    await world.say("hi")
    assert world.served[-1] == "acme:work"
    assert not world.notices()


async def test_a_pin_whose_profile_was_deleted_is_told_and_the_session_stays_usable() -> None:
    world = World()
    await world.say("/model @acme:work")
    world.credentials.remove("acme:work")
    card = await world.say("hi")
    assert card.code == "pinned_unavailable"
    assert "no such profile any more" in card.text
    assert card.buttons[0].label == "Use acme:home once"
    await world.say("/model auto")
    await world.say("hi")
    assert world.served == ["acme:home"]


async def test_a_pin_outside_the_order_counts() -> None:
    world = World()
    world.credentials.order("acme", "acme:home")
    await world.say("/model @acme:work")
    await world.say("hi")
    assert world.served == ["acme:work"]


async def test_a_pin_outside_the_order_that_has_expired_does_not_serve_and_says_so() -> None:
    late = profile("acme:late", CredentialKind.TOKEN, expires=(START + timedelta(minutes=5)).timestamp() * 1000)
    world = World(profiles=[profile("acme:home"), late])
    world.credentials.order("acme", "acme:home")
    await world.say("/model @acme:late strict")
    world.wait(minutes=10)
    reply = await world.say("hi")
    assert (reply.code, world.served) == ("pinned_unavailable", [])
    status = await world.say("/model status")
    assert "none: acme:late is expired 5m ago, and the pin is strict" in status.text


async def test_a_broken_reference_is_unavailable_and_lets_no_key_slip_in() -> None:
    broken = profile("acme:work", secret=None, ref=SecretRef("env", "default", "GONE"), ref_error="GONE is not set")
    world = World(profiles=[broken, profile("env:ACME_API_KEY", CredentialKind.ENV, provider="acme")])
    reply = await world.say("hi")
    assert reply.code == "no_credentials"
    assert "acme:work: unresolved_ref" in reply.text
    assert not world.served


@pytest.mark.parametrize("reason", [FailureReason.BILLING, FailureReason.AUTH, FailureReason.AUTH_PERMANENT])
async def test_a_refused_credential_is_disabled_and_the_next_one_serves(reason: FailureReason) -> None:
    world = World()
    world.provider.script["acme:work"] = [reason]
    await world.say("hi")
    assert world.served == ["acme:work", "acme:home"]
    status = await world.say("/model status")
    work = next(c for c in status.data["providers"][0]["candidates"] if c["profile"] == "acme:work")
    assert (work["state"], work["reason"]) == ("disabled", reason.value)


async def test_a_replaced_key_has_no_past() -> None:
    world = World(profiles=[profile("acme:work")])
    world.provider.script["acme:work"] = [FailureReason.AUTH_PERMANENT]
    assert (await world.say("hi")).code == "all_unavailable"
    world.credentials.put(profile("acme:work", fingerprint="new!"))
    assert (await world.say("hi")).text == "served-by:acme:work"


@pytest.mark.parametrize("reason", [FailureReason.OVERLOADED, FailureReason.TIMEOUT, FailureReason.NETWORK])
async def test_transport_is_tried_three_times_with_the_same_credential_and_not_held_against_it(
    reason: FailureReason,
) -> None:
    world = World()
    world.provider.script["acme:work"] = [reason] * 3
    reply = await world.say("hi")
    assert world.served == ["acme:work"] * 3
    assert reply.code == reason.value
    assert len(world.clock.slept) == 2
    assert (await world.say("hi")).text == "served-by:acme:work"


@pytest.mark.parametrize("reason", [FailureReason.FORMAT, FailureReason.CONTEXT_OVERFLOW, FailureReason.UNKNOWN])
async def test_a_request_that_is_wrong_rotates_nothing(reason: FailureReason) -> None:
    world = World()
    world.provider.script["acme:work"] = [Failure(reason=reason, status=400, detail="messages: too strange")]
    reply = await world.say("hi")
    assert world.served == ["acme:work"]
    assert reply.code == reason.value
    assert "messages: too strange" in reply.text
    assert not world.health.health


async def test_overflow_offers_a_new_conversation_with_the_same_message() -> None:
    world = World()
    await world.say("before")
    world.provider.script["acme:work"] = [FailureReason.CONTEXT_OVERFLOW]
    card = await world.say("too long")
    await world.press(card, "Start a new conversation")
    assert [m.text for m in world.provider.requests[-1].messages] == ["too long"]


async def test_all_out_says_until_when_and_asks_nobody() -> None:
    world = World()
    world.provider.script["acme:work"], world.provider.script["acme:home"] = [limited(600)], [limited(90)]
    reply = await world.say("hi")
    assert reply.code == "all_unavailable"
    assert "12:01 UTC" in reply.text
    await world.say("hi")
    assert len(world.served) == 2
    found = world.resolution().next
    assert (found.profile, found.reason, found.until) == (None, "all_unavailable", START + timedelta(seconds=90))


async def test_no_credential_at_all_is_told() -> None:
    world = World(profiles=[])
    reply = await world.say("hi")
    assert reply.code == "no_credentials"
    assert world.report() == {
        "outcome": "failed", "model": "acme/small", "profile": None, "attempts": [],
        "usage": {"input_tokens": 0, "output_tokens": 0}, "cost_usd": None,
    }  # fmt: skip


async def test_once_text_was_shown_no_other_credential_is_tried() -> None:
    world = World()
    world.provider.script["acme:work"] = [Breaks("half an ans", limited(90))]
    replies = await world.do(world.inbound("hi"))
    assert world.served == ["acme:work"]
    assert [(r.kind, r.code) for r in replies] == [(ReplyKind.TEXT, None), (ReplyKind.ERROR, "rate_limit")]
    assert replies[0].text == world.deltas() == "half an ans"
    assert not world.sessions.messages.get((world.inbound("").session, 0)), "a broken answer is not remembered as one"


async def test_the_whole_turn_has_one_deadline() -> None:
    world = World(rules=replace(rules(), deadline=timedelta(milliseconds=50)))
    world.provider.script["acme:work"] = [Held("never")]
    reply = await world.say("hi")
    assert reply.code == "timeout"
    assert len(world.served) == 1


async def test_environment_keys_go_on_only_for_a_rate_limit() -> None:
    keys = [profile(f"env:ACME_API_KEYS#{n}", CredentialKind.ENV, provider="acme", fingerprint=str(n)) for n in (1, 2)]
    world = World(profiles=keys)
    world.provider.script["env:ACME_API_KEYS#1"] = [limited(90)]
    await world.say("hi")
    assert world.served == ["env:ACME_API_KEYS#1", "env:ACME_API_KEYS#2"]
    world.wait(hours=3)
    world.provider.script["env:ACME_API_KEYS#1"] = [FailureReason.AUTH]
    reply = await world.say("hi")
    assert reply.code == "auth"
    assert world.served[2:] == ["env:ACME_API_KEYS#1"]
    assert (await world.say("hi")).text == "served-by:env:ACME_API_KEYS#1"


async def test_profiles_of_one_account_share_a_rate_limit() -> None:
    world = World(profiles=[profile("acme:a", account="org"), profile("acme:b", account="org"), profile("acme:c")])
    world.provider.script["acme:a"] = [limited(90)]
    await world.say("hi")
    assert world.served == ["acme:a", "acme:c"]


async def test_fallback_models_serve_the_configured_default_and_are_told() -> None:
    main = AgentRules(id="main", default=ModelRef("acme", "small"), fallbacks=(ModelRef("zeta", "sonnet-1"),))
    world = World(rules=replace(rules(), agents={"main": main}))
    world.provider.script["acme:work"] = [FailureReason.OVERLOADED] * 3
    await world.say("hi")
    assert world.served[-1].startswith("zeta:")
    assert "with zeta/sonnet-1" in world.notices()
    await world.say("/model big")
    world.provider.script["acme:work"] = world.provider.script["acme:home"] = [FailureReason.OVERLOADED] * 6
    reply = await world.say("hi")
    assert reply.code == "overloaded", "a model that the user chose never turns into another"


async def test_turns_of_a_session_wait_for_each_other_and_sessions_do_not() -> None:
    world = World()
    held = Held("first")
    world.provider.script["acme:work"] = [held]
    first = asyncio.create_task(world.do(world.inbound("one")))
    await asyncio.wait_for(held.started.wait(), 5)
    second = asyncio.create_task(world.do(world.inbound("two")))
    await world.say("elsewhere", by=ALLOWED, key="agent:main:telegram:default:direct:2")
    assert len(world.served) == 2
    held.release.set()
    await asyncio.gather(first, second)
    texts = [m.text for m in world.provider.requests[-1].messages]
    assert texts == ["one", "first", "two"]


async def test_a_reset_while_the_provider_answers_keeps_the_new_conversation_clean() -> None:
    world = World()
    held = Held("old")
    world.provider.script["acme:work"] = [held]
    running = asyncio.create_task(world.do(world.inbound("one")))
    await asyncio.wait_for(held.started.wait(), 5)
    await world.do(world.inbound("/new"))
    held.release.set()
    await running
    await world.say("two")
    assert [m.text for m in world.provider.requests[-1].messages] == ["two"]


async def test_an_empty_answer_is_told() -> None:
    world = World()
    world.provider.script["acme:work"] = [""]
    await world.say("hi")
    assert "empty answer" in world.notices()


async def test_an_unexpected_error_has_a_reference_and_no_traceback() -> None:
    world = World()

    async def broken(*_: object) -> tuple[()]:
        raise RuntimeError("sk-secret-in-an-error")

    world.sessions.history = broken  # type: ignore[method-assign, assignment]
    reply = await world.say("hi")
    assert reply.code == "internal"
    assert "sk-secret" not in reply.text


async def test_an_answer_is_one_write_with_what_it_says_of_its_credential_and_a_failure_is_written_at_once() -> None:
    world = World()
    world.provider.script["acme:work"] = [limited(60)]
    recorded = []
    finish = world.sessions.finish_turn

    async def watched(record: TurnRecord) -> None:
        recorded.append({profile: health.last_used for (profile, _), health in world.health.health.items()})
        await finish(record)

    world.sessions.finish_turn = watched  # type: ignore[method-assign]
    await world.say("hi")
    assert recorded == [{"acme:work": None}], "the failure is known before, the success is not"
    assert {profile: health.last_used for (profile, _), health in world.health.health.items()} == {
        "acme:work": None,
        "acme:home": world.clock.now(),
    }


async def test_an_unknown_agent_is_named() -> None:
    reply = await World().say("hi", key="agent:nobody:telegram:default:direct:1")
    assert reply.code == "unknown_agent"


async def test_a_database_that_cannot_be_written_keeps_no_answer_back_and_shows_no_path() -> None:
    world = World()

    async def full(*_: object) -> None:
        raise StorageError("storage", "/var/lib/remoteclaw.db: the disk is full.", "Make room.")

    world.sessions.finish_turn = world.health.update_health = full  # type: ignore[method-assign, assignment]
    reply = await world.say("hi")
    assert reply.text == "served-by:acme:work"
    assert "will not be remembered" in world.notices()
    world.sessions.save_choice = full  # type: ignore[method-assign, assignment]
    reply = await world.say("/model big")
    assert reply.code == "storage"
    assert "Nothing was changed" in reply.text
    assert "/var/lib" not in reply.text
    world.shown.show = full  # type: ignore[method-assign, assignment]
    reply = await world.say("/model big@nope")
    assert (reply.code, reply.buttons) == ("profile_not_found", ())


@pytest.mark.parametrize(
    ("stopped", "told"),
    [
        pytest.param("stop", "", id="whole"),
        pytest.param("length", "The answer is cut at the longest", id="length"),
        pytest.param("filter", "content filter has cut", id="filter"),
    ],
)
async def test_an_answer_that_is_cut_is_told(stopped: str, told: str) -> None:
    world = World()
    world.provider.stop_reason = stopped
    reply = await world.say("hi")
    assert reply.text == "served-by:acme:work"
    assert told in world.notices()
    assert bool(world.notices()) is bool(told)


async def test_every_failure_on_the_way_is_told() -> None:
    world = World(profiles=[profile("acme:a"), profile("acme:b"), profile("acme:c")])
    world.provider.script["acme:a"] = [FailureReason.AUTH]
    world.provider.script["acme:b"] = [FailureReason.BILLING]
    await world.say("hi")
    assert world.served == ["acme:a", "acme:b", "acme:c"]
    assert "acme:a answered auth" in world.notices()
    assert "acme:b answered billing" in world.notices()


async def test_the_soonest_return_may_be_that_of_a_fallback() -> None:
    main = replace(rules().agents["main"], fallbacks=(ModelRef("zeta", "opus-1"),))
    world = World(rules=rules(agents={"main": main}), profiles=[profile("acme:a"), profile("zeta:x")])
    world.provider.script["acme:a"] = [FailureReason.BILLING]
    world.provider.script["zeta:x"] = [limited(30)]
    card = await world.say("hi")
    assert "The first returns at 12:00 UTC (in 30s)." in card.text


async def test_a_profile_that_the_sender_may_not_see_is_hidden_in_the_account_too() -> None:
    world = World(profiles=[profile("acme:work", pin_allow=("owners",))])
    await world.say("hi", by=ALLOWED)
    assert world.report()["profile"] == "hidden"
    assert [attempt["profile"] for attempt in world.report()["attempts"]] == ["hidden"]


async def test_where_every_key_of_a_list_is_refused_the_last_words_are_told() -> None:
    """The seed: if all keys fail, the final error from the last attempt is returned."""
    keys = [
        profile(f"env:ACME_API_KEYS#{n}", CredentialKind.ENV, provider="acme", fingerprint=str(n)) for n in (1, 2, 3)
    ]
    world = World(profiles=keys)
    for n, key in enumerate(keys, start=1):
        world.provider.script[key.id] = [
            Failure(reason=FailureReason.RATE_LIMIT, status=429, detail=f"limit of key {n}")
        ]
    card = await world.say("hi")
    assert world.served == [key.id for key in keys]
    assert "It said: limit of key 3" in card.text
    assert "limit of key 1" not in card.text
