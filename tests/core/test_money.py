"""A move from a subscription to a metered credential asks first (product.md 6): what is offered, and which key is sent."""

from dataclasses import replace
from datetime import timedelta

import pytest

from core.auth.profiles import CredentialKind
from core.errors import FailureReason
from core.messages import Reply, ReplyKind
from core.models.ref import ModelRef
from core.resolution.resolver import NextReason
from core.resolution.rules import CrossBilling
from tests.world import World, profile, rules

LIMIT = FailureReason.RATE_LIMIT
SUB = profile("acme:plan", CredentialKind.TOKEN, billing="subscription")
PAID = profile("acme:paid", billing="metered")
SPARE = profile("acme:spare", billing="metered")


def world(*profiles: object, mode: CrossBilling = CrossBilling.ASK, **changes: object) -> World:
    return World(rules=rules(cross_billing=mode, **changes), profiles=profiles or (SUB, PAID))  # type: ignore[arg-type]


def labels(reply: Reply) -> list[str]:
    return [button.label for button in reply.buttons]


async def limited(mode: CrossBilling = CrossBilling.ASK) -> tuple[World, Reply]:
    """A message that meets the subscription's limit."""
    found = world(mode=mode)
    found.provider.script["acme:plan"] = [LIMIT]
    return found, await found.say("hello")


async def test_the_metered_key_waits_for_a_word_and_the_message_is_kept():
    asked, card = await limited()
    assert asked.served == ["acme:plan"]
    assert card.code == "cross_billing"
    assert card.text.startswith("The subscription for acme/small is out until ")
    assert labels(card) == ["Use acme:paid once", "Use acme:paid for 1m", "Try again"]
    replies = await asked.press(card, "Use acme:paid once")
    assert asked.served[-1] == "acme:paid"
    assert any(reply.text == "served-by:acme:paid" for reply in replies)
    asked.wait(minutes=2)
    await asked.say("and now?")
    assert asked.served[-1] == "acme:plan"


async def test_status_names_what_the_next_message_would_do():
    asked, _ = await limited()
    upcoming = asked.resolution().next
    assert (upcoming.profile, upcoming.reason) == (None, NextReason.ALL_UNAVAILABLE)
    status = await asked.say("/model status")
    assert "none without your word: the subscription is out until" in status.text
    assert "acme:paid is metered" in status.text


async def test_a_loan_ends_when_the_subscription_is_back():
    asked, card = await limited()
    await asked.press(card, "Use acme:paid for 1m")
    await asked.say("again")
    assert asked.served[-2:] == ["acme:paid", "acme:paid"]
    asked.wait(minutes=1, seconds=1)
    await asked.say("later")
    assert asked.served[-1] == "acme:plan"


async def test_announced_it_goes_on_and_says_so():
    told, answer = await limited(CrossBilling.ANNOUNCE)
    assert told.served == ["acme:plan", "acme:paid"]
    assert answer.text == "served-by:acme:paid"
    assert "Answered by acme:paid, because acme:plan answered rate_limit" in told.notices()
    assert "acme:paid is metered: each message costs." in told.notices()


async def test_never_means_that_nothing_is_offered():
    never, card = await limited(CrossBilling.NEVER)
    assert never.served == ["acme:plan"]
    assert card.code == "cross_billing"
    assert labels(card) == ["Try again"]
    assert "failover.cross_billing" in card.text


@pytest.mark.parametrize(
    ("profiles", "order", "served"),
    [
        pytest.param((SUB, PAID), ("acme:paid", "acme:plan"), "acme:paid", id="the operator put the metered one first"),
        pytest.param((PAID, SPARE), None, "acme:paid", id="there is no subscription"),
        pytest.param((SUB, PAID), ("acme:paid",), "acme:paid", id="the subscription is excluded"),
        pytest.param((SUB, PAID), None, "acme:plan", id="without an order the subscription comes first"),
    ],
)
async def test_only_a_subscription_that_comes_before_it_holds_a_metered_key_back(
    profiles: tuple[object, ...], order: tuple[str, ...] | None, served: str
):
    free = world(*profiles, order={"acme": order} if order else {})
    await free.say("hello")
    assert free.served == [served]


async def test_a_healthy_subscription_never_takes_turns_with_a_metered_key():
    """By least recent use alone the second message would go to the other key."""
    plan = profile("acme:plan", billing="subscription")
    calm = world(plan, PAID, sticky_idle=timedelta(seconds=1))
    for _ in range(3):
        await calm.say("hello")
        calm.wait(minutes=5)
    assert calm.served == ["acme:plan"] * 3


async def test_an_expired_subscription_is_no_permission():
    asked = world(profile("acme:plan", CredentialKind.TOKEN, billing="subscription", expires=1000), PAID)
    card = await asked.say("hello")
    assert asked.served == []
    assert labels(card) == ["Use acme:paid once", "Try again"]


async def test_a_users_pin_is_their_word():
    asked = world()
    await asked.say("/model @acme:paid")
    await asked.say("hello")
    assert asked.served == ["acme:paid"]


async def test_a_fallback_model_that_costs_asks_too():
    agents = rules().agents
    main = agents["main"]
    main = replace(main, fallbacks=(ModelRef("zeta", "opus-1"),))
    asked = world(SUB, profile("zeta:paid", billing="metered"), agents={"main": main})
    asked.provider.script["acme:plan"] = [LIMIT]
    card = await asked.say("hello")
    assert asked.served == ["acme:plan"]
    assert "Use zeta:paid once" in labels(card)
    await asked.press(card, "Use zeta:paid once")
    assert asked.served[-1] == "zeta:paid"


async def test_a_key_without_a_label_costs_where_a_subscription_is_labelled():
    """The silent move from the subscription to the paid key: an API key is billed by use, whether or not that is written down."""
    asked = world(SUB, profile("acme:key"))
    asked.provider.script["acme:plan"] = [LIMIT]
    card = await asked.say("hello")
    assert asked.served == ["acme:plan"]
    assert card.code == "cross_billing"


async def test_the_chain_of_fallbacks_is_one_way_to_the_money():
    """Primary without a label, then a subscription of another provider, then a metered key of that provider."""
    main = replace(rules().agents["main"], fallbacks=(ModelRef("zeta", "opus-1"),))
    plan = profile("zeta:me", CredentialKind.TOKEN, billing="subscription")
    asked = world(profile("acme:key"), plan, profile("zeta:you", billing="metered"), agents={"main": main})
    asked.provider.script["acme:key"] = [LIMIT]
    asked.provider.script["zeta:me"] = [LIMIT]
    card = await asked.say("hello")
    assert asked.served == ["acme:key", "zeta:me"]
    assert card.code == "cross_billing"


async def test_a_preferred_subscription_that_is_out_says_that_the_rest_costs():
    asked = world()
    await asked.say("/model @acme:plan prefer")
    asked.provider.script["acme:plan"] = [LIMIT]
    card = await asked.say("hello")
    assert card.code == "cross_billing"
    status = (await asked.say("/model status")).text
    assert "none without your word: acme:plan is cooling" in status
    assert "the pin is strict" not in status


async def test_the_strict_card_says_what_costs():
    asked = world()
    await asked.say("/model @acme:plan")
    asked.provider.script["acme:plan"] = [LIMIT]
    assert "Use acme:paid once (metered)" in labels(await asked.say("hello"))


async def test_an_announced_stand_in_ends_when_the_subscription_is_back_and_that_is_told():
    told, _ = await limited(CrossBilling.ANNOUNCE)
    told.wait(seconds=31)
    assert told.resolution().next.profile == "acme:plan"
    await told.say("and now?")
    assert told.served[-1] == "acme:plan"
    assert "because acme:plan is back, and acme:paid costs" in told.notices()


class TestTryAgain:
    """The strict card's *Try again* tries the pinned key on the user's word, cooling or not."""

    async def test_it_reaches_the_provider_and_a_success_clears_the_record(self):
        pinned = World()
        await pinned.say("/model @acme:work")
        pinned.provider.script["acme:work"] = [LIMIT]
        card = await pinned.say("hello")
        assert card.code == "pinned_unavailable"
        replies = await pinned.press(card, "Try again")
        assert pinned.served == ["acme:work", "acme:work"]
        assert [r.text for r in replies if r.kind is ReplyKind.TEXT] == ["served-by:acme:work"]
        await pinned.say("more")
        assert pinned.served[-1] == "acme:work"

    async def test_a_second_refusal_is_a_card_again_and_no_other_key_is_tried(self):
        pinned = World()
        await pinned.say("/model @acme:work")
        pinned.provider.script["acme:work"] = [LIMIT, LIMIT]
        card = await pinned.say("hello")
        (card,) = await pinned.press(card, "Try again")
        assert card.code == "pinned_unavailable"
        assert pinned.served == ["acme:work", "acme:work"]

    async def test_an_ordinary_message_does_not_try_it(self):
        pinned = World()
        await pinned.say("/model @acme:work")
        pinned.provider.script["acme:work"] = [LIMIT]
        await pinned.say("hello")
        card = await pinned.say("hello again")
        assert card.code == "pinned_unavailable"
        assert pinned.served == ["acme:work"]
