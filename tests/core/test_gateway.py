"""The one door: what is offered can be chosen as it is offered, and what goes wrong concerns who caused it."""

from collections.abc import Sequence

import pytest

from core.errors import StorageError
from core.messages import Ingress, ReplyKind
from core.sessions.ports import Answered
from core.sessions.session import Decision, Session
from tests.world import ALLOWED, GROUP, STRANGER, World, profile, provider, rules

ODD_PROFILES = ("acme:work", "acme:team/prod", "odd one", "20251001", "acme:ada@example.com", 'with "quotes"', "q8_0")
ODD_MODELS = ("small", "vertex-claude@20251001", "@cf/meta/llama", "gemma@q8_0", "a@b", "name with blanks", "x+y")


def odd_world() -> World:
    found = rules(provider("acme", *ODD_MODELS, aliases={"small": "tiny"}))
    return World(rules=found, profiles=[profile(name, provider="acme") for name in ODD_PROFILES])


def chosen(world: World) -> tuple[str, str | None]:
    found = world.resolution()
    return str(found.selected.ref), found.pinned.profile if found.pinned and found.pinned.pin else None


@pytest.mark.parametrize("name", ODD_PROFILES)
async def test_every_credential_that_is_offered_is_pinned_by_its_button(name: str) -> None:
    world = odd_world()
    picker = await world.say("/model")
    (told,) = await world.press(picker, f"{name} · ready")
    assert told.kind is ReplyKind.NOTICE, told.text
    assert chosen(world) == ("acme/small", name)


@pytest.mark.parametrize("name", ODD_MODELS)
async def test_every_model_that_is_offered_is_chosen_by_its_button_and_pinned_by_a_suggestion(name: str) -> None:
    world = odd_world()
    label = "tiny" if name == "small" else f"acme/{name}"
    (told,) = await world.press(await world.say("/model"), f"{label} · ready")
    assert told.kind is ReplyKind.NOTICE, told.text
    assert chosen(world)[0] == f"acme/{name}"


async def test_every_suggestion_can_be_sent_as_it_is() -> None:
    world = odd_world()
    seen = set()
    for typed in ("", "tiny@", "acme/gemma", "acme/a@b", "@cf", "blanks", "x+y"):
        for suggestion in await world.gateway.suggest(world.inbound(typed, ingress=Ingress.SUGGEST)):
            reply = await world.say(f"/model {suggestion.command}")
            assert reply.code in (None, "usage"), f"{suggestion.command}: {reply.text}"
            if "@" in suggestion.command and reply.code is None:
                seen.add(chosen(world))
    assert {pin for _, pin in seen} >= set(ODD_PROFILES)


async def test_a_press_that_is_refused_is_told_to_who_pressed_alone() -> None:
    world = World()
    picker = await world.say("/model", key=GROUP)
    (of_another,) = await world.press(picker, "big", key=GROUP, by=ALLOWED)
    (of_a_stranger,) = await world.press(picker, "big", key=GROUP, by=STRANGER)
    (elsewhere,) = await world.press(picker, "big")
    world.wait(days=1, seconds=1)
    (stale,) = await world.press(picker, "big", key=GROUP)
    replies = (of_another, of_a_stranger, elsewhere, stale)
    assert [reply.code for reply in replies] == ["not_authorised"] * 2 + ["number_without_picker"] * 2
    assert all(reply.private and not reply.replaces for reply in replies)
    assert world.resolution(GROUP).selected.source == "default"


async def test_what_is_wrong_with_what_was_typed_is_told_where_it_was_typed() -> None:
    assert not (await World().say("/model nope-nope", key=GROUP)).private


@pytest.mark.parametrize("text", ["/model big", "/new", "hi"])
async def test_a_database_that_fails_is_told_without_its_details_and_nothing_is_pretended(text: str) -> None:
    world = World()

    async def full(*_: object) -> Session:
        raise StorageError("storage", "The database /home/ada/secret-place/remoteclaw.db cannot grow.")

    world.sessions.save_choice = full  # type: ignore[method-assign]
    world.sessions.finish_turn = full  # type: ignore[method-assign, assignment]
    replies = await world.do(world.inbound(text))
    assert "secret-place" not in "".join(reply.text for reply in replies)
    assert "Now big" not in "".join(reply.text for reply in replies)
    assert any("database" in reply.text.lower() for reply in replies)


async def test_a_choice_that_ends_in_the_middle_is_told_even_where_the_next_thing_is_an_error() -> None:
    world = World()
    await world.say("/model opus@zeta:me for 1h")
    world.wait(hours=1)
    replies = await world.do(world.inbound("/model nope-nope"))
    assert [reply.kind for reply in replies] == [ReplyKind.NOTICE, ReplyKind.ERROR]
    assert "has ended" in replies[0].text


async def test_a_failed_write_leaves_the_session_to_a_second_try() -> None:
    world, failing = World(), [True]
    save = world.sessions.save_choice

    async def once(session: Session, decisions: Sequence[Decision], answered: Answered | None = None) -> Session:
        if failing:
            failing.clear()
            raise StorageError("storage", "The database is locked.")
        return await save(session, decisions, answered)

    world.sessions.save_choice = once  # type: ignore[method-assign]
    assert (await world.say("/model big")).kind is ReplyKind.ERROR
    assert chosen(world) == ("acme/small", None)
    assert (await world.say("/model big")).kind is ReplyKind.NOTICE
    assert chosen(world) == ("acme/large", None)
