"""The fallback vectors C145 to C163, as data: which models and keys are tried, in which order. Where product.md decides
otherwise the case names its section."""

from dataclasses import replace

import pytest

from core.errors import Failure, FailureReason
from core.models.ref import ModelRef
from core.resolution.rules import AgentRules
from tests.world import World, profile, rules

R = FailureReason
LIMITED = Failure(reason=R.RATE_LIMIT)


def world(*fallbacks: str, profiles: tuple[str, ...] = ("acme:a", "zeta:x")) -> World:
    refs = tuple(ModelRef.parse(ref) for ref in fallbacks)
    main = AgentRules(id="main", default=ModelRef("acme", "small"), fallbacks=refs)
    found = World(rules=rules(agents={"main": main}), profiles=[profile(name) for name in profiles])
    found.clock.jumps = True
    return found


def tried(found: World) -> list[str]:
    """model@profile of every request, repetitions of one pair once."""
    pairs = [f"{r.endpoint.provider}/{r.model}@{r.profile.id if r.profile else '-'}" for r in found.provider.requests]
    return list(dict.fromkeys(pairs))


@pytest.mark.parametrize(
    ("reason", "then"),
    [
        pytest.param(R.UNKNOWN, "zeta/opus-1@zeta:x", id="C145"),
        pytest.param(R.TIMEOUT, "zeta/opus-1@zeta:x", id="C146: an end that is a timeout"),
        pytest.param(R.OVERLOADED, "zeta/opus-1@zeta:x", id="overloaded"),
        pytest.param(R.MODEL_NOT_FOUND, "zeta/opus-1@zeta:x", id="model not found"),
        pytest.param(R.RATE_LIMIT, "zeta/opus-1@zeta:x", id="rate limit"),
        pytest.param(R.BILLING, "zeta/opus-1@zeta:x", id="billing"),
        pytest.param(R.AUTH, "zeta/opus-1@zeta:x", id="auth"),
        pytest.param(R.FORMAT, None, id="format (6)"),
        pytest.param(R.CONTEXT_OVERFLOW, None, id="overflow (6)"),
        pytest.param(R.SESSION_EXPIRED, None, id="session expired"),
    ],
)
async def test_which_failures_lead_to_the_fallback(reason: FailureReason, then: str | None) -> None:
    found = world("zeta/opus-1")
    found.provider.script["acme:a"] = [Failure(reason=reason)] * 3
    reply = await found.say("hi")
    assert tried(found) == ["acme/small@acme:a", *([then] if then else [])]
    assert (reply.code is None) is (then is not None)


async def test_c145_on_the_last_candidate_its_own_error_is_told() -> None:
    found = world()
    found.provider.script["acme:a"] = [Failure(reason=R.UNKNOWN, detail="the moon is in the wrong house")]
    reply = await found.say("hi")
    assert reply.code == "unknown"
    assert "the moon is in the wrong house" in reply.text


async def test_c148_a_model_that_a_user_chose_has_no_fallback() -> None:
    """product.md 6: also where it is one of the configured fallbacks."""
    found = world("zeta/opus-1", "acme/large")
    await found.say("/model opus")
    found.provider.script["zeta:x"] = [LIMITED]
    await found.say("hi")
    assert tried(found) == ["zeta/opus-1@zeta:x"]


async def test_c149_an_agents_own_empty_list_means_none() -> None:
    found = world("zeta/opus-1")
    main = replace(found.rules.agents["main"], fallbacks=())
    found.rules = replace(found.rules, agents={"main": main})
    found.provider.script["acme:a"] = [LIMITED]
    reply = await found.say("hi")
    assert tried(found) == ["acme/small@acme:a"]
    assert reply.code == "all_unavailable"


@pytest.mark.parametrize(
    "minutes",
    [
        pytest.param(1, id="C151: far from its return it is not tried"),
        pytest.param(29.5, id="C152, C154, C160: nor near it (6: no key is tried that is cooling)"),
    ],
)
async def test_what_is_out_is_passed_over(minutes: float) -> None:
    found = world("zeta/opus-1")
    found.provider.script["acme:a"] = [Failure(reason=R.RATE_LIMIT, retry_at=found.clock.now().replace(minute=30))]
    await found.say("hi")
    found.wait(minutes=minutes)
    found.provider.requests.clear()
    await found.say("hi")
    assert tried(found) == ["zeta/opus-1@zeta:x"]


async def test_c157_an_unknown_model_does_not_rule_out_its_siblings() -> None:
    found = world("acme/large")
    found.provider.script["acme:a"] = [Failure(reason=R.MODEL_NOT_FOUND)]
    reply = await found.say("hi")
    assert tried(found) == ["acme/small@acme:a", "acme/large@acme:a"]
    assert reply.text == "served-by:acme:a"


@pytest.mark.parametrize("reason", [pytest.param(R.AUTH, id="C158: auth"), pytest.param(R.BILLING, id="C158: billing")])
async def test_c158_a_disabled_credential_rules_out_the_siblings_and_no_other_provider(reason: FailureReason) -> None:
    found = world("acme/large", "zeta/opus-1")
    found.provider.script["acme:a"] = [Failure(reason=reason)]
    await found.say("hi")
    assert tried(found) == ["acme/small@acme:a", "zeta/opus-1@zeta:x"]


async def test_c161_what_was_passed_over_carries_the_reason_of_its_disable() -> None:
    found = world()
    found.provider.script["acme:a"] = [Failure(reason=R.BILLING)]
    await found.say("hi")
    reply = await found.say("again")
    assert "acme:a: disabled 5h · billing" in reply.text


async def test_c163_all_failed_says_what_was_tried_and_the_soonest_return() -> None:
    found = world(profiles=("acme:a", "acme:b", "acme:c"))
    for n, name in enumerate(("acme:a", "acme:b", "acme:c"), start=1):
        at = found.clock.now().replace(minute=n * 10)
        found.provider.script[name] = [Failure(reason=R.RATE_LIMIT, status=429, retry_at=at)]
    reply = await found.say("hi")
    assert reply.code == "all_unavailable"
    assert "Every credential for acme/small is out. The first returns at 12:10 UTC (in 10m)." in reply.text
    for name in ("acme:a", "acme:b", "acme:c"):
        assert f"tried acme/small with {name}: rate_limit (HTTP 429)" in reply.text
