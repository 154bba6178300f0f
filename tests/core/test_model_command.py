"""`/model` as a person types it: every form of product.md 4 and every error of 4.2."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace

import pytest

from core.auth.profiles import PinMode
from core.messages import ReplyKind
from core.resolution.rules import AgentRules, OnReset
from core.sessions.ports import Answered
from core.sessions.session import Decision, Session
from tests.fakes.provider_client import Held
from tests.world import ALLOWED, DIRECT, GROUP, World, profile, provider, rules


def stands(world: World, key: str = DIRECT) -> tuple[str, str | None, str]:
    """Model, pinned profile, and what serves next."""
    found = world.resolution(key)
    pin = found.pinned.profile if found.pinned and found.pinned.pin else None
    return str(found.selected.ref), pin, str(found.next.profile)


FORMS = [
    ("/model big", "acme/large", None),
    ("/model BIG", "acme/large", None),
    ("/model acme/large", "acme/large", None),
    ("/model ACME/Large", "acme/large", None),
    ("/model large", "acme/large", None),
    ("/model: big", "acme/large", None),
    ("/MODEL big", "acme/large", None),
    ("/model big@acme:home", "acme/large", "acme:home"),
    ("/model big@home", "acme/large", "acme:home"),
    ("/model small@acme:home", "acme/small", "acme:home"),
    ("/model @acme:home", "acme/small", "acme:home"),
    ("/model @home", "acme/small", "acme:home"),
    ("/model @cf/meta/llama", "acme/@cf/meta/llama", None),
    ("/model @cf/meta/llama@work", "acme/@cf/meta/llama", "acme:work"),
    ("/model vertex-claude@20251001", "acme/vertex-claude@20251001", None),
    ("/model vertex-claude@20251001@work", "acme/vertex-claude@20251001", "acme:work"),
    ("/model gemma@q8_0@acme:work", "acme/gemma@q8_0", "acme:work"),
    ("/model opus@zeta:a@b.c", "zeta/opus-1", "zeta:a@b.c"),
    ('/model "gemma@q8_0"@"acme:work"', "acme/gemma@q8_0", "acme:work"),
    ("/model big@acme:home for 2h", "acme/large", "acme:home"),
    ("/model big@acme:home once prefer", "acme/large", "acme:home"),
    ("/model @home strict for 1h30m", "acme/small", "acme:home"),
    ("/model smal", "acme/small", None),
]


@pytest.mark.parametrize(("text", "model", "pin"), FORMS)
async def test_a_form_chooses(text: str, model: str, pin: str | None) -> None:
    world = World()
    reply = await world.say(text)
    assert reply.kind is ReplyKind.NOTICE, reply
    found = stands(world)
    assert found[:2] == (model, pin)
    await world.say("hi")
    assert [str(world.provider.requests[-1].model), world.served[-1]] == [model.partition("/")[2], found[2]]


ERRORS = [
    ("/model list@work", "profile_needs_model"),
    ("/model status@work", "profile_needs_model"),
    ("/model big@nope", "profile_not_found"),
    ("/model @nope", "profile_not_found"),
    ("/model big@zeta:me", "profile_wrong_provider"),
    ("/model @zeta:me", "profile_wrong_provider"),
    ("/model nothing-like-it", "model_unknown"),
    ("/model acme/", "usage"),
    ("/model nobody/small", "model_unknown"),
    ("/model @no/such/thing", "model_unknown"),
    ("/model 99", "number_without_picker"),
    ("/model 0", "number_without_picker"),
    ("/model 99 hello", "usage"),
    ("/model big for", "bad_duration"),
    ("/model big for soon", "bad_duration"),
    ("/model big for 0s", "bad_duration"),
    ("/model big for 99999999d", "bad_duration"),
    ("/model big please", "usage"),
    ("/model big once for 2h", "usage"),
    ("/model big strict", "usage"),
    ("/model big@home strict prefer", "usage"),
    ("/model smal@home", "model_unknown"),
    ("/model a+b", "usage"),
    ("/model undo", "usage"),
    ("/model auto", "usage"),
    ("/model prefer", "usage"),
    ("/model list nobody", "model_unknown"),
    ("/model list acme 7", "usage"),
    ("/model list acme x", "usage"),
    ('/model "odd', "usage"),
    ("/modle big", "usage"),
    ("/stop thing", "usage"),
]


@pytest.mark.parametrize(("text", "code"), ERRORS)
async def test_an_error_has_its_code_and_stores_nothing(text: str, code: str) -> None:
    world = World()
    await world.say("/model opus@zeta:me")
    await world.say("/model default")
    world.sessions.sessions.clear()
    before = stands(world), len(world.sessions.decided)
    reply = await world.say(text)
    assert (reply.kind, reply.code) == (ReplyKind.ERROR, code), reply.text
    assert (stands(world), len(world.sessions.decided)) == before
    assert not world.sessions.sessions
    assert not world.served, "an error costs nothing"


async def test_profile_not_found_lists_what_the_sender_may_pin() -> None:
    world = World(profiles=[profile("acme:work"), profile("acme:boss", pin_allow=("owners",)), profile("zeta:me")])
    assert "acme:work, acme:boss" in (await world.say("/model big@nope")).text
    theirs = (await world.say("/model big@nope", by=ALLOWED)).text
    assert "acme:work" in theirs
    assert "boss" not in theirs


async def test_a_profile_that_one_may_not_pin_answers_like_one_that_does_not_exist() -> None:
    world = World(profiles=[profile("acme:work"), profile("acme:boss", pin_allow=("owners",))])
    hidden = await world.say("/model big@acme:boss", by=ALLOWED)
    missing = await world.say("/model big@acme:none", by=ALLOWED)
    assert hidden.code == missing.code == "profile_not_found"
    assert hidden.text.replace("acme:boss", "acme:none") == missing.text
    status = await world.say("/model status", by=ALLOWED)
    assert "boss" not in status.text + str(status.data)
    assert (await world.say("/model big@acme:boss")).kind is ReplyKind.NOTICE


async def test_a_pin_of_the_same_provider_is_kept_and_another_released_and_both_are_said() -> None:
    world = World()
    await world.say("/model @acme:home")
    assert "kept" in (await world.say("/model big")).text
    assert stands(world) == ("acme/large", "acme:home", "acme:home")
    reply = await world.say("/model opus")
    assert "acme:home is released" in reply.text
    assert stands(world)[:2] == ("zeta/opus-1", None)


async def test_auto_keeps_the_model_and_default_releases_both() -> None:
    world = World()
    await world.say("/model big@acme:home")
    assert "released" in (await world.say("/model auto")).text
    assert stands(world)[:2] == ("acme/large", None)
    await world.say("/model big@acme:home")
    await world.say("/model default")
    assert stands(world)[:2] == ("acme/small", None)
    assert world.resolution().selected.source == "default"


async def test_undo_goes_back_and_forth() -> None:
    world = World()
    await world.say("/model big@acme:home")
    await world.say("/model opus")
    await world.say("/model undo")
    assert stands(world)[:2] == ("acme/large", "acme:home")
    await world.say("/model -")
    assert stands(world)[:2] == ("zeta/opus-1", None)


async def test_choosing_the_default_by_name_stores_no_model() -> None:
    world = World()
    await world.say("/model big")
    await world.say("/model acme/small")
    assert world.resolution().selected.source == "default"
    world.rules = replace(
        world.rules, agents={"main": AgentRules(id="main", default=world.rules.catalog.aliases["opus"])}
    )
    assert stands(world)[0] == "zeta/opus-1"


async def test_for_ends_by_itself_and_its_end_is_told() -> None:
    world = World()
    await world.say("/model big@acme:work")
    reply = await world.say("/model opus@zeta:me for 2h")
    assert "14:00 UTC" in reply.text
    assert "acme/large@acme:work again" in reply.text
    world.wait(hours=1, minutes=59)
    await world.say("hi")
    assert world.served == ["zeta:me"]
    world.wait(minutes=1)
    await world.say("hi")
    assert world.served == ["zeta:me", "acme:work"]
    assert "zeta/opus-1@zeta:me has ended" in world.notices()
    await world.say("hi")
    assert "ended" not in world.notices(), "told once"


async def test_once_ends_after_one_answered_turn_and_its_end_is_told() -> None:
    world = World()
    await world.say("/model big@acme:work")
    await world.say("/model opus once")
    world.provider.script["zeta:me"] = world.provider.script["zeta:a@b.c"] = []
    await world.say("hi")
    assert world.served[-1].startswith("zeta:")
    assert "has ended" in world.notices()
    await world.say("hi")
    assert world.served[-1] == "acme:work"


async def test_one_temporary_choice_above_another_returns_to_it() -> None:
    world = World()
    await world.say("/model big for 2h")
    await world.say("/model opus@zeta:me once")
    await world.say("hi")
    assert stands(world)[0] == "acme/large"
    world.wait(hours=2)
    await world.say("hi")
    assert stands(world)[0] == "acme/small"


async def test_a_pin_upon_a_temporary_model_ends_with_it() -> None:
    world = World()
    await world.say("/model big for 1h")
    await world.say("/model @acme:home")
    assert stands(world)[:2] == ("acme/large", "acme:home")
    world.wait(hours=1)
    assert stands(world)[:2] == ("acme/small", None)


async def test_the_mode_of_a_pin_can_be_changed() -> None:
    world = World()
    await world.say("/model @acme:home")
    await world.say("/model prefer")
    pinned = world.resolution().pinned
    assert pinned is not None
    assert pinned.mode == "prefer"


async def test_a_profiles_own_pin_mode_is_the_default() -> None:
    world = World(profiles=[profile("acme:work", pin_mode=PinMode.PREFER)])
    assert "prefer" in (await world.say("/model @work")).text
    assert "strict" in (await world.say("/model @work strict")).text


async def test_the_picker_shows_where_the_session_stands_and_numbers_choose() -> None:
    world = World()
    reply = await world.say("/model")
    assert reply.kind is ReplyKind.PICKER
    assert set(reply.data) == {"current", "choices", "page", "pages"}
    choices = reply.data["choices"]
    assert [c["n"] for c in choices] == list(range(1, len(choices) + 1))
    assert all(set(c) == {"n", "ref", "alias", "profile", "state"} for c in choices)
    home = next(c for c in choices if c["profile"] == "acme:home")
    assert f"{home['n']}. acme:home · ready" in reply.text
    await world.say(f"/model {home['n']}")
    assert stands(world)[:2] == ("acme/small", "acme:home")


async def test_a_number_belongs_to_who_saw_it_where_and_when() -> None:
    world = World()
    await world.say("/model", key=GROUP)
    assert (await world.say("/model 1", key=GROUP, by=ALLOWED)).code == "number_without_picker"
    assert (await world.say("/model 1")).code == "number_without_picker"
    world.wait(minutes=10, seconds=1)
    assert (await world.say("/model 1", key=GROUP)).code == "number_without_picker"
    await world.say("/model", key=GROUP)
    world.rules = rules(provider("acme", "small"))
    assert (await world.say("/model 1", key=GROUP)).code == "number_without_picker"


async def test_an_alias_may_be_a_number() -> None:
    world = World(rules=rules(provider("acme", "small", "large", aliases={"large": "99"})))
    await world.say("/model 99")
    assert stands(world)[0] == "acme/large"


async def test_several_near_models_become_choices_and_none_the_nearest_names() -> None:
    world = World(rules=rules(provider("acme", "small", "gemma-9b", "gemma-7b")))
    reply = await world.say("/model gemma")
    assert reply.code == "model_ambiguous"
    assert [b.label for b in reply.buttons] == ["acme/gemma-7b", "acme/gemma-9b"]
    await world.press(reply, "acme/gemma-9b")
    assert stands(world)[0] == "acme/gemma-9b"
    unknown = await world.say("/model xyzzyxyzzy")
    assert unknown.code == "model_unknown"
    assert "acme/small" in unknown.text


async def test_nothing_inexact_is_applied_when_a_profile_is_named() -> None:
    world = World()
    reply = await world.say("/model acme/larg@work")
    assert reply.code == "model_unknown"
    assert reply.buttons[0].command == "/model acme/large@work"
    await world.press(reply, "acme/large@work")
    assert stands(world)[:2] == ("acme/large", "acme:work")


async def test_what_was_read_inexactly_is_said() -> None:
    assert "'smal' was read as acme/small" in (await World().say("/model smal")).text


async def test_an_id_of_two_providers_is_a_question_unless_the_default_provider_has_it() -> None:
    two = rules(provider("acme", "small", "same"), provider("zeta", "same", "other"), provider("eta", "other"))
    world = World(rules=two)
    await world.say("/model same")
    assert stands(world)[0] == "acme/same"
    assert (await world.say("/model other")).code == "model_ambiguous"


async def test_a_selection_outside_the_policy_is_refused_with_its_name() -> None:
    base = rules()
    main = replace(base.agents["main"], allow=("acme/*",), allow_path="model_policy.allow")
    world = World(rules=replace(base, agents={"main": main}))
    reply = await world.say("/model opus")
    assert reply.code == "model_not_allowed"
    assert "model_policy.allow" in reply.text
    assert "zeta" not in (await world.say("/model")).text
    await world.say("/model big")
    assert stands(world)[0] == "acme/large"


async def test_a_choice_that_the_policy_no_longer_allows_is_told_and_released() -> None:
    world = World()
    await world.say("/model opus")
    main = replace(world.rules.agents["main"], allow=("acme/*",))
    world.rules = replace(world.rules, agents={"main": main})
    await world.say("hi")
    assert "zeta/opus-1 can no longer be used" in world.notices()
    assert world.served[-1].startswith("acme:")
    await world.say("hi")
    assert not world.notices()


async def test_an_open_provider_takes_ids_that_are_not_listed_and_says_so() -> None:
    world = World(rules=rules(provider("acme", "small", is_open=True)))
    reply = await world.say("/model acme/brand-new")
    assert "not in the list" in reply.text
    assert stands(world)[0] == "acme/brand-new"


async def test_a_locked_session_cannot_be_changed() -> None:
    world = World(rules=replace(rules(), locked=frozenset({GROUP})))
    assert (await world.say("/model big", key=GROUP)).code == "selection_locked"
    assert (await world.say("/model big", key=f"{GROUP}:thread:5")).code == "selection_locked"
    assert (await world.say("/model big")).kind is ReplyKind.NOTICE


async def test_a_thread_inherits_selection_and_pin_until_it_has_its_own() -> None:
    world = World()
    thread = f"{GROUP}:thread:5"
    await world.say("/model big@acme:home", key=GROUP)
    await world.say("hi", key=thread)
    assert world.served == ["acme:home"]
    status = await world.say("/model status", key=thread)
    assert f"inherited from {GROUP}" in status.text
    assert status.data["model"]["source"] == "inherited"
    assert status.data["pin"]["source"] == "inherited"
    await world.say("/model opus@zeta:me", key=thread)
    await world.say("hi", key=thread)
    await world.say("hi", key=GROUP)
    assert world.served == ["acme:home", "zeta:me", "acme:home"]
    await world.say("/model default", key=thread)
    assert stands(world, thread)[:2] == ("acme/small", None), "its own choice: the default"


async def test_why_tells_who_changed_what() -> None:
    world = World()
    assert "Nothing was decided" in (await world.say("/model why")).text
    await world.say("/model big@acme:home")
    await world.say("/model default", by=ALLOWED)
    reply = await world.say("/model why")
    first, second = reply.data["decisions"]
    assert (first["actor"], first["action"]) == (ALLOWED, "default")
    assert (second["from"], second["to"]) == ("acme/small (default)", "acme/large@acme:home")


async def test_new_releases_and_keep_restores() -> None:
    world = World()
    await world.say("/model big@acme:home")
    await world.say("hi")
    reply = await world.say("/new")
    assert "acme/large@acme:home is released" in reply.text
    assert stands(world)[:2] == ("acme/small", None)
    await world.say("again")
    assert [m.text for m in world.provider.requests[-1].messages] == ["again"]
    replies = await world.press(reply, "Keep")
    assert "Kept" in replies[0].text
    assert stands(world)[:2] == ("acme/large", "acme:home")


async def test_keep_after_another_choice_changes_nothing() -> None:
    world = World()
    await world.say("/model big@acme:home")
    reply = await world.say("/reset")
    await world.say("/model opus")
    (error,) = await world.press(reply, "Keep")
    assert error.code == "usage"
    assert stands(world)[0] == "zeta/opus-1"


async def test_on_reset_keep_keeps_and_says_so() -> None:
    world = World(rules=replace(rules(), on_reset=OnReset.KEEP))
    await world.say("/model big@acme:home")
    assert "is kept" in (await world.say("/new")).text
    assert stands(world)[:2] == ("acme/large", "acme:home")


async def test_eight_digits_are_a_profile_only_where_one_exists_and_fits() -> None:
    world = World(profiles=[profile("20251001", provider="acme"), profile("acme:work"), profile("zeta:me")])
    await world.say("/model large@20251001")
    assert stands(world)[:2] == ("acme/large", "20251001")
    await world.say("/model default")
    await world.say("/model vertex-claude@20251001")
    assert stands(world)[:2] == ("acme/vertex-claude@20251001", None)


async def test_commands_by_alias_are_off_unless_switched_on() -> None:
    off = World()
    await off.say("/opus")
    assert [m.text for m in off.provider.requests[-1].messages] == ["/opus"]
    world = World(rules=replace(rules(), alias_commands=True))
    await world.say("/opus")
    assert stands(world)[0] == "zeta/opus-1"
    await world.say("/big for 1h")
    assert stands(world)[0] == "acme/large"
    assert not world.served


async def test_a_model_named_inside_a_sentence_is_chosen_and_the_rest_answered() -> None:
    world = World()
    await world.say("please use /model opus and tell me a joke")
    assert stands(world)[0] == "zeta/opus-1"
    assert world.provider.requests[-1].messages[-1].text == "please use and tell me a joke"
    await world.say("what does the /model command do?")
    assert stands(world)[0] == "zeta/opus-1"
    assert world.provider.requests[-1].messages[-1].text == "what does the /model command do?"


async def test_an_id_of_several_providers_inside_a_sentence_is_text() -> None:
    world = World(rules=rules(provider("acme", "small"), provider("zeta", "other"), provider("eta", "other")))
    await world.say("what is /model other good for?")
    assert world.provider.requests[-1].messages[-1].text == "what is /model other good for?"


async def test_other_words_with_a_slash_are_for_the_model() -> None:
    world = World()
    await world.say("/etc/passwd is what?")
    await world.say("/translate this")
    assert len(world.served) == 2


async def test_a_change_while_a_turn_runs_says_from_when_it_holds() -> None:
    world = World()
    held = Held("slow")
    world.provider.script["acme:work"] = [held]
    running = asyncio.create_task(world.do(world.inbound("hi")))
    await asyncio.wait_for(held.started.wait(), 5)
    reply = (await world.do(world.inbound("/model opus")))[0]
    assert "holds from the next one" in reply.text
    held.release.set()
    await running
    await world.say("hi")
    assert world.served[0] == "acme:work"
    assert world.served[1].startswith("zeta:")
    assert "Answered by" not in world.notices(), "the change was asked for"


async def test_a_concurrent_newer_choice_wins_and_the_loser_is_told() -> None:
    world, other = World(), World()
    save = world.sessions.save_choice

    async def overtaken(session: Session, decisions: Sequence[Decision], answered: Answered | None = None) -> Session:
        """Between reading and writing, another process on the same store is faster."""
        world.sessions.save_choice = save  # type: ignore[method-assign]
        other.sessions.sessions = world.sessions.sessions
        await other.say("/model opus", by=ALLOWED)
        return await save(session, decisions, answered)

    world.sessions.save_choice = overtaken  # type: ignore[method-assign]
    reply = await world.say("/model @acme:home")
    assert reply.code == "lost_race"
    assert stands(world)[:2] == ("zeta/opus-1", None)


async def test_models_of_unused_builtin_providers_do_not_get_in_the_way() -> None:
    builtin = replace(provider("anthropic", "claude-sonnet-4-5", is_open=True), is_configured=False)
    builtin = replace(builtin, models=(replace(builtin.models[0], aliases=("sonnet",)),))
    world = World(rules=rules(provider("acme", "small"), provider("zeta", "sonnet-1"), builtin))
    assert "anthropic" not in (await world.say("/model")).text
    await world.say("/model sonnet")
    assert stands(world)[0] == "zeta/sonnet-1"
    await world.say("/model anthropic/claude-sonnet-4-5")
    assert stands(world)[0] == "anthropic/claude-sonnet-4-5"
    world.credentials.put(profile("anthropic:me"))
    await world.say("/model default")
    await world.say("/model sonnet")
    assert stands(world)[0] == "anthropic/claude-sonnet-4-5"


async def test_the_end_of_a_choice_is_told_with_an_error_too() -> None:
    world = World()
    await world.say("/model big for 1h")
    world.wait(hours=1)
    assert (await world.say("/model nope-nope-nope")).code == "model_unknown"
    assert "acme/large has ended" in world.notices()
