"""Completions after `/model`: what fits best comes first, with its state; nothing that the asker may not see."""

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.messages import Ingress
from core.models.match import Nearness, Typed, is_misspelt
from tests.core.test_picker_walk import HIDDEN, worlds
from tests.world import ALLOWED, World, profile, provider, rules


async def offered(world: World, typed: str, **where: object) -> list[str]:
    inbound = world.inbound(typed, ingress=Ingress.SUGGEST, **where)  # type: ignore[arg-type]
    return [one.command for one in await world.gateway.suggest(inbound)]


async def labels(world: World, typed: str, **where: object) -> list[str]:
    inbound = world.inbound(typed, ingress=Ingress.SUGGEST, **where)  # type: ignore[arg-type]
    return [one.label for one in await world.gateway.suggest(inbound)]


CLAUDE = rules(
    provider(
        "anthropic",
        "claude-opus-4-5",
        "claude-sonnet-4-5",
        "claude-haiku-4-5",
        aliases={"claude-sonnet-4-5": "sonnet"},
    ),
    provider("acme", "opus", "gpt-4o-mini", "sonata", "my-opus"),
    default="acme/opus",
)


def claude() -> World:
    return World(rules=CLAUDE, profiles=[profile("anthropic:work"), profile("anthropic:home"), profile("acme:me")])


@pytest.mark.parametrize(
    ("typed", "first"),
    [
        pytest.param(
            "opus", ["acme/opus", "acme/opus@acme:me", "anthropic/claude-opus-4-5", "acme/my-opus"], id="exact"
        ),
        pytest.param("op", ["acme/opus", "anthropic/claude-opus-4-5", "acme/my-opus"], id="begins, then a word"),
        pytest.param("son", ["sonnet", "acme/sonata"], id="an alias before a ref"),
        pytest.param("aiku", ["anthropic/claude-haiku-4-5"], id="contained"),
        pytest.param("sonet", ["sonnet"], id="a missing letter"),
        pytest.param("clade opus", ["anthropic/claude-opus-4-5"], id="two words, one misspelt"),
        pytest.param("hiaku", ["anthropic/claude-haiku-4-5"], id="swapped letters"),
        pytest.param("ANTHROPIC/claude-h", ["anthropic/claude-haiku-4-5"], id="any case"),
        pytest.param("sonnet@", ["sonnet@anthropic:work", "sonnet@anthropic:home"], id="credentials of a model"),
        pytest.param("sonnet@ho", ["sonnet@anthropic:home"], id="by its short name"),
        pytest.param("claude-opus-4-5@wrok", ["anthropic/claude-opus-4-5@anthropic:work"], id="a misspelt credential"),
        pytest.param("sonet@home", ["sonnet@anthropic:home"], id="a misspelt model with a credential"),
        pytest.param("@", ["@acme:me"], id="of the current model"),
        pytest.param("/model son", ["sonnet"], id="the command itself may be there"),
        pytest.param("undo", ["undo"], id="a word"),
        pytest.param("de", ["default"], id="the beginning of a word"),
    ],
)
async def test_the_nearest_come_first(typed: str, first: list[str]) -> None:
    assert (await offered(claude(), typed))[: len(first)] == first


async def test_what_answered_most_here_comes_first_among_equals() -> None:
    world = claude()
    assert (await offered(world, "claude"))[0] == "sonnet"
    await world.say("/model claude-haiku-4-5@home")
    for _ in range(3):
        await world.say("hi")
    await world.say("/model claude-opus-4-5")
    await world.say("hi")
    assert (await offered(world, "claude"))[:3] == ["anthropic/claude-haiku-4-5", "anthropic/claude-opus-4-5", "sonnet"]
    assert (await offered(world, "claude-haiku-4-5@"))[0] == "anthropic/claude-haiku-4-5@anthropic:home"


async def test_labels_say_the_state_and_what_is_in_force() -> None:
    world = claude()
    await world.say("/model sonnet@work")
    found = await labels(world, "sonnet")
    assert found[:3] == [
        "sonnet = anthropic/claude-sonnet-4-5 · ready · now",
        "sonnet@anthropic:work · ready · pinned",
        "sonnet@anthropic:home · ready",
    ]
    assert (await labels(world, "auto"))[0] == "auto · no pin: the credential is chosen automatically"


async def test_before_anything_is_typed_there_is_some_of_everything() -> None:
    names = [f"m{n:03}" for n in range(100)]
    world = World(rules=rules(provider("acme", *names), default="acme/m000"), profiles=[profile("acme:work")])
    found = await offered(world, "")
    assert len(found) == 25
    assert {"acme/m000", "@acme:work", "auto", "undo", "status"} <= set(found)
    assert "strict" not in found, "nothing is pinned"
    await world.say("/model @work")
    assert "prefer" in await offered(world, "")


@pytest.mark.parametrize(
    ("typed", "found"),
    [
        pytest.param("sonnet ", ["sonnet once", "sonnet for 2h", "sonnet for 1d"], id="a model"),
        pytest.param("sonnet fo", ["sonnet for 2h", "sonnet for 1d"], id="begun"),
        pytest.param(
            "sonnet@work ",
            [f"sonnet@work {word}" for word in ("strict", "prefer", "once", "for 2h", "for 1d")],
            id="with a credential",
        ),
        pytest.param("@acme:me p", ["@acme:me prefer"], id="a credential alone"),
        pytest.param("auto ", ["auto once", "auto for 2h", "auto for 1d"], id="a word that may end"),
        pytest.param("status ", ["status"], id="a word that does not"),
        pytest.param("sonnet@nobody ", [], id="no such credential"),
    ],
)
async def test_how_long_and_in_which_mode_once_a_reference_is_complete(typed: str, found: list[str]) -> None:
    assert await offered(claude(), typed) == found


@given(worlds(), st.text(max_size=12), st.sampled_from(["", "@", "p0/", "alias0@", " "]))
@settings(max_examples=60, deadline=None)
async def test_they_are_few_short_and_name_nothing_hidden(world: World, text: str, end: str) -> None:
    for typed in (text + end, end + text, HIDDEN, f"@{HIDDEN}"):
        found = await world.gateway.suggest(world.inbound(typed, ingress=Ingress.SUGGEST, by=ALLOWED))
        assert len(found) <= 25
        assert len({one.command for one in found}) == len(found)
        for one in found:
            assert 0 < len(one.label) <= 80
            assert one.label.isprintable()
            assert HIDDEN not in f"{one.command}{one.label}".replace(typed, "")


async def test_a_model_that_the_policy_forbids_is_not_offered() -> None:
    main = replace(CLAUDE.agents["main"], allow=("acme/*",))
    world = World(rules=replace(CLAUDE, agents={"main": main}), profiles=[profile("acme:me")])
    assert await offered(world, "so") == ["acme/sonata"]


@pytest.mark.parametrize(
    ("typed", "name", "found"),
    [
        ("opus", "opus", Nearness.EXACT),
        ("opus", "opus-4", Nearness.BEGINS),
        ("opus", "claude-opus-4", Nearness.WORD),
        ("pus", "claude-opus-4", Nearness.CONTAINS),
        ("opus claude", "claude-opus-4", Nearness.WORD),
        ("opus gpt", "claude-opus-4", None),
        ("", "anything", Nearness.BEGINS),
    ],
)
def test_how_near_a_name_is(typed: str, name: str, found: Nearness | None) -> None:
    assert Typed(typed).nearness(name) is found


@pytest.mark.parametrize(
    ("typed", "word", "found"),
    [
        ("sonet", "sonnet", True),
        ("clade", "claude", True),
        ("claued", "claude", True),
        ("gtp", "gpt", True),
        ("gemni", "gemini", True),
        ("sonet", "sonata", False),
        ("opus", "haiku", False),
        ("ab", "abc", False),
    ],
)
def test_what_counts_as_a_typing_error(typed: str, word: str, found: bool) -> None:
    assert is_misspelt(typed, word) is found
