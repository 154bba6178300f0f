"""To somebody who may not pin it, a profile answers exactly like one that does not exist (product.md 8).

Everything that is sent is looked through for the id, the label, the account and the fingerprint of a profile that the person may
not see, in situations where it is pinned, out, excluded, expired, serves, fails and has been undone by those who may.
"""

import json
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from adapters.terminal.inbound import Speaker
from core.auth.profiles import AuthProfile, CredentialKind
from core.errors import Failure, FailureReason
from core.messages import Event, Ingress, Reply, Sender, TurnReport, reply_to_json
from core.sessions.key import SessionKey
from tests.core.announcing import AnnouncingWorld
from tests.fakes.clock import START
from tests.world import ALLOWED, DIRECT, GROUP, OWNER, World, profile

NAME = "acme:vault-77"
WORDS = ("vault-77", "Boardroom", "board-inc", "f1ngerpr1nt")
THREAD = f"{GROUP}:thread:5"
OWN = "agent:main:telegram:default:direct:2"
MOST_PRESSES = 25
LIMITED = FailureReason.RATE_LIMIT
Situation = Callable[[World, str], Awaitable[None]]


def hidden(**changes: Any) -> AuthProfile:
    given = {"label": "Boardroom", "account": "board-inc", "fingerprint": "f1ngerpr1nt", "pin_allow": ("owners",)}
    return profile(NAME, **{**given, **changes})


def found_in(events: list[Event], *more: object) -> set[str]:
    """Which of the words stand in what was sent. What buttons do stays on our side."""
    sent: list[object] = list(more)
    for event in events:
        if not isinstance(event, Reply):
            # The machine's account of a turn is printed on the host only, to whoever can read the store.
            sent += [] if isinstance(event, TurnReport) else [repr(event)]
            continue
        told = reply_to_json(event)
        told["buttons"] = [{k: v for k, v in b.items() if k not in ("command", "press")} for b in told["buttons"]]
        sent.append(json.dumps(told, default=str))
    text = "\n".join(map(str, sent)).lower()
    return {word for word in WORDS if word.lower() in text}


async def nothing(at: World, key: str) -> None:
    """It is only there."""


async def pinned(at: World, key: str) -> None:
    await at.do(at.inbound(f"/model big@{NAME}", key=key))


async def pinned_softly_and_serves(at: World, key: str) -> None:
    await at.do(at.inbound(f"/model @{NAME} prefer", key=key))
    await at.do(at.inbound("hi", key=key))
    await at.do(at.inbound("/usage full", key=key))


async def pinned_and_out(at: World, key: str) -> None:
    await pinned(at, key)
    at.provider.script[NAME] = [Failure(reason=LIMITED, status=429, retry_at=at.clock.now() + timedelta(minutes=4))]
    await at.do(at.inbound("hi", key=key))


async def pinned_and_undone(at: World, key: str) -> None:
    await pinned(at, key)
    await at.do(at.inbound("/model undo", key=key))


async def pinned_for_a_while_that_is_over(at: World, key: str) -> None:
    await at.do(at.inbound(f"/model @{NAME} for 1m", key=key))
    at.wait(minutes=2)


async def fails_before_another_serves(at: World, key: str) -> None:
    at.provider.script[NAME] = [LIMITED, FailureReason.AUTH_PERMANENT, LIMITED]
    await at.do(at.inbound("hi", key=key))


async def everything_is_out(at: World, key: str) -> None:
    for name in (NAME, "acme:work", "acme:home"):
        at.provider.script[name] = [FailureReason.BILLING] * 9
    await at.do(at.inbound("hi", key=key))


SITUATIONS = [
    nothing, pinned, pinned_softly_and_serves, pinned_and_out, pinned_and_undone, pinned_for_a_while_that_is_over,
    fails_before_another_serves, everything_is_out,
]  # fmt: skip
SAID = [
    "/model", "/model list", "/model list acme", "/model status", "/status", "/model why", "/usage", "/usage all",
    "/usage full", "hello there", "/help", "/whoami", "/new", "/model undo", "/model auto", "/model default", "/stop",
    "/model big", "/model big@nope", "/model @work", "/model acme/nope", "/model list boar", "/models vaul",
    "/new big@nope hello", "/model 1", "/model 99", "/compact", "/model zeta/opus-1@work", "/model big strict",
]  # fmt: skip
TYPED = ["", "@", "big@", "acme", "big@acme:", "auto", "a", "acme/large@", "big for", "acme/large@acme:"]


async def walk(at: World, reply: Reply, key: str, rows: int, by: str = ALLOWED) -> AsyncIterator[list[Event]]:
    """What every button says, and every button of that."""
    open_, seen, presses = [reply], set[tuple[str, str]](), 0
    while open_ and presses < MOST_PRESSES:
        shown = open_.pop(0)
        for button in shown.buttons:
            name = (button.press or button.command, button.label)
            if name in seen or presses >= MOST_PRESSES:
                continue
            seen.add(name)
            presses += 1
            inbound = at.inbound("", by=by, key=key, ingress=Ingress.BUTTON, token=shown.token, number=button.n)
            open_ += await at.do(replace(inbound, rows=rows))
            yield at.events


@pytest.mark.parametrize("rows", [0, 8])
@pytest.mark.parametrize("key", [OWN, GROUP, THREAD])
@pytest.mark.parametrize("situation", SITUATIONS)
async def test_nothing_that_is_sent_shows_it(situation: Situation, key: str, rows: int) -> None:
    at = World(profiles=[hidden(), profile("acme:work"), profile("acme:home"), profile("zeta:me")])
    if key == OWN:
        at.rules = replace(at.rules, dm_scope="main")
    await situation(at, GROUP if key == THREAD else key)
    at.provider.script[NAME] += ["what a model says is its own"] * 99
    for text in SAID:
        await at.do(replace(at.inbound(text, by=ALLOWED, key=key), rows=rows))
        assert found_in(at.events) == set(), text
        for reply in [event for event in at.events if isinstance(event, Reply) and event.buttons]:
            async for events in walk(at, reply, key, rows):
                assert found_in(events) == set(), text
    for typed in TYPED:
        inbound = at.inbound(typed, by=ALLOWED, key=key, ingress=Ingress.SUGGEST)
        assert found_in([], await at.gateway.suggest(inbound)) == set(), typed


OWNERS_SAY = [
    *SAID, f"/model big@{NAME}", f"/model @{NAME}", "/model big@vault-77 for 1h", f"/model opus@{NAME}", "/model why",
    f"/model nope@{NAME}", f"/new big@{NAME} hello", f"use /model big@{NAME} for this", "/model prefer",
]  # fmt: skip


@pytest.mark.parametrize("rows", [0, 8])
@pytest.mark.parametrize("key", [GROUP, THREAD])
@pytest.mark.parametrize("situation", SITUATIONS)
async def test_what_an_owner_is_told_in_a_shared_chat_does_not_show_it_to_those_who_read_along(
    situation: Situation, key: str, rows: int
) -> None:
    at = World(profiles=[hidden(), profile("acme:work"), profile("acme:home"), profile("zeta:me")])
    await situation(at, GROUP if key == THREAD else key)
    assert found_in(at.events) == set()
    at.provider.script[NAME] += ["what a model says is its own"] * 99
    for text in OWNERS_SAY:
        await at.do(replace(at.inbound(text, key=key), rows=rows))
        assert found_in(at.events) == set(), text
        for reply in [event for event in at.events if isinstance(event, Reply) and event.buttons]:
            async for events in walk(at, reply, key, rows, OWNER):
                assert found_in(events) == set(), text


async def test_an_owner_may_pin_it_by_name_in_a_shared_chat_and_it_serves() -> None:
    at = World(profiles=[hidden(), profile("acme:work")])
    reply = await at.say(f"/model big@{NAME}", key=GROUP)
    assert "Now big (acme/large) with hidden, pinned strict." in reply.text
    await at.say("hello", key=GROUP)
    assert at.served == [NAME]


async def test_an_answer_for_the_senders_eyes_only_shows_an_owner_what_is_theirs_and_a_change_is_told_to_all() -> None:
    at = World(profiles=[hidden(), profile("acme:work")])
    picker = await at.say("/model", key=GROUP, rows=8, unseen=True)
    (step,) = await at.press(picker, "big", key=GROUP, rows=8, unseen=True)
    assert found_in([step]) >= {"vault-77", "Boardroom"}
    (told,) = await at.press(step, NAME, key=GROUP, rows=8, unseen=True)
    assert told.shared
    assert found_in([told]) == set()
    assert "with hidden, pinned strict" in told.text
    card = await at.say("/model status", key=GROUP, rows=8, unseen=True)
    assert found_in([card]) >= {"vault-77", "f1ngerpr1nt"}


async def test_a_number_from_a_list_that_only_its_owner_saw_chooses_though_others_read_the_answer() -> None:
    at = World(profiles=[hidden(), profile("acme:work")])
    picker = await at.say("/model", key=GROUP, rows=8, unseen=True)
    (step,) = await at.press(picker, "big", key=GROUP, rows=8, unseen=True)
    number = next(button.n for button in step.buttons if button.label.startswith(NAME))
    told = await at.say(f"/model {number}", key=GROUP, rows=8)
    assert "with hidden, pinned strict" in told.text


async def test_a_turn_that_a_press_begins_is_for_everybody() -> None:
    at = World(profiles=[hidden(), profile("acme:work")])
    await pinned_and_out(at, GROUP)
    card = next(event for event in at.events if isinstance(event, Reply) and event.buttons)
    at.wait(minutes=5)
    at.provider.script[NAME] = [FailureReason.AUTH_PERMANENT]
    await at.press(card, "Try again", key=GROUP, unseen=True)
    assert [event.code for event in at.events if isinstance(event, Reply)] == ["pinned_unavailable"]
    assert found_in(at.events) == set()


async def test_a_terminal_shows_an_owner_everything_whatever_chat_it_looks_at() -> None:
    at = World(profiles=[hidden(), profile("acme:work")])
    line = Speaker(sender=Sender("telegram", "1"), session=SessionKey.parse(GROUP))
    await at.do(line.says(f"/model @{NAME}"))
    assert "vault-77" in found_in(at.events)
    await at.do(line.says("/model status"))
    assert found_in(at.events) >= {"vault-77", "f1ngerpr1nt"}


@pytest.mark.parametrize(
    "asked", ["/model big@{}", "/model @{}", "/model {}", "/new big@{} hello", "use /model big@{}"]
)
async def test_naming_it_is_answered_as_naming_nothing(asked: str) -> None:
    """The same words come back, and nothing else tells the two apart."""
    with_it = World(profiles=[hidden(), profile("acme:work")])
    without = World(profiles=[profile("acme:work")])
    answers = []
    for at in (with_it, without):
        replies = await at.do(at.inbound(asked.format(NAME), by=ALLOWED, key=OWN))
        answers.append([(r.kind, r.code, r.text, [b.label for b in r.buttons]) for r in replies])
        assert all(reply.code or reply.kind for reply in replies)
    if "served-by" not in str(answers):
        assert answers[0] == answers[1]
    assert not with_it.sessions.session(with_it.inbound("", key=OWN).session).choices or "new" in asked


@pytest.mark.parametrize("rows", [0, 8])
async def test_the_search_finds_it_where_it_may_be_seen(rows: int) -> None:
    at = World(profiles=[hidden(), profile("acme:work")])
    await pinned(at, DIRECT)
    await at.do(replace(at.inbound("/model status"), rows=rows))
    assert found_in(at.events) >= {"vault-77", "Boardroom"}


@pytest.mark.parametrize("kind", [CredentialKind.TOKEN, CredentialKind.OAUTH])
async def test_what_is_announced_to_somebody_who_may_no_longer_see_it_does_not_show_it(kind: CredentialKind) -> None:
    """They pinned it while they could; then it is hidden from them, ends, goes out, comes back, expires, and is deleted."""
    ends = int((START + timedelta(hours=2)).timestamp() * 1000)
    seen = hidden(kind=kind, expires=ends, pin_allow=None)
    at = AnnouncingWorld(profiles=[seen, profile("acme:work"), profile("acme:home")])
    for key in (OWN, GROUP):
        await at.do(at.inbound(f"/model @{NAME} for 1m", by=ALLOWED, key=key))
    at.credentials.put(replace(seen, pin_allow=("owners",)))
    at.wait(minutes=2)
    assert len(await at.look()) >= 2, "the end of both was told"
    at.credentials.put(seen)
    for key in (OWN, GROUP):
        await at.do(at.inbound(f"/model @{NAME}", by=ALLOWED, key=key))
        at.provider.script[NAME] = [Failure(reason=LIMITED, status=429, retry_at=at.clock.now() + timedelta(minutes=4))]
        await at.do(at.inbound("hi", by=ALLOWED, key=key))
    at.credentials.put(replace(seen, pin_allow=("owners",)))
    at.wait(minutes=10)
    await at.look()
    shared = [reply for lane, reply in at.said if lane != "person:1"]
    assert found_in(list(shared)) == set()
    assert found_in([reply for lane, reply in at.said if lane == "person:1"]) > set(), "owners are told by name"


async def test_a_thread_that_inherits_a_hidden_pin_can_choose_for_itself_and_undo_names_nothing() -> None:
    at = World(profiles=[hidden(), profile("acme:work")])
    await pinned(at, GROUP)
    (reply,) = await at.do(at.inbound("/model acme/small", by=ALLOWED, key=THREAD))
    assert reply.code is None
    assert found_in(at.events) == set()
    assert [choice.pin for choice in at.sessions.session(at.inbound("", key=THREAD).session).choices] == [None]
    await at.do(at.inbound("/model auto", key=GROUP))
    (reply,) = await at.do(at.inbound("/model undo", by=ALLOWED, key=GROUP))
    assert reply.code == "profile_not_found"
    assert found_in(at.events) == set()
