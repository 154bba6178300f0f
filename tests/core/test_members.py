"""Somebody who may only chat: a member of a listed group, and somebody who loses the right while they wait."""

import asyncio
from dataclasses import replace
from datetime import timedelta

from core.messages import Ingress, Reply
from core.resolution.rules import AccessRules
from tests.core.test_turn import limited
from tests.fakes.provider_client import Held
from tests.world import ALLOWED, GROUP, OWNER, STRANGER, World, rules

LISTED = AccessRules(owners=frozenset({OWNER}), allow=frozenset({ALLOWED}), groups=frozenset({"telegram:-100"}))


async def test_a_member_can_have_a_kept_message_tried_again_and_nothing_else() -> None:
    world = World(rules(access=LISTED))
    for name in ("acme:work", "acme:home"):
        world.provider.script[name] = [limited(90)]
    card = await world.say("hello", key=GROUP, by=STRANGER)
    assert [button.label for button in card.buttons] == ["Try again"]
    assert "/model <number>" not in card.text
    assert "choices" not in card.data
    world.clock.advance(timedelta(seconds=100))
    replies = await world.press(card, "Try again", key=GROUP, by=STRANGER)
    assert replies[-1].text == "served-by:acme:work"


async def test_a_member_chooses_nothing_by_a_press() -> None:
    world = World(rules(access=LISTED))
    picker = await world.say("/model", key=GROUP, by=ALLOWED, rows=8)
    demoted = AccessRules(owners=LISTED.owners, groups=LISTED.groups)
    world.rules = rules(access=demoted)
    replies = await world.press(picker, "opus", key=GROUP, by=ALLOWED)
    assert [reply.code for reply in replies] == ["not_authorised"]


async def test_who_is_put_out_while_their_message_waits_is_not_served() -> None:
    world = World()
    held = Held("served")
    world.provider.script["acme:work"] = [held]
    first = asyncio.create_task(world.do(world.inbound("one", key=GROUP)))
    await held.started.wait()
    second = asyncio.create_task(world.do(world.inbound("two", key=GROUP, by=ALLOWED)))
    await asyncio.sleep(0)
    world.rules = replace(world.rules, access=AccessRules(owners=frozenset({OWNER})))
    held.release.set()
    await first
    assert await second == []
    assert len(world.served) == 1


async def test_a_strangers_native_command_says_how_to_be_let_in() -> None:
    world = World()
    direct = "agent:main:telegram:default:direct:3"
    (told,) = await world.do(world.inbound("/model", by=STRANGER, key=direct, ingress=Ingress.COMMAND))
    assert told.private
    assert "Write me a message" in told.text
    (there,) = await world.do(world.inbound("/model", by=STRANGER, key=GROUP, ingress=Ingress.COMMAND))
    assert "Write me a message" not in there.text


async def test_a_members_command_with_a_key_is_refused_though_the_command_is_not_heard() -> None:
    world = World(rules(access=LISTED))
    told = await world.do(world.inbound("/model ████", key=GROUP, by=STRANGER, has_secret=True))
    assert [(reply.code, reply.deletes) for reply in told if isinstance(reply, Reply)] == [("secret_in_chat", True)]
