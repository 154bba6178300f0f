"""Who may do what, where: the whole table (product.md 8)."""

import itertools
from dataclasses import replace

import pytest

from core.access import Action, Verdict, decide
from core.messages import Inbound, Ingress, Place, ReplyKind, Sender
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
    (Ingress.BUTTON, Action.CHAT): (YES, YES, NO, YES, NO),
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


def test_a_deletion_without_an_author_is_carried_out_and_nothing_else_is_done_without_one() -> None:
    for ingress, action in itertools.product(Ingress, Action):
        inbound = World().inbound("x", by="discord:", key="agent:main:discord:default:channel:5", ingress=ingress)
        allowed = decide(inbound, action, LISTED) is Verdict.ALLOW
        assert allowed is (ingress is Ingress.DELETION)


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


ROLE_7 = replace(LISTED, allow=frozenset({ALLOWED, "discord:role:7"}))
CHANNEL = "agent:main:discord:default:channel:5"


def member(*roles: str, direct: bool = False) -> Inbound:
    key = "agent:main:discord:default:direct:9" if direct else CHANNEL
    place = Place(direct=direct, ids=() if direct else ("discord:5", "discord:88"))
    return World().inbound("x", by="discord:9", key=key, place=place, sender=Sender("discord", "9", "7", roles))


@pytest.mark.parametrize("action", Action)
@pytest.mark.parametrize("ingress", Ingress)
def test_a_member_with_an_allowed_role_may_what_an_allowed_person_may(ingress: Ingress, action: Action) -> None:
    wanted = decide(replace(member(), ingress=ingress, sender=Sender("telegram", "2")), action, ROLE_7)
    assert decide(replace(member("3", "7"), ingress=ingress), action, ROLE_7) is wanted
    assert wanted is Verdict.ALLOW
    for without in (member(), member("3", "77"), member("7", direct=True)):
        assert decide(replace(without, ingress=ingress), action, ROLE_7) is not Verdict.ALLOW


@pytest.mark.parametrize("key", [GROUP, "agent:main:telegram:default:group:-200:thread:9"])
def test_who_is_paired_may_everything_in_private_and_nothing_more_elsewhere(key: str) -> None:
    paired = replace(LISTED, paired=frozenset({STRANGER}))
    for ingress, action in itertools.product(Ingress, Action):
        assert decide(World().inbound("x", by=STRANGER, ingress=ingress), action, paired) is Verdict.ALLOW
        shared = World().inbound("x", by=STRANGER, key=key, ingress=ingress)
        assert decide(shared, action, paired) is decide(shared, action, LISTED)
