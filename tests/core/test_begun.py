"""A command that comes with a message is done once, also if the process ends between the two."""

import pytest

from core.messages import Inbound, Ingress, Reply, ReplyKind
from core.ports import InboxItem, InboxState, Update
from tests.core.test_turn import limited
from tests.world import World


async def stored(world: World, inbound: Inbound) -> InboxItem:
    update = Update(platform="telegram", account="default", key=inbound.text, lane="x", payload={})
    (item,) = await world.inbox.receive([update], world.clock.now())
    return item


async def killed_after_the_command(world: World, inbound: Inbound, item: InboxItem) -> InboxItem:
    """The process ends when the command was told and before the message is answered."""
    events = world.gateway.handle(inbound, item.id)
    async for event in events:
        if isinstance(event, Reply):
            break
    await events.aclose()
    world.rewire()
    return world.inbox.items[item.id]


@pytest.mark.parametrize("text", ["/new big hello", "hello /model big there", "/new hello"])
async def test_what_was_chosen_in_between_stands_and_the_message_is_asked(text: str) -> None:
    world = World()
    inbound = world.inbound(text)
    item = await killed_after_the_command(world, inbound, await stored(world, inbound))
    assert item.state is InboxState.NEW
    assert len(item.replies) == 1
    await world.say("/model opus@zeta:me")
    before = await world.say("/model why")
    replies = [e async for e in world.gateway.handle(inbound, item.id, begun=True) if isinstance(e, Reply)]
    assert [reply.kind for reply in replies] == [ReplyKind.TEXT]
    assert world.served == ["zeta:me"]
    assert (await world.say("/model why")).text == before.text
    done = world.inbox.items[item.id]
    assert done.state is InboxState.ANSWERED
    assert len(done.replies) == 2, "what the command said stays the first part of the answer"


async def test_a_command_that_was_not_stored_is_done_by_the_next_start() -> None:
    world = World()
    inbound = world.inbound("/new big hello")
    item = await stored(world, inbound)
    assert item.replies == ()
    replies = await world.do(inbound, item.id)
    assert [reply.kind for reply in replies] == [ReplyKind.NOTICE, ReplyKind.TEXT]
    assert world.inbox.items[item.id].state is InboxState.ANSWERED


async def test_a_choice_of_a_card_holds_once_for_the_message_that_it_has_kept() -> None:
    world = World()
    await world.say("/model @acme:work strict")
    world.provider.script["acme:work"] = [limited(90)]
    card = await world.say("hello")
    button = next(b for b in card.buttons if b.label.startswith("Use acme:home once"))
    press = world.inbound("", ingress=Ingress.BUTTON, token=card.token, number=button.n)
    item = await killed_after_the_command(world, press, await stored(world, press))
    assert len(item.replies) == 1
    decided = len(world.sessions.decided[press.session])
    replies = [e async for e in world.gateway.handle(press, item.id, begun=True) if isinstance(e, Reply)]
    assert ReplyKind.TEXT in [reply.kind for reply in replies]
    assert world.served[-1] == "acme:home"
    made = [d.action for d in world.sessions.decided[press.session][decided:]]
    assert "pin" not in made
