"""Promises that are easily broken by a combination: pins against cards, ends against changes, secrets against answers."""

import asyncio
from dataclasses import replace
from datetime import timedelta

import pytest

from core.auth.health import ProfileHealth, after_failure
from core.auth.profiles import CredentialKind, ProfileSet
from core.errors import Failure, FailureReason, StorageError
from core.messages import Ingress, ReplyKind
from core.models.ref import ModelRef
from core.ports import Update
from core.resolution.rules import AgentRules
from tests.fakes.clock import START
from tests.fakes.provider_client import Held
from tests.world import ALLOWED, GROUP, OWNER, World, profile, provider, rules

LIMIT = FailureReason.RATE_LIMIT
THREAD = f"{GROUP}:thread:5"


def limited(seconds: float) -> Failure:
    return Failure(reason=LIMIT, status=429, retry_at=START + timedelta(seconds=seconds))


async def test_a_number_that_no_machine_holds_is_an_invalid_expiry_and_stops_nobody() -> None:
    odd = profile("acme:odd", CredentialKind.TOKEN, expires=int("9" * 400))
    world = World(profiles=[odd, profile("acme:work")])
    assert (await world.say("hi")).text == "served-by:acme:work"
    status = await world.say("/model status")
    states = {c["profile"]: c["reason"] for c in status.data["providers"][0]["candidates"]}
    assert states == {"acme:work": None, "acme:odd": "invalid_expires"}


async def test_the_overflow_cards_new_conversation_keeps_a_strict_pin() -> None:
    world = World()
    await world.say("/model @home strict")
    world.provider.script["acme:home"] = [FailureReason.CONTEXT_OVERFLOW]
    card = await world.say("too long")
    await world.press(card, "Start a new conversation")
    assert world.served == ["acme:home", "acme:home"]


async def test_a_pressed_card_survives_a_restart_in_the_middle_of_its_turn() -> None:
    world = World()
    await world.say("/model @acme:work")
    world.provider.script["acme:work"] = [limited(90)]
    card = await world.say("the kept message")
    held = Held("never")
    world.provider.script["acme:home"] = [held]
    press = world.inbound("", ingress=Ingress.BUTTON, token=card.token, number=1)
    update = Update(platform="telegram", account="default", key="1", lane="x", payload={})
    (item,) = await world.inbox.receive([update], START)
    running = asyncio.create_task(world.do(press, item.id))
    await asyncio.wait_for(held.started.wait(), 5)
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    replies = await world.do(press, item.id)
    assert "served-by:acme:home" in [reply.text for reply in replies]
    assert world.provider.requests[-1].messages[-1].text == "the kept message"
    assert len(world.sessions.session(press.session).choices) == 1, "the choice was not made twice"
    assert (await world.do(press))[-1].code == "number_without_picker"


async def test_many_temporary_choices_never_push_a_lasting_pin_out() -> None:
    world = World()
    await world.say("/model @acme:home")
    for minutes in range(1, 13):
        await world.say(f"/model opus for {minutes}m")
    world.wait(hours=2)
    await world.say("hi")
    assert world.served == ["acme:home"]


@pytest.mark.parametrize("meanwhile", ["/model strict", "/model opus for 1h"])
async def test_once_is_used_up_also_if_something_is_chosen_while_its_turn_runs(meanwhile: str) -> None:
    world = World()
    await world.say("/model @home once")
    held = Held("slow")
    world.provider.script["acme:home"] = [held]
    running = asyncio.create_task(world.do(world.inbound("hi")))
    await asyncio.wait_for(held.started.wait(), 5)
    await world.do(world.inbound(meanwhile))
    held.release.set()
    replies = await running
    assert sum("has ended" in r.text for r in replies) == 1
    world.wait(hours=2)
    await world.say("again")
    assert world.served[-1] == "acme:work"
    assert "it was for one turn" not in world.notices(), "told once"


async def test_no_secret_reaches_a_chat_whoever_wrote_it() -> None:
    world = World()
    world.provider.script["acme:work"] = ["your key is sk-acme:home and that is bad"]
    reply = await world.say("hi")
    assert reply.text == "your key is *** and that is bad"
    assert "sk-acme" not in world.deltas()
    assert "sk-acme" not in str(world.sessions.messages)
    world.provider.script["acme:work"] = [Failure(reason=FailureReason.FORMAT, detail="no: sk-acme:home")]
    reply = await world.say("hi")
    assert "sk-acme" not in reply.text + str(reply.data)


async def test_a_store_that_cannot_be_read_lets_no_other_key_slip_in() -> None:
    key = profile("env:ACME_API_KEY", CredentialKind.ENV, provider="acme")
    world = World(profiles=[key])
    assert (await world.say("hi")).text == "served-by:env:ACME_API_KEY"
    for damage in ({"unreadable": True}, {"damaged": frozenset({"acme"})}):
        broken = ProfileSet(profiles={key.id: key}, **damage)  # type: ignore[arg-type]
        world.credentials.load = lambda agent, broken=broken: broken  # type: ignore[misc]
        reply = await world.say("hi")
        assert reply.code == "no_credentials"
        assert "could not be read" in reply.text
    assert len(world.served) == 1
    await world.say("/model @env:ACME_API_KEY")
    assert (await world.say("hi")).text == "served-by:env:ACME_API_KEY", "by the user's own word"


@pytest.mark.parametrize(
    ("text", "pinned"),
    [
        ('/model @"acme:odd name"', "acme:odd name"),
        ('/model @"odd name"', "acme:odd name"),
        ("/model @env:ACME_API_KEYS#2", "env:ACME_API_KEYS#2"),
        ("/model big@env:ACME_API_KEYS#2 once", "env:ACME_API_KEYS#2"),
        ('/model "acme/large"@"acme:odd name" prefer', "acme:odd name"),
    ],
)
async def test_every_profile_id_can_be_typed(text: str, pinned: str) -> None:
    world = World(
        profiles=[profile("acme:odd name"), profile("env:ACME_API_KEYS#2", CredentialKind.ENV, provider="acme")]
    )
    reply = await world.say(text)
    assert reply.kind is ReplyKind.NOTICE, reply.text
    await world.say("hi")
    assert world.served == [pinned]


async def test_the_pickers_own_commands_can_be_typed_for_every_profile() -> None:
    names = ["acme:odd name", 'acme:"q"', "env:ACME_API_KEYS#2", "team/prod", "acme:a@b.c", "acme:ünï", "20251001"]
    world = World(profiles=[profile(name, provider="acme") for name in names])
    picker = await world.say("/model")
    for button in picker.buttons:
        if button.group == "choice" and "@" in button.command:
            assert (await world.say(button.command)).kind is ReplyKind.NOTICE, button.command
    offered = await world.gateway.suggest(world.inbound("@"))
    for suggestion in offered:
        assert (await world.say(f"/model {suggestion.command}")).kind is ReplyKind.NOTICE, suggestion


async def test_after_an_end_that_was_told_nothing_else_is_given_as_the_reason() -> None:
    world = World()
    await world.say("hi")
    await world.say("/model opus once")
    await world.say("hi")
    await world.say("hi")
    assert world.served == ["acme:work", "zeta:me", "acme:work"], "the automatic pin outlives a visit elsewhere"
    assert not world.notices()


async def test_a_thread_is_told_when_its_chat_chose_otherwise() -> None:
    world = World()
    await world.say("hi", key=THREAD)
    await world.say("/model opus", key=GROUP)
    await world.say("hi", key=THREAD)
    assert f"the model of this chat is now zeta/opus-1 by the choice of {GROUP}" in world.notices()
    await world.say("/model @zeta:a@b.c", key=GROUP)
    await world.say("hi", key=THREAD)
    assert f"because {GROUP} pins it" in world.notices()


async def test_new_in_a_thread_says_what_serves_then() -> None:
    world = World()
    await world.say("/model big@acme:home", key=GROUP)
    await world.say("/model opus", key=THREAD)
    reply = await world.say("/new", key=THREAD)
    assert "now acme/large@acme:home" in reply.text


async def test_keep_works_after_a_second_new() -> None:
    world = World()
    await world.say("/model big@acme:home")
    first = await world.say("/new")
    await world.say("/new")
    (reply,) = await world.press(first, "Keep")
    assert reply.text == "Kept: acme/large@acme:home."


async def test_nobody_pins_by_undo_or_mode_what_they_may_not_pin() -> None:
    world = World(profiles=[profile("acme:work"), profile("acme:boss", pin_allow=("owners",))])
    await world.say("/model @acme:boss", key=GROUP)
    assert (await world.say("/model prefer", key=GROUP, by=ALLOWED)).code == "profile_not_found"
    await world.say("/model auto", key=GROUP, by=ALLOWED)
    assert (await world.say("/model undo", key=GROUP, by=ALLOWED)).code == "profile_not_found"
    await world.say("/model undo", key=GROUP, by=OWNER)
    pinned = world.resolution(GROUP).pinned
    assert pinned is not None
    assert pinned.profile == "acme:boss"


async def test_a_hidden_profile_is_not_named_anywhere() -> None:
    world = World(profiles=[profile("acme:boss", pin_allow=("owners",)), profile("acme:boss2")])
    await world.say("/model @acme:boss", key=GROUP)
    world.provider.script["acme:boss"] = [limited(90)]
    seen = []
    for text in ("hi", "/model", "/model status", "/model why", "/status", "/model big"):
        replies = await world.do(world.inbound(text, key=GROUP, by=ALLOWED))
        seen += [r.text + str(r.data) + str([b.label for b in r.buttons]) for r in replies]
    text = "\n".join(seen).replace("acme:boss2", "")
    assert "acme:boss" not in text
    assert "hidden is pinned here and out" in text


async def test_what_the_deadline_left_no_time_for_is_not_reported_as_tried() -> None:
    main = AgentRules(id="main", default=ModelRef("acme", "small"), fallbacks=(ModelRef("zeta", "sonnet-1"),))
    world = World(rules=replace(rules(), agents={"main": main}, deadline=timedelta(milliseconds=50)))
    world.provider.script["acme:work"] = [Held("never")]
    await world.say("hi")
    attempts = world.report()["attempts"]
    assert isinstance(attempts, list)
    assert [a["profile"] for a in attempts] == ["acme:work"] == world.served


async def test_environment_keys_are_used_in_the_order_of_the_seed_in_every_session() -> None:
    keys = [profile(f"env:ACME_API_KEYS#{n}", CredentialKind.ENV, provider="acme", fingerprint=str(n)) for n in (1, 2)]
    world = World(profiles=keys)
    await world.say("hi")
    await world.say("hi", by=ALLOWED, key="agent:main:telegram:default:direct:2")
    assert world.served == ["env:ACME_API_KEYS#1"] * 2


async def test_a_model_that_left_the_catalogue_is_told_and_released_with_its_pin() -> None:
    world = World()
    await world.say("/model opus@zeta:me")
    world.rules = rules(provider("acme", "small"), provider("zeta", "sonnet-1"))
    await world.say("hi")
    assert "zeta/opus-1 can no longer be used here" in world.notices()
    assert "The pin on zeta:me is released with it" in world.notices()
    assert world.served == ["acme:work"]


def test_a_clock_that_was_corrected_leaves_nothing_out_for_a_year() -> None:
    ahead = START + timedelta(days=365)
    health = after_failure(ProfileHealth(profile="p", fingerprint="f"), Failure(reason=LIMIT), "p/m", ahead)
    assert health.block("p/m", ahead) is not None
    assert health.block("p/m", ahead - timedelta(seconds=5)) is not None, "a small step holds"
    assert health.block("p/m", START) is None


async def test_an_accounts_rate_limit_holds_also_while_one_of_its_profiles_is_disabled() -> None:
    world = World(profiles=[profile("acme:a", account="org"), profile("acme:b", account="org"), profile("acme:c")])
    world.provider.script["acme:a"] = [limited(90)]
    await world.say("hi")
    billing = Failure(reason=FailureReason.BILLING)
    await world.health.update_health("acme:a", "me:a", lambda h: after_failure(h, billing, "acme/small", START))
    states = {p.id: p.usable for p in world.resolution().placed}
    assert states == {"acme:a": False, "acme:b": False, "acme:c": True}


async def test_words_about_a_pin_under_a_temporary_choice_promise_its_return() -> None:
    world = World()
    await world.say("/model @acme:home")
    for text in ("/model auto for 1h", "/model default once", "/model opus for 1h"):
        reply = await world.say(text)
        assert "does not apply meanwhile" in reply.text, text
        assert "is released" not in reply.text
        await world.say("/model small")
        await world.say("/model @acme:home")
    world.credentials.remove("acme:home")
    assert "there is no such profile any more" in (await world.say("/model big")).text


async def test_a_locked_session_follows_the_configuration_alone() -> None:
    world = World()
    await world.say("/model big@acme:home", key=GROUP)
    world.rules = replace(world.rules, locked=frozenset({GROUP}))
    await world.say("hi", key=GROUP)
    assert "the configuration fixes the model of this chat" in world.notices()
    assert (world.served, world.provider.requests[-1].model) == (["acme:work"], "small")


async def test_an_unlisted_id_without_a_provider_is_the_open_default_providers() -> None:
    world = World(rules=rules(provider("acme", "small", is_open=True)))
    reply = await world.say("/model brand-new-thing@home")
    assert "not in the list" in reply.text
    await world.say("hi")
    assert (world.provider.requests[-1].model, world.served[-1]) == ("brand-new-thing", "acme:home")


async def test_long_lists_are_cut_where_a_phone_ends_and_what_matters_stays() -> None:
    many = [profile(f"acme:k{n:03}") for n in range(200)]
    world = World(profiles=many)
    await world.say("/model @acme:k150 prefer")
    picker = await world.say("/model")
    assert len(picker.buttons) < 40
    assert "acme:k150" in picker.text
    for one in many:
        world.provider.script[one.id] = [limited(600)]
    card = await world.say("hi")
    assert len(card.text) < 3000


@pytest.mark.parametrize("text", ["/model " + "x" * 200_000, "/model big@" + "y" * 100_000, "/model big " + "z" * 9000])
async def test_an_error_repeats_only_the_beginning_of_what_was_typed(text: str) -> None:
    reply = await World().say(text)
    assert reply.kind is ReplyKind.ERROR
    assert len(reply.text) < 1000


async def test_numbers_of_any_length_and_script_are_no_model() -> None:
    for number in ("12345678", "9" * 5000):
        assert (await World().say(f"/model {number}")).code == "number_without_picker"
    assert (await World().say("/model list acme ٣")).code == "usage"


async def test_looking_works_while_the_database_cannot_be_written() -> None:
    world = World()

    async def full(*_: object) -> None:
        raise StorageError("storage", "the disk is full")

    world.shown.show = full  # type: ignore[method-assign, assignment]
    picker = await world.say("/model")
    assert (picker.kind, picker.buttons) == (ReplyKind.PICKER, ())
    assert "numbers do not work" in picker.text
    world.provider.script["acme:work"] = [FailureReason.FORMAT]
    card = await world.say("hi")
    assert card.code == "format"
    assert world.report()["outcome"] == "failed"


async def test_suggestions_for_hundreds_of_models_and_profiles_are_found_and_few() -> None:
    world = World(
        rules=rules(provider("acme", "small", *(f"m{n}" for n in range(400)))),
        profiles=[profile(f"acme:p{n}") for n in range(200)],
    )
    assert len(await world.gateway.suggest(world.inbound("m"))) == 25
    found = await world.gateway.suggest(world.inbound("m399@acme:p19"))
    assert [s.command for s in found][:1] == ["acme/m399@acme:p19"]
    assert (await world.gateway.suggest(world.inbound("@acme:p7")))[0].command == "@acme:p7"
