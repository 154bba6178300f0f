"""`/new [ref] [text]`: a new conversation, with what is named, and what to ask first."""

import asyncio
from dataclasses import replace

import pytest

from core.commands.new import split_new
from core.messages import Reply, ReplyKind, Sender
from core.resolution.rules import OnReset
from core.sessions.key import SessionKey
from tests.fakes.provider_client import Held
from tests.world import ALLOWED, DIRECT, World, profile, provider, rules


def minimax(*more: str) -> World:
    """The installation of the reference's vectors."""
    found = rules(
        provider("minimax", "MiniMax-M2.1", *more, aliases={"MiniMax-M2.1": "max"}),
        provider("zeta", "opus-1", "sonnet-1", aliases={"opus-1": "opus"}),
        provider("openly", "listed", is_open=True),
        default="zeta/sonnet-1",
    )
    return World(rules=found, profiles=[profile("minimax:work"), profile("zeta:me"), profile("zeta:you")])


def split(world: World, argument: str) -> tuple[str, str]:
    return split_new(world.snapshots.take(SessionKey.parse(DIRECT)), Sender("telegram", "1"), argument)


def asked(world: World) -> list[str]:
    return [m.text for m in world.provider.requests[-1].messages]


def stands(world: World) -> tuple[str, str | None]:
    found = world.resolution()
    return str(found.selected.ref), found.pinned.profile if found.pinned and found.pinned.pin else None


@pytest.mark.parametrize(
    ("argument", "expected"),
    [
        pytest.param("minimax m2.1 hello", ("minimax/m2.1", "hello"), id="V130: provider and model, two words"),
        pytest.param("hi", ("", "hi"), id="V130: no model"),
        pytest.param("", ("", ""), id="nothing"),
        pytest.param("opus", ("opus", ""), id="an alias"),
        pytest.param("OPUS hello there", ("OPUS", "hello there"), id="an alias in any case"),
        pytest.param("zeta/opus-1 hello", ("zeta/opus-1", "hello"), id="provider/model"),
        pytest.param("opus-1 hello", ("opus-1", "hello"), id="a model's id"),
        pytest.param("openly/anything hello", ("openly/anything", "hello"), id="any id of an open provider"),
        pytest.param("openly anything hello", ("openly", "anything hello"), id="words are no id of an open provider"),
        pytest.param("opus@me hello", ("opus@me", "hello"), id="with a profile"),
        pytest.param("opus@nope hello", ("opus@nope", "hello"), id="a model with an unknown profile is an error later"),
        pytest.param("opuss@me hello", ("opuss@me", "hello"), id="a profile with an unknown model too"),
        pytest.param("zeta opus@me hello", ("zeta/opus@me", "hello"), id="two words and a profile"),
        pytest.param("@zeta:me hello", ("@zeta:me", "hello"), id="a profile alone"),
        pytest.param("@bob hello", ("", "@bob hello"), id="a mention"),
        pytest.param("bob@example.com wrote", ("", "bob@example.com wrote"), id="an address"),
        pytest.param("minimax", ("minimax", ""), id="a provider that has one model"),
        pytest.param("minimax hello", ("minimax", "hello"), id="a provider that has one model, and a word"),
        pytest.param("sonnet hello", ("sonnet", "hello"), id="near to one, and long enough"),
        pytest.param("opu hello", ("", "opu hello"), id="near, but short"),
        pytest.param("opus, please", ("", "opus, please"), id="no word of its own"),
        pytest.param("opus\nsecond line\n\nthird", ("opus", "second line\n\nthird"), id="the message keeps its lines"),
        pytest.param("hello\n/model opus", ("", "hello\n/model opus"), id="a model further down"),
        pytest.param('"opus" hello', ('"opus"', "hello"), id="in quotes"),
        pytest.param('"what is this', ("", '"what is this'), id="quotes that do not end"),
        pytest.param(": hello", ("", ": hello"), id="a colon"),
        pytest.param("99 bottles", ("", "99 bottles"), id="a number"),
        pytest.param("list all of them", ("", "list all of them"), id="a reserved word"),
        pytest.param("default settings?", ("", "default settings?"), id="another one"),
        pytest.param("/etc/passwd what is it", ("", "/etc/passwd what is it"), id="a path"),
        pytest.param("und/oder", ("", "und/oder"), id="a slash in a word"),
        pytest.param("zeta functions are hard", ("", "zeta functions are hard"), id="a provider's name in a sentence"),
    ],
)
def test_leading_words_that_name_a_model_are_cut_off(argument: str, expected: tuple[str, str]):
    assert split(minimax(), argument) == expected


class TestNew:
    async def say(self, world: World, text: str, **where: object) -> list[Reply]:
        return await world.do(world.inbound(text, **where))

    async def test_a_named_model_serves_the_new_conversation_and_the_message_is_asked(self):
        world = minimax()
        await world.say("something old")
        told, answer = await self.say(world, "/new minimax m2.1 hello")
        assert told.text.splitlines() == [
            "New conversation. The history is gone.",
            "'minimax/m2.1' was read as minimax/MiniMax-M2.1.",
            "Now max (minimax/MiniMax-M2.1); the credential is chosen automatically.",
        ]
        assert answer.text == "served-by:minimax:work"
        assert asked(world) == ["hello"]
        assert stands(world) == ("minimax/MiniMax-M2.1", None)

    async def test_without_a_model_the_words_are_the_first_message(self):
        world = minimax()
        await world.say("something old")
        told, _ = await self.say(world, "/new hi there")
        assert told.text == "New conversation. The history is gone. Model as before: zeta/sonnet-1 (default)."
        assert asked(world) == ["hi there"]

    async def test_a_credential_is_pinned_with_it(self):
        world = minimax()
        (told,) = await self.say(world, "/new opus@you")
        assert "Now opus (zeta/opus-1) with zeta:you, pinned strict." in told.text
        assert stands(world) == ("zeta/opus-1", "zeta:you")
        assert world.served == []

    async def test_what_stood_before_is_named_and_undo_brings_it_back(self):
        world = minimax()
        await world.say("/model opus@me")
        (told,) = await self.say(world, "/new max")
        assert "Released: zeta/opus-1@zeta:me. /model undo brings that back." in told.text
        await world.say("/model undo")
        assert stands(world) == ("zeta/opus-1", "zeta:me")

    async def test_where_reset_keeps_a_fitting_pin_stays_and_that_is_said(self):
        world = minimax()
        world.rules = replace(world.rules, on_reset=OnReset.KEEP)
        await world.say("/model opus@me")
        (told,) = await self.say(world, "/new sonnet-1")
        assert "The pin is kept; before it was zeta/opus-1@zeta:me." in told.text
        assert stands(world) == ("zeta/sonnet-1", "zeta:me")

    @pytest.mark.parametrize(
        ("text", "code"),
        [
            ("/new opus@nope hello", "profile_not_found"),
            ("/new opus@minimax:work hello", "profile_wrong_provider"),
            ("/new opusss@me hello", "model_unknown"),
            ("/new zeta", "model_ambiguous"),
        ],
    )
    async def test_what_cannot_be_chosen_leaves_everything_as_it_is(self, text: str, code: str):
        world = minimax()
        await world.say("something old")
        (refused,) = await self.say(world, text)
        assert (refused.kind, refused.code) == (ReplyKind.ERROR, code)
        assert len(world.served) == 1, "the message is not asked of another model"
        await world.say("again")
        assert asked(world)[0] == "something old"

    async def test_a_model_that_the_policy_forbids_is_refused(self):
        world = minimax()
        main = replace(world.rules.agents["main"], allow=("zeta/*",))
        world.rules = replace(world.rules, agents={"main": main})
        for text in ("/new minimax/MiniMax-M2.1 hi", "/new minimax MiniMax-M2.1 hi"):
            assert (await world.say(text)).code == "model_not_allowed"
        assert world.served == []

    async def test_a_fixed_session_begins_no_conversation_with_another_model(self):
        world = minimax()
        world.rules = replace(world.rules, locked=frozenset({DIRECT}))
        await world.say("something old")
        assert (await world.say("/new opus hi")).code == "selection_locked"
        await world.say("again")
        assert asked(world)[0] == "something old"

    async def test_of_several_models_of_a_provider_one_can_be_pressed(self):
        world = minimax()
        (which,) = await self.say(world, "/new zeta")
        assert {button.label for button in which.buttons} == {"zeta/opus-1", "zeta/sonnet-1"}
        await world.press(which, "zeta/opus-1")
        assert stands(world) == ("zeta/opus-1", None)

    async def test_it_is_one_decision(self):
        world = minimax()
        await self.say(world, "/new opus@me")
        (decision,) = world.sessions.decided[SessionKey.parse(DIRECT)]
        assert (decision.action, decision.before, decision.after, decision.reason) == (
            "reset", "zeta/sonnet-1 (default)", "zeta/opus-1@zeta:me", "/new opus@zeta:me",
        )  # fmt: skip

    async def test_the_answer_that_is_being_given_does_not_enter_the_new_conversation(self):
        world = minimax()
        world.provider.script["zeta:me"] = [held := Held("an old answer")]
        turn = asyncio.create_task(self.say(world, "old question"))
        await asyncio.wait_for(held.started.wait(), 5)
        begun = asyncio.create_task(self.say(world, "/new opus hello"))
        await asyncio.sleep(0)
        held.release.set()
        await asyncio.gather(turn, begun)
        assert asked(world) == ["hello"]

    async def test_reset_is_the_same_command(self):
        world = minimax()
        await self.say(world, "/reset opus hello")
        assert stands(world)[0] == "zeta/opus-1"
        assert asked(world) == ["hello"]

    async def test_a_member_who_may_not_command_begins_nothing(self):
        world = minimax()
        assert await self.say(world, "/new opus hello", by="telegram:9") == []
        assert world.served == []

    async def test_a_hidden_profile_is_not_found(self):
        world = minimax()
        world.credentials.put(profile("zeta:me", pin_allow=("owners",)))
        refused = await world.say("/new opus@me", by=ALLOWED, key="agent:main:telegram:default:direct:2")
        assert refused.code == "profile_not_found"
        assert "You may pin: zeta:you." in refused.text


@pytest.mark.parametrize("options", ["for 2h", "once"])
async def test_options_after_a_model_and_nothing_else_belong_to_the_choice(options: str) -> None:
    world = World()
    told = await world.say(f"/new big {options}")
    assert world.served == []
    assert "acme/large" in told.text
    assert "; then acme/small (default) again." in told.text
    current = world.sessions.session(world.inbound("").session).current(world.clock.now())
    assert current is not None
    assert current.is_temporary


async def test_what_only_begins_like_an_option_is_a_message() -> None:
    world = World()
    await world.say("/new big once upon a time")
    assert world.provider.requests[-1].messages[-1].text == "once upon a time"


@pytest.mark.parametrize("word", ["default", "status", "auto", "List"])
async def test_a_word_of_model_alone_is_no_message(word: str) -> None:
    world = World()
    assert (await world.say(f"/new {word}")).code == "usage"
    assert world.served == []
