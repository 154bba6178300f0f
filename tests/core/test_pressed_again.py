"""Between showing and pressing, rights can change: every kind of press asks again who presses (product.md 8)."""

from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import timedelta

import pytest

from core.errors import Failure, FailureReason
from core.messages import Button, Ingress, Reply, ReplyKind, Sender
from core.resolution.rules import AccessRules
from tests.core.knocking import Announced
from tests.world import ALLOWED, DIRECT, OWNER, World, profile

PERSON = "discord:7"
ROLE = "discord:role:70"
CHANNEL = "agent:main:discord:default:channel:5"
PRIVATE = "agent:main:discord:default:direct:7"


class Chat:
    """Somebody on a platform with buttons, let in by what a test takes away again."""

    def __init__(self, key: str, **access: object) -> None:
        self.at = World(profiles=[profile("acme:work"), profile("acme:home"), profile("zeta:me")])
        self.key = key
        self.allow(**access)

    def allow(self, **access: object) -> None:
        owners = frozenset({OWNER})
        self.at.rules = replace(self.at.rules, access=AccessRules(**{"owners": owners, **access}))  # type: ignore[arg-type]

    def says(self, text: str, roles: tuple[str, ...] = ("70",), **changes: object):
        sender = Sender("discord", "7", "Zed", roles)
        return self.at.inbound(text, by=PERSON, key=self.key, sender=sender, rows=25, chat="5", **changes)

    async def press(self, reply: Reply, button: Button, text: str = "", **changes: object) -> list[Reply]:
        inbound = self.says(text, ingress=Ingress.BUTTON, token=reply.token, number=button.n, **changes)
        return await self.at.do(inbound)

    async def last(self, text: str) -> Reply:
        return (await self.at.do(self.says(text)))[-1]

    def stored(self) -> object:
        sessions = {key: one.choices for key, one in self.at.sessions.sessions.items()}
        return sessions, self.at.served, self.at.pairings.requests


def named(reply: Reply, *words: str) -> Button:
    """The first button that leads to one of these."""
    return next(b for b in reply.buttons if any(w in (b.press or b.command) or w in b.label for w in words))


async def picker_step(chat: Chat) -> tuple[Reply, Button, str]:
    reply = await chat.last("/model")
    return reply, named(reply, "/pick models", "/pick providers"), ""


async def picker_choice(chat: Chat) -> tuple[Reply, Button, str]:
    reply = await chat.last("/model list acme")
    (reply,) = await chat.press(reply, named(reply, "/pick credentials"))
    return reply, named(reply, "@acme:home"), ""


async def typed_into_a_question(chat: Chat) -> tuple[Reply, Button, str]:
    reply = await chat.last("/model")
    return reply, next(button for button in reply.buttons if button.asks), "opus"


async def undo_of_a_change(chat: Chat) -> tuple[Reply, Button, str]:
    reply = await chat.last("/model list acme")
    (reply,) = await chat.press(reply, named(reply, "/pick credentials"))
    (reply,) = await chat.press(reply, named(reply, "@acme:home"))
    return reply, named(reply, "undo"), ""


async def keep_after_new(chat: Chat) -> tuple[Reply, Button, str]:
    await chat.last("/model big@home")
    reply = await chat.last("/new")
    return reply, named(reply, "/restore"), ""


async def next_step_of_the_status(chat: Chat) -> tuple[Reply, Button, str]:
    await chat.last("/model big@home")
    reply = await chat.last("/model status")
    return reply, named(reply, "/model auto", "auto"), ""


async def kept_message_of_a_card(chat: Chat) -> tuple[Reply, Button, str]:
    await chat.last("/model big@home")
    until = chat.at.clock.now() + timedelta(minutes=4)
    chat.at.provider.script["acme:home"] = [Failure(reason=FailureReason.RATE_LIMIT, status=429, retry_at=until)]
    reply = await chat.last("a question to keep")
    return reply, named(reply, "acme:work"), ""


Kind = Callable[[Chat], Awaitable[tuple[Reply, Button, str]]]
KINDS = [
    picker_step, picker_choice, typed_into_a_question, undo_of_a_change, keep_after_new, next_step_of_the_status,
    kept_message_of_a_card,
]  # fmt: skip


async def revoked(chat: Chat) -> None:
    await chat.at.pairing.revoke(PERSON, OWNER, chat.at.rules.access)


async def removed(chat: Chat) -> None:
    chat.allow()


async def demoted(chat: Chat) -> None:
    chat.allow(groups=frozenset({"discord:5"}))


async def paired(chat: Chat) -> None:
    reply = await chat.at.pairing.greet(chat.says("hello"), chat.at.rules.access)
    assert reply is not None
    (request,) = await chat.at.pairing.waiting(chat.at.rules.access)
    await chat.at.pairing.approve(request.code, OWNER, chat.at.rules.access)


async def already(chat: Chat) -> None:
    """What the chat was made with is enough."""


LOSSES = [
    pytest.param(CHANNEL, {"allow": frozenset({PERSON})}, already, removed, id="removed from access.allow"),
    pytest.param(CHANNEL, {"owners": frozenset({PERSON})}, already, demoted, id="an owner who is only a member now"),
    pytest.param(CHANNEL, {"allow": frozenset({ROLE})}, already, removed, id="the role is no longer allowed"),
    pytest.param(PRIVATE, {}, paired, revoked, id="pairing revoked"),
]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(("key", "access", "enters", "loses"), LOSSES)
async def test_whoever_lost_their_rights_presses_in_vain(
    kind: Kind,
    key: str,
    access: dict[str, object],
    enters: Callable[..., Awaitable[None]],
    loses: Callable[..., Awaitable[None]],
) -> None:
    chat = Chat(key, **access)
    await enters(chat)
    reply, button, text = await kind(chat)
    await loses(chat)
    before = chat.stored()
    (answer,) = await chat.press(reply, button, text)
    assert (answer.kind, answer.code, answer.private, answer.buttons) == (ReplyKind.ERROR, "not_authorised", True, ())
    assert chat.stored() == before


@pytest.mark.parametrize("kind", KINDS)
async def test_whoever_lost_the_role_presses_in_vain(kind: Kind) -> None:
    chat = Chat(CHANNEL, allow=frozenset({ROLE}))
    reply, button, text = await kind(chat)
    before = chat.stored()
    (answer,) = await chat.press(reply, button, text, roles=("71",))
    assert answer.code == "not_authorised"
    assert chat.stored() == before
    assert [r.code for r in await chat.press(reply, button, text)] != ["not_authorised"], "with the role it works"


@pytest.mark.parametrize("kind", KINDS)
async def test_somebody_else_presses_in_vain(kind: Kind) -> None:
    chat = Chat(CHANNEL, allow=frozenset({PERSON, ALLOWED, "discord:8"}))
    reply, button, text = await kind(chat)
    before = chat.stored()
    pressed = chat.says(text, ingress=Ingress.BUTTON, token=reply.token, number=button.n)
    (answer,) = await chat.at.do(replace(pressed, sender=Sender("discord", "8")))
    assert (answer.code, answer.private) == ("not_authorised", True)
    assert chat.stored() == before


@pytest.mark.parametrize("kind", [picker_choice, undo_of_a_change, keep_after_new, kept_message_of_a_card])
async def test_a_profile_that_was_hidden_meanwhile_cannot_be_pinned_by_pressing(kind: Kind) -> None:
    chat = Chat(CHANNEL, allow=frozenset({PERSON}))
    reply, button, text = await kind(chat)
    for name in ("acme:home", "acme:work"):
        chat.at.credentials.put(profile(name, pin_allow=("owners",)))
    pins = {c.pin.profile for s in chat.at.sessions.sessions.values() for c in s.choices if c.pin is not None}
    answers = await chat.press(reply, button, text)
    after = {c.pin.profile for s in chat.at.sessions.sessions.values() for c in s.choices if c.pin is not None}
    assert after <= pins, "nothing is pinned that was not pinned before"
    told = "\n".join(answer.text for answer in answers if answer.kind is not ReplyKind.TEXT)
    assert "acme:home" not in told


async def test_an_owners_answer_to_a_request_is_checked_too() -> None:
    at = World()
    told = Announced(at)
    key = "agent:main:telegram:default:direct:3"
    await at.do(at.inbound("hello", by="telegram:3", key=key, chat="3"))
    at.rules = replace(at.rules, access=replace(at.rules.access, owners=frozenset(), allow=frozenset({OWNER})))
    for label in ("Approve", "Deny"):
        (answer,) = await told.press(OWNER, label)
        assert answer.code == "not_authorised"
    assert len(await at.pairing.waiting(at.rules.access)) == 1


async def test_a_number_is_a_press_too() -> None:
    at = World()
    await at.do(at.inbound("/model list acme", by=ALLOWED, key=DIRECT))
    at.rules = replace(at.rules, access=replace(at.rules.access, allow=frozenset()))
    assert await at.do(at.inbound("/model 1", by=ALLOWED, key=DIRECT)) == []
    assert not at.sessions.sessions
