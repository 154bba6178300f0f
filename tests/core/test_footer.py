"""`/usage`: the small line under answers, and what a chat or all chats have used."""

import asyncio
from dataclasses import replace

import pytest

from core.chat.completion import Usage
from core.errors import Failure, FailureReason
from core.messages import Reply, ReplyKind, reply_from_json, reply_to_json
from core.models.catalog import Catalog, Price
from core.sessions.key import SessionKey
from core.sessions.session import Footer
from tests.fakes.provider_client import Breaks, Held
from tests.world import ALLOWED, DIRECT, GROUP, STRANGER, World, profile, rules

THREAD = f"{GROUP}:thread:5"
OTHERS = "agent:main:telegram:default:direct:2"


def priced(world: World) -> World:
    """A dollar for a million tokens sent, ten for a million answered."""
    found = world.rules.catalog
    price = Price(input=1.0, output=10.0)
    providers = {
        name: replace(one, models=tuple(replace(model, price=price) for model in one.models))
        for name, one in found.providers.items()
    }
    world.rules = replace(world.rules, catalog=Catalog(providers, found.aliases))
    world.provider.usage = Usage(1234, 56)
    return world


async def full(world: World, **where: object) -> Reply:
    await world.say("/usage full", **where)
    return await world.say("hello", **where)


class TestFooter:
    @pytest.mark.parametrize(
        ("form", "footer"),
        [
            ("off", ""),
            ("tokens", "1,234 in · 56 out"),
            ("full", "acme/small · acme:work · 1,234 in · 56 out · $0.0018"),
        ],
    )
    async def test_each_form_has_its_line(self, form: str, footer: str):
        world = priced(World())
        await world.say(f"/usage {form}")
        answer = await world.say("hello")
        assert answer.footer == footer
        assert answer.data.get("footer", "") == footer
        assert answer.text == "served-by:acme:work", "it is no part of the answer"

    async def test_off_is_the_rule_and_the_configuration_may_have_another(self):
        world = World()
        assert (await world.say("hello")).footer == ""
        world.rules = replace(world.rules, footer=Footer.TOKENS)
        assert (await world.say("hello")).footer == "7 in · 3 out"
        await world.say("/usage off")
        assert (await world.say("hello")).footer == ""

    async def test_it_names_the_alias_and_who_really_served(self):
        world = World()
        await world.say("/model big")
        world.provider.script["acme:work"] = [FailureReason.RATE_LIMIT]
        assert (await full(world)).footer == "big · acme:home · 7 in · 3 out"

    async def test_a_topic_has_it_from_its_chat_until_it_says_otherwise(self):
        world = World()
        await world.say("/usage tokens", key=GROUP)
        assert (await world.say("hello", key=THREAD)).footer == "7 in · 3 out"
        await world.say("/usage off", key=THREAD)
        assert (await world.say("hello", key=THREAD)).footer == ""
        assert (await world.say("hello", key=GROUP)).footer == "7 in · 3 out"

    async def test_it_stays_in_a_new_conversation_and_with_another_model(self):
        world = World()
        await world.say("/usage tokens")
        await world.say("/new")
        await world.say("/model big")
        assert (await world.say("hello")).footer == "7 in · 3 out"

    async def test_it_survives_with_the_reply_that_waits_for_its_delivery(self):
        answer = await full(World())
        assert reply_from_json(reply_to_json(answer)) == answer

    async def test_what_the_provider_did_not_count_is_not_told(self):
        world = World()
        world.provider.usage = Usage()
        assert (await full(world)).footer == "acme/small · acme:work"
        await world.say("/usage tokens")
        assert (await world.say("hello")).footer == ""

    async def test_a_stopped_answer_has_what_was_counted_by_then(self):
        world = World()
        await world.say("/usage full")
        world.provider.script["acme:work"] = [held := Held("never", first="The beginning")]
        turn = asyncio.create_task(world.do(world.inbound("hello")))
        await asyncio.wait_for(held.started.wait(), 5)
        await world.say("/stop")
        answer, _ = await turn
        assert (answer.text, answer.footer) == ("The beginning", "acme/small · acme:work · 7 in · 0 out")

    async def test_an_answer_that_broke_off_too(self):
        world = World()
        await world.say("/usage tokens")
        failure = Failure(reason=FailureReason.NETWORK)
        world.provider.script["acme:work"] = [Breaks("half of", failure)]
        replies = await world.do(world.inbound("hello"))
        assert (replies[0].text, replies[0].footer) == ("half of", "7 in · 3 out")

    async def test_no_notice_has_one(self):
        world = World()
        await world.say("/usage full")
        world.provider.script["acme:work"] = ["  "]
        (empty,) = await world.do(world.inbound("hello"))
        assert (empty.kind, empty.footer) == (ReplyKind.NOTICE, "")

    async def test_in_a_private_chat_a_profile_is_named_to_whom_may_see_it(self):
        world = World(profiles=[profile("acme:secret", pin_allow=("owners",))])
        assert "acme:secret" in (await full(world)).footer
        answer = await full(world, by=ALLOWED, key=OTHERS)
        assert answer.footer == "acme/small · hidden · 7 in · 3 out"
        assert "secret" not in str(answer.data)

    async def test_in_a_shared_chat_it_is_named_to_nobody_unless_all_may_see_it(self):
        world = World(profiles=[profile("acme:secret", pin_allow=("owners",))])
        assert (await full(world, key=GROUP)).footer == "acme/small · hidden · 7 in · 3 out", (
            "an owner asked, all read it"
        )

    async def test_a_change_while_an_answer_is_given_holds_from_the_next(self):
        world = World()
        world.provider.script["acme:work"] = [held := Held("slow")]
        turn = asyncio.create_task(world.do(world.inbound("hello")))
        await asyncio.wait_for(held.started.wait(), 5)
        assert "holds from the next answer" in (await world.say("/usage tokens")).text
        held.release.set()
        assert (await turn)[-1].footer == ""
        assert (await world.say("hello")).footer == "7 in · 3 out"

    async def test_it_is_a_decision_that_can_be_asked_for(self):
        world = World()
        await world.say("/usage full")
        (decision,) = world.sessions.decided[SessionKey.parse(DIRECT)]
        assert (decision.action, decision.before, decision.after) == ("footer", "off", "full")

    async def test_an_unknown_word_changes_nothing(self):
        world = World()
        refused = await world.say("/usage everything")
        assert refused.code == "usage"
        assert "/usage off, /usage tokens or /usage full" in refused.text
        assert world.sessions.sessions == {}

    async def test_who_may_not_command_changes_nothing(self):
        world = World(rules=replace(rules(), access=replace(rules().access, groups=frozenset({"telegram:-100"}))))
        assert await world.do(world.inbound("/usage full", by=STRANGER, key=GROUP)) == []
        assert (await world.say("hello", by=STRANGER, key=GROUP)).footer == ""


class TestTotals:
    async def test_a_chat_has_its_own_by_model_and_credential(self):
        world = priced(World())
        await world.say("hello")
        await world.say("/model opus")
        await world.say("hello")
        reply = await world.say("/usage")
        assert reply.text.splitlines() == [
            "zeta/opus-1 with zeta:me: 1 answer, 1,234 tokens in, 56 out, $0.0018",
            "acme/small with acme:work: 1 answer, 1,234 tokens in, 56 out, $0.0018",
            "Together: 2 answers, 2,468 tokens in, 112 out, $0.0036",
        ]
        assert [row.head for row in reply.blocks[0].rows] == [
            "zeta/opus-1 with zeta:me",
            "acme/small with acme:work",
        ]

    async def test_it_says_what_stands_under_answers(self):
        world = World()
        await full(world)
        reply = await world.say("/usage")
        assert reply.text.endswith("\nModel, credential, tokens and cost stand under answers here.")
        assert reply.data["footer"] == "full"

    async def test_owners_see_all_chats_by_credential_and_by_model(self):
        world = World()
        for text, key in (
            ("hello", DIRECT),
            ("/model @work", GROUP),
            ("hello", GROUP),
            ("/model big@home", DIRECT),
            ("hello", DIRECT),
        ):
            await world.say(text, key=key)
        reply = await world.say("/usage all")
        assert reply.text.splitlines() == [
            "By credential:",
            "acme:home: 1 answer, 7 tokens in, 3 out",
            "acme:work: 2 answers, 14 tokens in, 6 out",
            "By model:",
            "acme/large: 1 answer, 7 tokens in, 3 out",
            "acme/small: 2 answers, 14 tokens in, 6 out",
            "Together: 3 answers, 21 tokens in, 9 out",
        ]
        assert reply.private

    async def test_nobody_else_does(self):
        world = World()
        await world.say("hello")
        refused = await world.say("/usage all", by=ALLOWED, key=OTHERS)
        assert (refused.kind, refused.code) == (ReplyKind.ERROR, "not_authorised")
        assert "acme" not in refused.text

    async def test_hidden_credentials_are_one_to_whom_may_not_see_them(self):
        secret = [profile(f"acme:{name}", pin_allow=("owners",)) for name in ("one", "two")]
        world = World(profiles=secret)
        await world.say("hello", key=GROUP)
        await world.say("/model @two", key=GROUP)
        await world.say("hello", key=GROUP)
        reply = await world.say("/usage", by=ALLOWED, key=GROUP)
        assert reply.text == "acme/small with hidden: 2 answers, 14 tokens in, 6 out"
        assert not any(name in repr(reply) for name in ("acme:one", "acme:two"))
        assert (await world.say("/usage", key=GROUP)).text == reply.text, "everybody there reads what an owner is told"
        assert "acme:two" in (await world.say("/usage", key=GROUP, unseen=True)).text
