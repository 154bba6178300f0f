"""Who may do what, where: the whole table (product.md 8)."""

import itertools
from dataclasses import replace

import pytest

from core.access import Action, Verdict, decide
from core.messages import Ingress, Place, ReplyKind
from core.resolution.rules import AccessRules
from tests.world import ALLOWED, DIRECT, GROUP, OWNER, STRANGER, World, rules

LISTED = AccessRules(
    owners=frozenset({OWNER}), allow=frozenset({ALLOWED}), groups=frozenset({"telegram:-100", "discord:77"})
)
YES, SILENCE, NO = Verdict.ALLOW, Verdict.IGNORE, Verdict.REFUSE
EXPECTED = {
    # (ingress, action): owner, allowed, stranger in private, stranger in a listed group, stranger in another group
    (Ingress.MESSAGE, Action.CHAT): (YES, YES, SILENCE, YES, SILENCE),
    (Ingress.MESSAGE, Action.COMMAND): (YES, YES, SILENCE, SILENCE, SILENCE),
    (Ingress.COMMAND, Action.CHAT): (YES, YES, NO, NO, NO),
    (Ingress.COMMAND, Action.COMMAND): (YES, YES, NO, NO, NO),
    (Ingress.BUTTON, Action.CHAT): (YES, YES, NO, NO, NO),
    (Ingress.BUTTON, Action.COMMAND): (YES, YES, NO, NO, NO),
    (Ingress.SUGGEST, Action.CHAT): (YES, YES, SILENCE, SILENCE, SILENCE),
    (Ingress.SUGGEST, Action.COMMAND): (YES, YES, SILENCE, SILENCE, SILENCE),
    (Ingress.EDIT, Action.CHAT): (YES, YES, SILENCE, YES, SILENCE),
    (Ingress.EDIT, Action.COMMAND): (YES, YES, SILENCE, SILENCE, SILENCE),
    (Ingress.DELETION, Action.CHAT): (YES, YES, SILENCE, YES, SILENCE),
    (Ingress.DELETION, Action.COMMAND): (YES, YES, SILENCE, SILENCE, SILENCE),
}


@pytest.mark.parametrize(("ingress", "action"), list(itertools.product(Ingress, Action)))
def test_every_cell_of_the_table(ingress: Ingress, action: Action) -> None:
    who = [(OWNER, DIRECT), (ALLOWED, DIRECT), (STRANGER, DIRECT), (STRANGER, GROUP), (STRANGER, GROUP[:-1] + "1")]
    world = World()
    verdicts = tuple(decide(world.inbound("x", by=by, key=key, ingress=ingress), action, LISTED) for by, key in who)
    assert verdicts == EXPECTED[ingress, action]


def test_an_empty_configuration_allows_nobody() -> None:
    for ingress, action in itertools.product(Ingress, Action):
        inbound = World().inbound("x", ingress=ingress)
        assert decide(inbound, action, AccessRules()) is not Verdict.ALLOW


def test_a_group_message_needs_a_mention_and_a_command_does_not() -> None:
    inbound = World().inbound("x", key=GROUP, mentioned=False)
    assert decide(inbound, Action.CHAT, LISTED) is Verdict.IGNORE
    assert decide(inbound, Action.COMMAND, LISTED) is Verdict.ALLOW
    assert decide(replace(inbound, mentioned=True), Action.CHAT, LISTED) is Verdict.ALLOW


def test_a_terminal_gets_an_answer_where_a_chat_gets_silence() -> None:
    inbound = World().inbound("x", by="terminal:guest", key="agent:main:terminal:default:direct:guest")
    assert decide(inbound, Action.CHAT, LISTED) is Verdict.REFUSE


def test_the_same_number_on_another_platform_is_somebody_else() -> None:
    inbound = World().inbound("x", by="discord:1", key="agent:main:discord:default:direct:1")
    assert decide(inbound, Action.CHAT, LISTED) is Verdict.IGNORE


def test_a_guild_lists_its_channels() -> None:
    place = Place(direct=False, ids=("discord:5", "discord:77"))
    inbound = World().inbound("x", by="discord:9", key="agent:main:discord:default:channel:5", place=place)
    assert decide(inbound, Action.CHAT, LISTED) is Verdict.ALLOW


async def test_unauthorised_text_is_ignored_and_native_ways_get_a_private_refusal() -> None:
    world = World(rules=replace(rules(), access=LISTED))
    for text in ("hi", "/model big", "/modle big", "/new"):
        assert await world.do(world.inbound(text, by=STRANGER)) == []
    for ingress in (Ingress.COMMAND, Ingress.BUTTON):
        (reply,) = await world.do(world.inbound("/model big", by=STRANGER, ingress=ingress))
        assert (reply.kind, reply.code, reply.private) == (ReplyKind.ERROR, "not_authorised", True)
    assert not world.sessions.sessions
    assert not world.served


async def test_a_member_of_a_listed_group_chats_but_does_not_command() -> None:
    world = World(rules=replace(rules(), access=LISTED))
    assert (await world.say("hi", by=STRANGER, key=GROUP)).text.startswith("served-by")
    assert await world.do(world.inbound("/model big", by=STRANGER, key=GROUP)) == []
    assert await world.do(world.inbound("use /model big now", by=STRANGER, key=GROUP)) != []
    assert not world.sessions.decided.get(world.inbound("", key=GROUP).session)


async def test_suggestions_are_for_whom_may_command() -> None:
    world = World()
    offered = await world.gateway.suggest(world.inbound("big@", ingress=Ingress.SUGGEST))
    assert [s.command for s in offered] == ["big@acme:work", "big@acme:home"]
    assert "ready" in offered[0].label
    assert await world.gateway.suggest(world.inbound("big@", ingress=Ingress.SUGGEST, by=STRANGER)) == ()


async def test_removal_is_seen_by_the_next_message() -> None:
    world = World()
    assert (await world.say("hi", by=ALLOWED)).text
    world.rules = replace(world.rules, access=AccessRules(owners=frozenset({OWNER})))
    assert await world.do(world.inbound("hi", by=ALLOWED)) == []
