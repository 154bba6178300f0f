"""The picker on a platform with buttons: every step from one definition, each press judged by what stands when it comes."""

from dataclasses import replace
from datetime import timedelta

import pytest

from core.auth.health import after_failure
from core.auth.profiles import CredentialKind
from core.errors import Failure, FailureReason
from core.messages import Button, File, Ingress, Quoted, Reply, ReplyKind, Tone
from core.resolution.rules import AccessRules, AgentRules
from core.sessions.key import SessionKey
from tests.world import ALLOWED, DIRECT, GROUP, OWNER, STRANGER, World, profile, provider, rules

ROWS = 8


def labels(reply: Reply, group: str) -> list[str]:
    return [button.label for button in reply.buttons if button.group == group and not button.earlier]


def stands(world: World, key: str = DIRECT) -> tuple[str, str | None]:
    """The model, and the profile that the session has pinned."""
    found = world.resolution(key)
    return str(found.selected.ref), found.pinned.profile if found.pinned and found.pinned.pin else None


async def opened(world: World, **where: object) -> Reply:
    return await world.say("/model", rows=ROWS, **where)


async def pressed(world: World, reply: Reply, label: str, **where: object) -> Reply:
    """What takes the message's place. Choices of an earlier step are not pressed."""
    shown = replace(reply, buttons=tuple(button for button in reply.buttons if not button.earlier))
    return (await world.press(shown, label, rows=ROWS, **where))[0]


async def a_picture() -> tuple[File, ...]:
    return (File("cat.png", "image/png", b"cat"),)


async def fails(world: World, name: str, reason: FailureReason, **back: float) -> None:
    held, now = world.credentials.load("main").profiles[name], world.clock.now()
    failure = Failure(reason=reason, retry_at=now + timedelta(**back) if back else None)
    await world.health.update_health(
        held.id, held.fingerprint or "", lambda health: after_failure(health, failure, "acme/small", now)
    )


async def test_home_shows_where_the_session_stands_then_models_then_providers() -> None:
    world = World()
    await world.say("/model big@home for 2h")
    home = await opened(world)
    rows = {row.head: row for row in home.blocks[0].rows}
    assert rows["Model"].text == "big (acme/large) · session, ends 14:00 UTC (in 2h)"
    assert rows["Credential"].text.startswith("acme:home · pinned strict by telegram:1")
    assert (rows["Next"].text, rows["Next"].tone) == (
        "acme:home, because it is pinned until 14:00 UTC (in 2h)",
        Tone.GOOD,
    )
    assert labels(home, "model")[:2] == ["big · ready", "opus · ready"], "aliases first"
    assert labels(home, "provider") == ["acme · 5 models · ready", "zeta · 2 models · ready"]
    assert [b.label for b in home.buttons if b.selected] == ["big · ready", "acme · 5 models · ready"]
    assert labels(home, "action") == ["Credentials", "Search", "Automatic", "Default", "Status", "Cancel"]


async def test_provider_model_credential_done() -> None:
    world = World()
    models = await pressed(world, await opened(world), "zeta ·")
    credentials = await pressed(world, models, "opus")
    assert labels(credentials, "credential") == ["Automatic · zeta:me is next", "zeta:me · ready", "zeta:a@b.c · ready"]
    assert stands(world) == ("acme/small", None), "looking changes nothing"
    done = await pressed(world, credentials, "zeta:a@b.c")
    assert (done.kind, done.replaces, done.shared) == (ReplyKind.NOTICE, True, True)
    assert [b.label for b in done.buttons] == ["Undo", "Prefer"]
    assert stands(world) == ("zeta/opus-1", "zeta:a@b.c")
    await world.say("hi")
    assert world.served == ["zeta:a@b.c"]
    await pressed(world, done, "Undo")
    assert stands(world) == ("acme/small", None)


async def test_earlier_choices_come_along_with_what_was_chosen_of_them() -> None:
    world = World()
    step = await pressed(world, await pressed(world, await opened(world), "zeta ·"), "opus")
    earlier = [(b.group, b.label, b.selected) for b in step.buttons if b.earlier]
    assert earlier == [
        ("provider", "acme · 5 models · ready", False),
        ("provider", "zeta · 2 models · ready", True),
        ("model", "opus · ready", True),
        ("model", "zeta/sonnet-1 · ready", False),
    ]


async def test_automatic_chooses_the_model_and_releases_the_pin_in_one_change() -> None:
    world = World()
    await world.say("/model @home")
    step = await pressed(world, await opened(world), "big")
    done = await pressed(world, step, "Automatic")
    assert done.text.splitlines() == [
        "Now big (acme/large); the credential is chosen automatically.",
        "The pin on acme:home is released.",
    ]
    assert stands(world) == ("acme/large", None)
    assert len(world.sessions.decided[SessionKey.parse(DIRECT)]) == 2


async def test_the_actions_of_home_release_and_go_back_to_the_default() -> None:
    world = World()
    await world.say("/model big@home")
    await pressed(world, await opened(world), "Automatic")
    assert stands(world) == ("acme/large", None)
    await pressed(world, await opened(world), "Default")
    assert stands(world) == ("acme/small", None)


async def test_the_model_in_force_keeps_its_own_end_when_a_credential_is_picked_for_it() -> None:
    world = World()
    await world.say("/model big for 1h")
    step = await pressed(world, await opened(world), "Credentials")
    await pressed(world, step, "acme:home")
    assert stands(world) == ("acme/large", "acme:home")
    step = await pressed(world, await opened(world), "Credentials")
    assert [b.label for b in step.buttons if b.selected and not b.earlier] == ["acme:home · ready"]
    await pressed(world, step, "Automatic")
    assert stands(world) == ("acme/large", None)
    world.wait(hours=1)
    assert stands(world) == ("acme/small", None)


async def test_every_label_has_its_state_and_the_time_of_return() -> None:
    old = 1_000.0
    world = World(
        rules=rules(provider("acme", "small", "large"), provider("bare", "thing")),
        profiles=[
            profile("acme:work", label="Work account"),
            profile("acme:home"),
            profile("acme:broke"),
            profile("acme:revoked"),
            profile("acme:old", CredentialKind.TOKEN, expires=old),
            profile("acme:login", CredentialKind.OAUTH, expires=old, refreshable=True),
        ],
    )
    await fails(world, "acme:home", FailureReason.RATE_LIMIT, minutes=4)
    await fails(world, "acme:broke", FailureReason.BILLING, hours=5)
    await fails(world, "acme:revoked", FailureReason.AUTH_PERMANENT)
    home = await opened(world)
    assert labels(home, "provider") == ["acme · 2 models · ready", "bare · 1 model · no credential"]
    step = await pressed(world, home, "Credentials")
    told = {b.label: b.tone for b in step.buttons if b.group == "credential"}
    assert told.pop(next(label for label in told if label.startswith("acme:old · expired "))) is Tone.BAD
    assert told == {
        "Automatic · acme:login is next": Tone.GOOD,
        "acme:work (Work account) · ready": Tone.GOOD,
        "acme:home · back in 4m": Tone.WAITING,
        "acme:broke · back in 5h · billing": Tone.BAD,
        "acme:revoked · out · auth_permanent": Tone.BAD,
        "acme:login · expired, refreshable": Tone.WAITING,
    }
    for name in ("acme:work", "acme:old", "acme:login"):
        world.credentials.remove(name)
    assert labels(await opened(world), "model")[0] == "acme/small · back in 4m"


async def test_recents_come_after_the_aliases_and_the_current_model_is_always_there() -> None:
    names = [f"m{n:02}" for n in range(40)]
    world = World(
        rules=rules(provider("acme", *names, aliases={n: f"a{n}" for n in names[:12]}), default="acme/m30"),
        profiles=[profile("acme:work")],
    )
    for name in ("m20", "m21", "m22", "m23", "m24"):
        await world.say(f"/model {name}")
        await world.say("hi")
    await world.say("/model m35")
    found = labels(await opened(world), "model")
    assert len(found) == ROWS
    assert [name.split(" ")[0] for name in found] == [
        "am00", "am01", "am02", "acme/m24", "acme/m23", "acme/m22", "acme/m21", "acme/m35"
    ]  # fmt: skip


async def test_a_thread_without_answers_shows_what_its_chat_has_used() -> None:
    names = [f"m{n:02}" for n in range(20)]
    world = World(rules=rules(provider("acme", *names), default="acme/m00"), profiles=[profile("acme:work")])
    await world.say("/model m11", key=GROUP)
    await world.say("hi", key=GROUP)
    await world.say("/model default", key=GROUP)
    found = labels(await opened(world, key=f"{GROUP}:thread:5"), "model")
    assert found == ["acme/m11 · ready", "acme/m00 · ready"]


async def test_pages_lose_nothing_and_say_which_one_it_is() -> None:
    names = [f"m{n:03}" for n in range(20)]
    world = World(rules=rules(provider("acme", *names), default="acme/m000"), profiles=[profile("acme:work")])
    step = await pressed(world, await opened(world), "acme · 20 models")
    seen = labels(step, "model")
    assert labels(step, "action")[:2] == ["1/3", "▶"]
    step = await pressed(world, step, "▶")
    assert labels(step, "action")[:3] == ["◀", "2/3", "▶"]
    seen += labels(step, "model")
    step = await pressed(world, step, "▶")
    assert labels(step, "action")[:2] == ["◀", "3/3"]
    assert [label.split(" ")[0] for label in seen + labels(step, "model")] == [f"acme/{name}" for name in names]
    back = await pressed(world, await pressed(world, step, "acme/m019"), "Back")
    assert "page 3 of 3" in back.text, "back leads to where one came from"


async def test_the_page_of_the_pinned_credential_opens_first() -> None:
    world = World(profiles=[profile(f"acme:k{n:02}") for n in range(60)])
    await world.say("/model @acme:k44")
    step = await pressed(world, await opened(world), "Credentials")
    assert [b.label for b in step.buttons if b.selected and b.group == "credential"] == ["acme:k44 · ready"]
    assert len(labels(step, "credential")) == ROWS
    assert labels(step, "credential")[0].startswith("Automatic")


async def test_cancel_says_that_nothing_was_changed() -> None:
    world = World()
    gone = await pressed(world, await opened(world), "Cancel")
    assert (gone.text, gone.buttons, gone.replaces) == ("Nothing was changed. Still acme/small.", (), True)
    assert not world.sessions.sessions


async def test_status_leads_back_to_the_picker() -> None:
    world = World()
    status = await pressed(world, await opened(world), "Status")
    assert status.kind is ReplyKind.STATUS
    assert (await pressed(world, status, "Choose")).kind is ReplyKind.PICKER


async def test_of_two_presses_one_chooses_and_then_every_button_says_that_it_was_done() -> None:
    world = World()
    step = await pressed(world, await opened(world), "big")
    await pressed(world, step, "acme:home")
    for label in ("acme:home", "acme:work", "Back", "Cancel"):
        again = await pressed(world, step, label)
        assert (again.code, again.private) == ("number_without_picker", True)
        assert "already made" in again.text
    assert stands(world) == ("acme/large", "acme:home")
    assert len(next(iter(world.sessions.decided.values()))) == 1


async def test_a_press_works_after_a_restart() -> None:
    world = World()
    step = await pressed(world, await opened(world), "big")
    world.rewire()
    await pressed(world, step, "acme:home")
    assert stands(world) == ("acme/large", "acme:home")


@pytest.mark.parametrize(
    ("where", "change", "code"),
    [
        pytest.param({}, "catalogue", "number_without_picker", id="the list of models has changed"),
        pytest.param({}, "day", "number_without_picker", id="older than a day"),
        pytest.param({"key": GROUP}, "", "number_without_picker", id="of another session"),
        pytest.param({"by": ALLOWED}, "", "not_authorised", id="of another sender"),
    ],
)
async def test_a_stale_picker_says_so_and_offers_a_fresh_one(where: dict[str, str], change: str, code: str) -> None:
    world = World()
    step = await pressed(world, await opened(world), "big")
    if change == "catalogue":
        world.rules = rules(provider("acme", "small", "large", "new"))
    if change == "day":
        world.wait(days=1, seconds=1)
    told = await pressed(world, step, "acme:home", **where)
    assert (told.kind, told.code, told.private) == (ReplyKind.ERROR, code, True)
    assert not world.sessions.sessions
    fresh = await pressed(world, told, "Open a new one", **where)
    assert fresh.kind is ReplyKind.PICKER
    assert labels(fresh, "model")


async def test_two_people_in_a_group_have_a_picker_each() -> None:
    world = World()
    hers, his = await opened(world, key=GROUP, by=OWNER), await opened(world, key=GROUP, by=ALLOWED)
    assert (await pressed(world, hers, "big", key=GROUP, by=ALLOWED)).code == "not_authorised"
    his_step = await pressed(world, his, "opus", key=GROUP, by=ALLOWED)
    her_step = await pressed(world, hers, "big", key=GROUP, by=OWNER)
    await pressed(world, his_step, "zeta:me", key=GROUP, by=ALLOWED)
    await pressed(world, her_step, "acme:home", key=GROUP, by=OWNER)
    assert stands(world, GROUP) == ("acme/large", "acme:home"), "the later choice holds"


async def test_what_has_vanished_is_told_and_the_step_offered_anew() -> None:
    world = World()
    step = await pressed(world, await opened(world), "big")
    world.credentials.remove("acme:home")
    again = await pressed(world, step, "acme:home")
    assert (again.kind, again.code) == (ReplyKind.PICKER, "profile_not_found")
    assert "acme:home can no longer be pinned for acme/large. Nothing was changed." in again.text
    assert again.blocks[0].rows[0].tone is Tone.BAD
    assert labels(again, "credential") == ["Automatic · acme:work is next", "acme:work · ready"]
    main = replace(world.rules.agents["main"], allow=("zeta/*",))
    world.rules = replace(world.rules, agents={"main": main})
    home = await pressed(world, again, "acme:work")
    assert (home.kind, home.code) == (ReplyKind.PICKER, "model_unknown")
    assert "acme/large can no longer be chosen here" in home.text
    assert not world.sessions.sessions


async def test_who_may_not_see_a_profile_any_more_cannot_pin_it_by_an_old_button() -> None:
    world = World()
    step = await pressed(world, await opened(world, by=ALLOWED), "big", by=ALLOWED)
    world.credentials.put(profile("acme:home", pin_allow=("owners",)))
    told = await pressed(world, step, "acme:home", by=ALLOWED)
    assert told.code == "profile_not_found"
    assert "acme:home" not in " ".join(labels(told, "credential"))
    assert not world.sessions.sessions


async def test_a_locked_session_says_so_and_stores_nothing() -> None:
    world = World()
    step = await pressed(world, await opened(world), "big")
    world.rules = replace(world.rules, locked=frozenset({DIRECT}))
    told = await pressed(world, step, "acme:home")
    assert told.code == "selection_locked"
    assert not world.sessions.sessions
    home = await opened(world)
    assert "fixes the model of this chat" in home.text
    assert labels(home, "action") == ["Credentials", "Search", "Status", "Cancel"]


async def test_a_default_that_no_list_has_can_be_chosen_like_any_other() -> None:
    base = rules(provider("acme", "small"), provider("zeta", "opus-1"))
    main = AgentRules(
        id="main", default=base.agents["main"].default, fallbacks=(replace(base.agents["main"].default, name="hid"),)
    )
    world = World(rules=replace(base, agents={"main": main}))
    step = await pressed(world, await opened(world), "acme/hid")
    await pressed(world, step, "acme:home")
    assert stands(world) == ("acme/hid", "acme:home")


class TestNumbers:
    """What is typed after a picker: `/model <n>`."""

    async def test_a_model_is_chosen_a_provider_opened_and_a_credential_pinned(self) -> None:
        world = World()
        home = await opened(world)
        await world.say(f"/model {self.number(home, 'opus')}", rows=ROWS)
        assert stands(world) == ("zeta/opus-1", None)
        models = await world.say(f"/model {self.number(home, 'zeta ·')}", rows=ROWS)
        assert models.kind is ReplyKind.PICKER
        assert not models.replaces, "a new message"
        step = await pressed(world, models, "opus")
        await world.say(f"/model {self.number(step, 'zeta:a@b.c')}", rows=ROWS)
        assert stands(world) == ("zeta/opus-1", "zeta:a@b.c")

    async def test_a_model_keeps_a_pin_of_its_provider_as_when_it_is_typed(self) -> None:
        world = World()
        await world.say("/model @home")
        home = await opened(world)
        await world.say(f"/model {self.number(home, 'big')}", rows=ROWS)
        assert stands(world) == ("acme/large", "acme:home")

    async def test_buttons_beside_something_have_no_numbers_and_leave_the_pickers(self) -> None:
        world = World()
        home = await opened(world)
        done = await world.say("/model big@home", rows=ROWS)
        assert done.buttons
        await world.say("/model status", rows=ROWS)
        await world.say(f"/model {self.number(home, 'opus')}", rows=ROWS)
        assert stands(world)[0] == "zeta/opus-1"

    async def test_data_numbers_what_can_be_chosen(self) -> None:
        home = await opened(World())
        by_number = {button.n: button for button in home.buttons}
        for choice in home.data["choices"]:
            assert by_number[choice["n"]].command == f"/pick use {choice['ref']}"
            assert f"{choice['n']}. {choice['alias'] or choice['ref']}" in home.text

    def number(self, reply: Reply, label: str) -> int:
        return next(b.n for b in reply.buttons if b.label.startswith(label))


class TestSearch:
    async def test_a_modal_leads_straight_to_what_was_found(self) -> None:
        world = World()
        search = next(b for b in (await opened(world)).buttons if b.label == "Search")
        assert search.asks == "Which model?"
        found = await self.pressed_with(world, await opened(world), "sonet")
        assert labels(found, "model") == ["zeta/sonnet-1 · ready"]

    async def test_without_a_modal_the_sender_is_asked_and_the_reply_is_the_text(self) -> None:
        world = World()
        asked = await pressed(world, await opened(world), "Search")
        assert asked.prompt
        found = (await self.replied(world, asked, "son"))[0]
        assert labels(found, "model") == ["zeta/sonnet-1 · ready"]
        step = await pressed(world, found, "zeta/sonnet-1")
        assert "Models that fit 'son'" in (await pressed(world, step, "Back")).text
        assert not world.served, "nothing was asked of a model"

    @pytest.mark.parametrize("how", ["late", "another", "after something else", "a picture"])
    async def test_an_answer_that_the_question_does_not_take_never_reaches_a_model(self, how: str) -> None:
        world = World()
        asked = await pressed(world, await opened(world, key=GROUP), "Search", key=GROUP)
        by, text = OWNER, "son"
        if how == "late":
            world.wait(minutes=10, seconds=1)
        if how == "another":
            by = ALLOWED
        if how == "after something else":
            await opened(world, key=GROUP)
        if how == "a picture":
            text = ""
        quoted = Quoted("bot", asked.text, own=True)
        told = await world.say(text, key=GROUP, by=by, quoted=quoted, rows=ROWS, files=a_picture if not text else None)
        assert told.code == "number_without_picker"
        assert world.served == []
        assert (await pressed(world, told, "Open a new one", key=GROUP, by=by)).kind is ReplyKind.PICKER

    async def test_who_may_only_chat_answers_no_question_of_the_picker(self) -> None:
        access = AccessRules(owners=frozenset({OWNER}), allow=frozenset({ALLOWED}), groups=frozenset({"telegram:-100"}))
        world = World(rules=rules(access=access))
        asked = await pressed(world, await opened(world, key=GROUP), "Search", key=GROUP)
        told = await world.say("son", key=GROUP, by=STRANGER, quoted=Quoted("bot", asked.text, own=True), rows=ROWS)
        assert told.code == "number_without_picker"
        assert world.served == []

    @pytest.mark.parametrize("how", ["not own", "other words", "a number"])
    async def test_what_does_not_answer_the_question_is_a_message(self, how: str) -> None:
        world = World()
        asked = await pressed(world, await opened(world, key=GROUP), "Search", key=GROUP)
        quoted = Quoted("bot", asked.text, own=True)
        if how == "not own":
            quoted = Quoted("Ann", asked.text)
        if how == "other words":
            quoted = Quoted("bot", "Now big (acme/large)", own=True)
        if how == "a number":
            assert (await world.say("/model 1", key=GROUP, rows=ROWS)).code == "number_without_picker"
            return
        await world.say("son", key=GROUP, quoted=quoted, rows=ROWS)
        assert len(world.served) == 1

    async def test_nothing_found_says_what_was_looked_for_and_the_nearest(self) -> None:
        world = World()
        none = await self.pressed_with(world, await opened(world), "xyzzy\u202e``@everyone")
        assert none.code == "model_unknown"
        assert "No model fits 'xyzzy\\u202e``@everyone'" in none.text
        assert len(labels(none, "model")) == 3
        assert "Search" in labels(none, "action")

    async def test_typed_in_a_chat_or_a_terminal(self) -> None:
        world = World()
        assert labels(await world.say("/models son", rows=ROWS), "model") == ["zeta/sonnet-1 · ready"]
        listed = await world.say("/model list son")
        assert listed.data["choices"][0]["ref"] == "zeta/sonnet-1"
        await world.say("/model 1")
        assert stands(world)[0] == "zeta/sonnet-1"
        assert (await world.say("/models nobody-like-it")).code == "model_unknown"

    async def test_an_exact_provider_comes_before_a_search(self) -> None:
        world = World(rules=rules(provider("acme", "small", "zeta-like"), provider("zeta", "opus-1")))
        assert [c["ref"] for c in (await world.say("/models zeta")).data["choices"]] == ["zeta/opus-1"]

    async def test_a_number_at_the_end_is_a_page_where_there_is_one(self) -> None:
        names = [f"gpt-{n}" for n in range(1, 24)]
        world = World(rules=rules(provider("acme", "small", *names)))
        second = await world.say("/models gpt 2")
        assert (second.data["page"], second.data["pages"]) == (2, 3)
        assert [c["ref"] for c in (await world.say("/models gpt 17")).data["choices"]] == ["acme/gpt-17"]

    async def pressed_with(self, world: World, reply: Reply, text: str) -> Reply:
        button = next(b for b in reply.buttons if b.label == "Search")
        press = world.inbound(text, ingress=Ingress.BUTTON, token=reply.token, number=button.n, rows=ROWS)
        return (await world.do(press))[0]

    async def replied(self, world: World, asked: Reply, text: str) -> list[Reply]:
        quoted = Quoted("bot", asked.text.partition("\n")[0], own=True)
        return await world.do(world.inbound(text, quoted=quoted, rows=ROWS))


ODD = [
    "a b",
    'quo"te',
    "at@mark",
    "x@20251001",
    "ünï/çødé",
    "back`tick",
    "@everyone",
    "-",
    "list",
    "line\nbreak",
    "r\u202eltr",
    "x" * 300,
]


@pytest.mark.parametrize("name", ODD)
async def test_odd_names_have_clean_labels_and_do_what_they_say(name: str) -> None:
    world = World(
        rules=rules(provider("acme", "small", name)),
        profiles=[profile("acme:work"), profile(f"acme:{name}"), profile(name, provider="acme", label=f"{name}!")],
    )
    home = await opened(world)
    model = next(b for b in home.buttons if b.command.startswith("/pick use") and b.command != "/pick use acme/small")
    step = await self_pressed(world, home, model)
    assert all(len(b.label) <= 80 and b.label.isprintable() for b in (*home.buttons, *step.buttons))
    alone = [b for b in step.buttons if b.group == "credential"][-1]
    await self_pressed(world, step, alone)
    assert stands(world) == (f"acme/{name}", name)


async def self_pressed(world: World, reply: Reply, button: Button) -> Reply:
    press = world.inbound("", ingress=Ingress.BUTTON, token=reply.token, number=button.n, rows=ROWS)
    return (await world.do(press))[0]
