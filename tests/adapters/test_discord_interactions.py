"""Slash commands, autocomplete, menus and buttons: acknowledged in time, seen by whom they concern."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from adapters.discord.interactions import to_choices
from adapters.discord.slash_commands import only_looks, registration
from core.errors import Suggestion
from core.messages import Delta, Event, Ingress, Reply, ReplyKind, Working
from tests.adapters.discord_place import CHANGED, PICKER, Place, a_place, seen
from tests.fakes.discord_room import connected, says
from tests.fakes.discord_world import Interaction

ERROR = Reply(kind=ReplyKind.ERROR, text="There is no such model.", code="model_unknown")


@pytest.fixture
async def place() -> AsyncIterator[Place]:
    async with a_place() as made:
        yield made


async def test_a_slash_command_acts_on_the_session_of_its_chat(place: Place) -> None:
    thread = place.server.thread(place.channel)
    for channel, session in (
        (place.channel, f"channel:{place.channel.id}"),
        (thread, f"channel:{place.channel.id}:thread:{thread.id}"),
        (place.alice.dm, f"direct:{place.alice.id}"),
    ):
        await place.slash(" opus@work ", CHANGED, channel=channel)
        heard = place.room.heard[-1]
        assert (heard.ingress, heard.text, heard.mentioned) == (Ingress.COMMAND, "/model opus@work", True)
        assert str(heard.session) == f"agent:main:discord:default:{session}"
        assert heard.place.direct is (channel is place.alice.dm)


async def test_the_picker_is_for_the_sender_and_a_change_is_for_everybody(place: Place) -> None:
    assert seen(await place.slash(None, PICKER)) == [("Model: large", True)]
    assert seen(await place.slash("small", CHANGED)) == [("Now small.", False)]
    assert [message.content for message in place.channel.messages] == ["Now small."]


async def test_an_error_is_private_and_leaves_nothing_of_the_public_thinking(place: Place) -> None:
    used = await place.slash("nonsense", ERROR)
    assert seen(used) == [("There is no such model.", True)]
    assert not used.thinking
    assert place.channel.messages == []


async def test_in_a_private_chat_an_error_takes_the_place_of_the_thinking(place: Place) -> None:
    used = await place.slash("nonsense", ERROR, channel=place.alice.dm)
    assert [message.history for message in used.sent] == [["", "There is no such model."]]


async def test_a_private_notice_after_a_public_one_stays_private(place: Place) -> None:
    private = Reply(kind=ReplyKind.NOTICE, text="Between us.", private=True)
    assert seen(await place.slash("small", CHANGED, private)) == [("Now small.", False), ("Between us.", True)]


async def test_a_command_without_an_answer_does_not_think_for_ever(place: Place) -> None:
    used = await place.slash("small")
    assert seen(used) == []
    assert not used.thinking


async def test_a_long_answer_to_a_command_continues_in_follow_ups(place: Place) -> None:
    lines = "\n".join(f"profile {n}: ready" for n in range(250))
    used = await place.slash("status", Reply(kind=ReplyKind.STATUS, text=lines))
    assert "\n".join(message.content for message in used.answers) == lines
    assert {message.ephemeral for message in used.answers} == {True}


@pytest.mark.parametrize(
    ("command", "looks"),
    [
        ("/model", True),
        ("/model list", True),
        ("/model LIST anthropic 2", True),
        ("/model status", True),
        ("/model why", True),
        ("/models anthropic", True),
        ("/help", True),
        ("/status", True),
        ("/whoami", True),
        ("/model opus", False),
        ("/model 2", False),
        ("/model listless", False),
        ("/model undo", False),
        ("/new", False),
        ("/stop", False),
    ],
)
def test_what_only_looks_is_answered_in_private(command: str, looks: bool) -> None:
    assert only_looks(command) is looks


def test_a_command_name_that_discord_refuses_is_left_out(caplog: pytest.LogCaptureFixture) -> None:
    entries = registration([("model", "x" * 300), ("GPT 5", "an alias"), ("help", "")])
    assert [(entry["name"], len(entry["description"])) for entry in entries] == [("model", 100), ("help", 4)]
    assert "GPT 5" in caplog.text


async def test_an_interaction_is_acknowledged_in_time_whatever_its_commit_takes_and_answered_after_it(
    place: Place,
) -> None:
    place.room.commit_gate.clear()
    place.room.answer = says(CHANGED)
    used = place.alice.slash(place.channel, "model", "small")
    await place.room.wait_for(lambda: used.callback)
    assert used.acknowledged_after is not None
    assert used.acknowledged_after < 2.5
    assert place.room.heard == []
    place.room.commit_gate.set()
    await place.handled(used)
    assert seen(used) == [("Now small.", False)]


async def test_an_interaction_is_acknowledged_only_after_its_commit_if_that_is_quick(place: Place) -> None:
    place.room.commit_gate.clear()
    place.room.answer = says(CHANGED)
    used = place.alice.slash(place.channel, "model", "small")
    pressed = place.alice.slash(place.alice.dm, "model")
    await asyncio.sleep(0.3)
    assert (used.callback, pressed.callback) == (None, None)
    place.room.commit_gate.set()
    await place.room.wait_for(lambda: used.callback and pressed.callback)
    assert used.acknowledged_after is not None
    assert used.acknowledged_after < 1.4
    assert len(place.room.heard) == 2


async def test_an_interaction_that_waits_for_its_commit_when_it_ends_is_committed_on_the_way_out(place: Place) -> None:
    place.room.commit_gate.clear()
    place.room.answer = says(CHANGED)
    first = place.alice.slash(place.channel, "model", "small")
    second = place.alice.slash(place.channel, "model", "small")
    place.alice.asks(place.channel, "and this")
    await place.room.wait_for(lambda: first.callback and second.callback)
    assert place.room.run is not None
    place.room.run.cancel()
    place.room.commit_gate.set()
    await asyncio.gather(place.room.run, return_exceptions=True)
    assert [heard.ingress for heard in place.room.heard] == [Ingress.COMMAND, Ingress.COMMAND, Ingress.MESSAGE]
    assert str(place.channel.messages[0].id) in place.room.inbox.marks["discord", "default"]


async def test_autocomplete_offers_what_core_suggests(place: Place) -> None:
    place.room.suggestions = [
        Suggestion("opus", "opus · ready"),
        Suggestion("opus@anthropic:work", "l" * 200),
        Suggestion("x" * 101, "too long to be typed"),
        Suggestion("opus", "twice"),
        *(Suggestion(f"model-{n}", "") for n in range(40)),
    ]
    typing = place.alice.autocomplete(place.channel, "model", "op")
    choices: list[dict[str, Any]] = await place.room.wait_for(lambda: typing.choices)
    assert (place.room.asked[0].ingress, place.room.asked[0].text) == (Ingress.SUGGEST, "op")
    assert choices[0] == {"name": "opus · ready", "value": "opus"}
    assert choices[1]["value"] == "opus@anthropic:work"
    assert len(choices[1]["name"]) == 100
    assert choices[2] == {"name": "model-0", "value": "model-0"}
    assert len(choices) == 25
    assert place.room.heard == []


@pytest.mark.parametrize("trouble", ["slow", "broken"])
async def test_autocomplete_that_fails_offers_nothing_in_time(place: Place, trouble: str) -> None:
    place.room.suggest_takes = 60.0 if trouble == "slow" else -1.0
    if trouble == "broken":
        place.room.suggestions = [None]  # type: ignore[list-item]
    typing = place.alice.autocomplete(place.channel, "model", "op")
    assert await place.room.wait_for(lambda: typing.choices is not None)
    assert typing.choices == []
    assert typing.acknowledged_after is not None
    assert typing.acknowledged_after < 2.6


def test_a_suggestion_is_what_would_be_typed_unchanged() -> None:
    (choice,) = to_choices([Suggestion("models-x@model", " a\n b ")])
    assert (choice.name, choice.value) == ("a b", "models-x@model")


async def test_a_choice_from_the_menu_changes_the_message_it_was_made_in(place: Place) -> None:
    picker = await place.picker()
    place.room.answer = says(Reply(kind=ReplyKind.NOTICE, text="Now small.", replaces=True))
    used = await place.handled(place.alice.selects(picker, "small"))
    heard = place.room.heard[-1]
    assert (heard.ingress, heard.token, heard.number) == (Ingress.BUTTON, "tok", 2)
    assert str(heard.session) == f"agent:main:discord:default:channel:{place.channel.id}"
    assert (picker.content, picker.components) == ("Now small.", [])
    assert used.answers == []
    assert used.callback == 6


async def test_a_button_can_turn_the_page_in_place(place: Place) -> None:
    picker = await place.picker()
    further = Reply(kind=ReplyKind.STATUS, text="All about it", token="next", replaces=True, buttons=PICKER.buttons[2:])
    place.room.answer = says(further)
    await place.handled(place.alice.presses(picker, "Status"))
    assert place.room.heard[-1].number == 3
    assert picker.content == "All about it"
    place.room.answer = says(Reply(kind=ReplyKind.NOTICE, text="Again", replaces=True))
    await place.handled(place.alice.presses(picker, "Status"))
    assert (place.room.heard[-1].token, picker.content) == ("next", "Again")


async def test_a_private_answer_to_a_press_leaves_the_message_as_it_is(place: Place) -> None:
    (shown,) = (
        await place.slash("x", Reply(kind=ReplyKind.NOTICE, text="Card", token="tok", buttons=PICKER.buttons))
    ).answers
    bob = place.server.user("bob")
    place.room.answer = says(Reply(kind=ReplyKind.ERROR, text="These are not your buttons.", private=True))
    used = await place.handled(bob.presses(shown, "Status"))
    assert seen(used) == [("These are not your buttons.", True)]
    assert shown.content == "Card"


async def test_a_press_that_lets_a_kept_message_run_shows_its_answer_growing(place: Place) -> None:
    card = await place.picker()
    once = Reply(kind=ReplyKind.NOTICE, text="Using acme:home once.", replaces=True)
    whole = Reply(kind=ReplyKind.TEXT, text="the whole answer")
    place.room.answer = says(once, Working(), Delta("the whole"), whole)
    await place.handled(place.alice.presses(card, "Status"))
    assert card.content == "Using acme:home once."
    assert [message.content for message in place.channel.messages] == ["the whole answer"]


async def test_a_component_that_is_not_ours_is_acknowledged_and_nothing_else(place: Place) -> None:
    picker = await place.picker()
    data = {"custom_id": "somebody:else", "component_type": 2}
    used = place.server.interact(
        Interaction(type=3, person=place.alice, channel=place.channel, data=data, pressed=picker)
    )
    await place.room.wait_for(lambda: used.callback == 6)
    await place.slash("small", CHANGED)
    assert [heard.ingress for heard in place.room.heard] == [Ingress.COMMAND, Ingress.COMMAND]


async def test_a_message_dismissed_before_its_answer_gets_the_answer_beside_it(place: Place) -> None:
    picker = await place.picker()
    place.room.answer = says(Reply(kind=ReplyKind.NOTICE, text="Now small.", replaces=True))
    picker.deleted = True
    used = await place.handled(place.alice.presses(picker, "Status"))
    assert [message.content for message in used.answers] == ["Now small."]


async def test_a_thinking_message_that_was_dismissed_is_answered_in_the_channel(place: Place) -> None:
    place.room.commit_gate.clear()
    place.room.answer = says(CHANGED)
    used = place.alice.slash(place.channel, "model", "small")
    await place.room.wait_for(lambda: used.original)
    assert used.original is not None
    used.original.deleted = True
    place.room.commit_gate.set()
    await place.handled(used)
    assert [message.content for message in place.channel.messages] == ["Now small."]


async def test_an_interaction_acknowledged_too_late_is_answered_in_the_channel(
    place: Place, caplog: pytest.LogCaptureFixture
) -> None:
    place.server.acknowledge_within = -1.0
    place.room.answer = says(CHANGED)
    place.alice.slash(place.channel, "model", "small")
    await place.room.wait_for(lambda: place.channel.messages)
    assert [message.content for message in place.channel.messages] == ["Now small."]
    assert "could not be acknowledged" in caplog.text


async def test_what_only_the_sender_should_see_does_not_go_to_the_channel_when_the_interaction_has_expired(
    place: Place, caplog: pytest.LogCaptureFixture
) -> None:
    place.server.acknowledge_within = -1.0
    place.room.answer = says(PICKER)
    place.alice.slash(place.channel, "model")
    place.alice.slash(place.alice.dm, "model")
    await place.room.wait_for(lambda: place.alice.dm.messages)
    await place.room.settled()
    assert [message.content for message in place.alice.dm.messages] == ["Model: large"]
    assert place.channel.messages == []
    assert "only its sender" in caplog.text


async def test_an_answer_that_outlives_its_interaction_is_finished_in_the_channel(place: Place) -> None:
    expired = asyncio.Event()

    async def answer(_: object) -> AsyncIterator[Event]:
        yield CHANGED
        await expired.wait()
        yield Reply(kind=ReplyKind.NOTICE, text="And its end.")

    place.room.answer = answer  # type: ignore[assignment]
    used = place.alice.slash(place.channel, "model", "small once")
    await place.room.wait_for(lambda: used.answers)
    used.expired = True
    expired.set()
    await place.room.wait_for(lambda: len(place.channel.messages) == 2)
    await place.room.settled()
    assert [message.content for message in place.channel.messages] == ["Now small.", "And its end."]


async def test_a_command_is_answered_after_a_restart_through_its_own_token(place: Place) -> None:
    place.room.answer = says()
    stuck = asyncio.Event()

    async def never(_: object) -> AsyncIterator[Event]:
        stuck.set()
        await asyncio.Event().wait()
        yield CHANGED

    place.room.answer = never  # type: ignore[assignment]
    used = place.alice.slash(place.channel, "model", "small")
    await asyncio.wait_for(stuck.wait(), 5)
    (item,) = place.room.inbox.items.values()
    async with connected(place.server, place.room.inbox) as later:
        later.answer = says(CHANGED)
        inbound = later.platform.read(item.update)
        assert inbound is not None
        await later.deliver(item, inbound)
    assert seen(used) == [("Now small.", False)]
    assert not used.thinking


async def test_an_interrupted_answer_to_a_command_is_not_sent_again(place: Place) -> None:
    reached = asyncio.Event()
    notices = [Reply(kind=ReplyKind.NOTICE, text=text) for text in ("one", "two", "three")]

    async def half(_: object) -> AsyncIterator[Event]:
        yield notices[0]
        yield notices[1]
        reached.set()
        await asyncio.Event().wait()

    place.room.answer = half  # type: ignore[assignment]
    place.alice.slash(place.channel, "model", "small")
    await asyncio.wait_for(reached.wait(), 5)
    (task,) = place.room.delivering
    task.cancel()
    place.room.delivering.clear()
    place.room.answer = says(*notices)
    await place.room.deliver(place.room.inbox.items[1], place.room.heard[0])
    assert [message.content for message in place.channel.messages] == ["one", "two", "three"]


async def test_the_same_interaction_twice_is_acknowledged_and_answered_once(place: Place) -> None:
    place.room.answer = says(CHANGED)
    used = place.alice.slash(place.channel, "model", "small")
    place.server.interact(used)
    await place.handled(used)
    await place.slash("x", CHANGED)
    assert seen(used) == [("Now small.", False)]
    assert len(place.server.sent("POST", f"/interactions/{used.id}/")) == 1
