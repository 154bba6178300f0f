"""The picker on Discord: menus and buttons of a step, forms that ask, and who sees what."""

import asyncio
from collections.abc import AsyncIterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.discord.components import build_components, build_form, read_custom_id
from core.errors import Suggestion
from core.messages import Button, Ingress, Reply, ReplyKind, Tone
from tests.adapters.discord_place import CHANGED, Place, a_place, seen
from tests.fakes.discord_limits import check_message, check_modal
from tests.fakes.discord_room import connected, says
from tests.fakes.discord_world import Message


@pytest.fixture
async def place() -> AsyncIterator[Place]:
    async with a_place() as made:
        yield made


def button(n: int, label: str, group: str, **more: object) -> Button:
    return Button(n=n, label=label, command=f"/model {n}", group=group, **more)  # type: ignore[arg-type]


MODELS = Reply(
    kind=ReplyKind.PICKER,
    text="Models of acme",
    token="tok",
    private=True,
    buttons=(
        button(1, "large · ready", "model", tone=Tone.GOOD, selected=True, detail="acme/large"),
        button(2, "small · back in 4m", "model", tone=Tone.WAITING),
        button(3, "tiny · no credential", "model", tone=Tone.BAD),
        button(4, "Search", "action", asks="Which model?"),
        button(5, "Cancel", "action"),
        button(6, "acme", "provider", earlier=True, selected=True),
        button(7, "zeta", "provider", earlier=True),
    ),
)


async def shown(place: Place, reply: Reply = MODELS) -> Message:
    return (await place.slash(None, reply)).answers[0]


async def test_a_step_has_the_step_before_it_above_its_choices_and_actions_below(place: Place) -> None:
    picker = await shown(place)
    assert picker.ephemeral
    assert picker.menus == {
        "Provider": ["acme", "zeta"],
        "Model": ["large · ready", "small · back in 4m", "tiny · no credential"],
    }
    assert picker.buttons == ["Search", "Cancel"]
    providers, models = picker.parts[:2]
    assert [bool(option.get("default")) for option in providers["options"]] == [True, False]
    assert not any(option.get("default") for option in models["options"]), "what is in force can be chosen again"
    assert [option["emoji"]["name"] for option in models["options"]] == ["🟢", "🟡", "🔴"]
    assert [option.get("description") for option in models["options"]] == ["now · acme/large", None, None]


async def test_all_steps_take_place_in_one_private_message_and_cancel_ends_it(place: Place) -> None:
    picker = await shown(place)
    second = Reply(kind=ReplyKind.PICKER, text="Credentials", token="two", replaces=True, buttons=MODELS.buttons)
    place.room.answer = says(second)
    await place.handled(place.alice.selects(picker, "small · back in 4m"))
    assert (place.room.heard[-1].token, place.room.heard[-1].number) == ("tok", 2)
    place.room.answer = says(
        Reply(kind=ReplyKind.PICKER, text="Models", token="three", replaces=True, buttons=MODELS.buttons)
    )
    await place.handled(place.alice.selects(picker, "zeta"))
    assert (place.room.heard[-1].token, place.room.heard[-1].number) == ("two", 7)
    place.room.answer = says(Reply(kind=ReplyKind.NOTICE, text="Nothing was changed.", replaces=True))
    used = await place.handled(place.alice.presses(picker, "Cancel"))
    assert (picker.content, picker.components) == ("Nothing was changed.", [])
    assert used.answers == []
    assert place.channel.messages == []


async def test_a_press_that_asks_opens_a_form_at_once_and_what_is_typed_counts_as_the_press(place: Place) -> None:
    picker = await shown(place)
    place.room.commit_gate.clear()
    asked = place.alice.presses(picker, "Search")
    form = await place.room.wait_for(lambda: asked.modal)
    assert asked.acknowledged_after is not None
    assert asked.acknowledged_after < 1, "a form waits for no commit"
    assert (form["title"], form["components"][0]["label"]) == ("Which model?", "Which model?")
    assert len(place.room.heard) == 1, "a press that only asks is nothing to be stored"
    place.room.commit_gate.set()
    place.room.answer = says(
        Reply(kind=ReplyKind.PICKER, text="Found", token="two", replaces=True, buttons=MODELS.buttons)
    )
    sent = await place.handled(place.alice.types(asked, " opus "))
    heard = place.room.heard[-1]
    assert (heard.ingress, heard.token, heard.number, heard.text) == (Ingress.BUTTON, "tok", 4, " opus ")
    assert sent.callback == 6
    assert picker.content == "Found"
    assert seen(sent) == []


async def test_a_form_works_after_a_restart_in_the_words_of_its_button(place: Place) -> None:
    picker = await shown(place)
    assert place.room.run is not None
    place.room.run.cancel()
    await asyncio.gather(place.room.run, return_exceptions=True)
    async with connected(place.server, place.room.inbox) as later:
        asked = place.alice.presses(picker, "Search")
        form = await later.wait_for(lambda: asked.modal)
        assert form["title"] == "Which model?"
        sent = place.alice.types(asked, "opus")
        await later.wait_for(lambda: later.heard)
        assert (later.heard[0].number, later.heard[0].text) == (4, "opus")
        await later.settled()
        assert sent.callback == 6


async def test_a_form_that_nobody_fills_in_can_be_opened_again(place: Place) -> None:
    picker = await shown(place)
    first, second = (place.alice.presses(picker, "Search") for _ in range(2))
    await place.room.wait_for(lambda: first.modal and second.modal)
    assert first.modal == second.modal


async def test_a_form_that_opens_too_late_stops_nothing(place: Place, caplog: pytest.LogCaptureFixture) -> None:
    picker = await shown(place)
    place.server.acknowledge_within = -1.0
    asked = place.alice.presses(picker, "Search")
    await place.room.wait_for(lambda: place.server.sent("POST", f"/interactions/{asked.id}/"))
    place.server.acknowledge_within = 3.0
    assert seen(await place.slash("small", CHANGED)) == [("Now small.", False)]
    assert asked.modal is None
    assert "A form could not be opened" in caplog.text
    assert asked.token not in caplog.text


async def test_somebody_elses_press_gets_an_answer_of_its_own(place: Place) -> None:
    place.room.answer = says(MODELS)
    place.alice.says(place.channel, "/model")
    await place.room.wait_for(lambda: place.room.delivering)
    await place.room.settled()
    picker = place.channel.messages[-1]
    bob = place.server.user("bob")
    place.room.answer = says(Reply(kind=ReplyKind.ERROR, text="These belong to somebody else.", private=True))
    used = await place.handled(bob.presses(picker, "Cancel"))
    assert seen(used) == [("These belong to somebody else.", True)]
    assert picker.content == "Models of acme"


async def test_a_stranger_who_presses_search_gets_no_form_but_the_refusal(place: Place) -> None:
    place.room.answer = says(MODELS)
    place.alice.says(place.channel, "/model")
    await place.room.wait_for(lambda: place.room.delivering)
    await place.room.settled()
    mallory = place.server.user("mallory")
    place.room.strangers.add(str(mallory.id))
    place.room.answer = says(Reply(kind=ReplyKind.ERROR, text="You are not authorised here.", private=True))
    used = await place.handled(mallory.presses(place.channel.messages[-1], "Search"))
    assert (used.modal, used.callback) == (None, 6)
    assert seen(used) == [("You are not authorised here.", True)]
    assert (place.room.heard[-1].token, place.room.heard[-1].number) == ("tok", 4)


async def test_a_strangers_command_shows_nothing_to_anybody_else(place: Place) -> None:
    mallory = place.server.user("mallory")
    place.room.strangers.add(str(mallory.id))
    refusal = Reply(kind=ReplyKind.ERROR, text="You are not authorised here.", private=True)
    place.room.answer = says(refusal)
    place.room.commit_gate.clear()
    used = mallory.slash(place.channel, "model", "large")
    await place.room.wait_for(lambda: used.callback)
    assert [message.ephemeral for message in used.sent] == [True]
    place.room.commit_gate.set()
    await place.handled(used)
    assert seen(used) == [(refusal.text, True)]
    assert [message.ephemeral for message in place.channel.everything] == [True]


async def test_whether_an_answer_was_begun_in_private_is_known_after_a_restart(place: Place) -> None:
    mallory = place.server.user("mallory")
    place.room.strangers.add(str(mallory.id))
    stuck = asyncio.Event()

    async def never(_: object) -> AsyncIterator[Reply]:
        stuck.set()
        await asyncio.Event().wait()
        yield CHANGED

    place.room.answer = never  # type: ignore[assignment]
    used = mallory.slash(place.channel, "model", "large")
    await asyncio.wait_for(stuck.wait(), 5)
    (item,) = place.room.inbox.items.values()
    async with connected(place.server, place.room.inbox) as later:
        later.answer = says(Reply(kind=ReplyKind.ERROR, text="Not you.", private=True))
        inbound = later.platform.read(item.update)
        assert inbound is not None
        await later.deliver(item, inbound)
    assert [message.history for message in used.sent] == [["", "Not you."]]


async def test_new_completes_models_and_leaves_out_what_only_model_understands(place: Place) -> None:
    place.room.suggestions = [
        Suggestion(name, name) for name in ("opus", "status", "@acme:work", "opus for 2h", "opus@acme:work")
    ]
    typing = place.alice.autocomplete(place.channel, "new", "o")
    choices = await place.room.wait_for(lambda: typing.choices)
    assert [choice["value"] for choice in choices] == ["opus", "opus@acme:work"]


def test_what_has_no_room_are_the_earlier_steps_the_first_of_them_first() -> None:
    def groups(present: int, actions: int) -> list[str]:
        made = [button(n, f"p {n}", "provider", earlier=True, selected=n == 27) for n in range(1, 31)]
        made += [button(100 + n, f"m {n}", "model", earlier=True) for n in range(3)]
        made += [button(200 + n, f"c {n}", "credential") for n in range(present)]
        made += [button(300 + n, f"a {n}", "action") for n in range(actions)]
        reply = Reply(kind=ReplyKind.PICKER, text="x", token="t", buttons=tuple(made))
        parts = [row["components"][0] for row in build_components(reply)]
        return [part.get("placeholder", "-") for part in parts]

    assert groups(3, 5) == ["Provider (26 to 30)", "Model", "Credential", "-"]
    assert groups(3, 15) == ["Model", "Credential", "-", "-", "-"]
    assert groups(60, 5) == [
        "Model",
        "Credential (200 to 224)",
        "Credential (225 to 249)",
        "Credential (250 to 259)",
        "-",
    ]
    assert groups(100, 5) == [*(f"Credential ({a} to {a + 24})" for a in (200, 225, 250, 275)), "-"]


_words = st.text(max_size=160)
_buttons = st.builds(
    Button,
    n=st.integers(1, 9999),
    label=_words,
    command=st.just("/model"),
    group=st.sampled_from(("action", "choice", "provider", "model", "", "x" * 200)),
    selected=st.booleans(),
    earlier=st.booleans(),
    asks=st.one_of(st.just(""), _words),
    detail=_words,
    tone=st.sampled_from(Tone),
)


@given(st.lists(_buttons, max_size=160, unique_by=lambda made: made.n))
def test_whatever_core_offers_discord_takes_it_and_each_press_is_the_one_it_was_made_for(made: list[Button]) -> None:
    rows = build_components(Reply(kind=ReplyKind.PICKER, text="pick", token="a_b-C9d8E7f6", buttons=tuple(made)))
    check_message({"content": "pick", "components": rows})
    by_number = {one.n: one for one in made}
    for part in (part for row in rows for part in row["components"]):
        values = [[option["value"]] for option in part.get("options", ())] or [[]]
        for value in values:
            pressed = read_custom_id(part["custom_id"], value)
            assert pressed is not None
            token, number = pressed
            form = build_form(part["custom_id"], value)
            assert token == "a_b-C9d8E7f6"
            assert (form is not None) == (by_number[number].asks != "")
            if form is not None:
                check_modal(form)
                assert read_custom_id(form["custom_id"], []) == pressed


@pytest.mark.parametrize("custom_id", ["somebody:else?What", "rc:tok?What", "rc::3?What", "?", "rc:tok:3"])
def test_only_a_press_of_our_own_that_asks_opens_a_form(custom_id: str) -> None:
    assert build_form(custom_id, []) is None
