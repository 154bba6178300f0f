"""Who learns of a change: what was chosen in private, in a channel that others share; and pickers of several messages."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace

import pytest

from core.messages import Event, Reply, ReplyKind
from tests.adapters.discord_place import PICKER, Place, a_place, seen
from tests.fakes.discord_room import says

SHARED = Reply(kind=ReplyKind.NOTICE, text="Now small_er *x*.", replaces=True, shared=True)


@pytest.fixture
async def place() -> AsyncIterator[Place]:
    async with a_place() as made:
        yield made


async def test_a_change_from_a_private_picker_is_told_to_everybody_in_the_channel_with_whose_it_is(
    place: Place,
) -> None:
    place.alice.name = "<@1> Ada"
    picker = await place.picker()
    place.room.answer = says(SHARED)
    used = await place.handled(place.alice.selects(picker, "small"))
    assert picker.content == r"Now small_er \*x\*."
    assert [message.content for message in place.channel.messages] == ["\\<\\@\u200b1\\> Ada: Now small_er \\*x\\*."]
    assert place.channel.messages[0].pings == []
    assert used.answers == []


async def test_a_private_answer_to_a_command_that_changed_something_is_told_to_everybody_too(place: Place) -> None:
    used = await place.slash("small", Reply(kind=ReplyKind.STATUS, text="Now small.", private=True, shared=True))
    assert seen(used) == [("Now small.", True)]
    assert [message.content for message in place.channel.messages] == ["alice: Now small."]


async def test_what_everybody_has_seen_is_not_told_once_more(place: Place) -> None:
    shared = Reply(kind=ReplyKind.NOTICE, text="Now small.", shared=True)
    await place.slash("small", shared)
    await place.slash("small", shared, channel=place.alice.dm)
    private = (await place.slash(None, PICKER, channel=place.alice.dm)).answers[0]
    place.room.answer = says(SHARED)
    await place.handled(place.alice.selects(private, "small"))
    assert [message.content for message in place.channel.messages] == ["Now small."]
    assert len(place.alice.dm.messages) == 1
    place.room.answer = says(Reply(kind=ReplyKind.PICKER, text="Model", token="t", buttons=PICKER.buttons))
    place.alice.says(place.channel, "/model")
    public = (await place.room.wait_for(lambda: len(place.channel.messages) == 3 and place.channel.messages))[-1]
    await place.room.settled()
    place.room.answer = says(SHARED)
    await place.handled(place.alice.selects(public, "small"))
    assert len(place.channel.messages) == 3
    assert public.content == r"Now small_er \*x\*."


async def test_a_change_whose_interaction_has_expired_is_told_to_everybody_once(place: Place) -> None:
    picker = await place.picker()
    place.server.acknowledge_within = -1.0
    place.room.answer = says(SHARED)
    place.alice.selects(picker, "small")
    await place.room.wait_for(lambda: place.channel.messages)
    await place.room.settled()
    assert [message.content for message in place.channel.messages] == [r"Now small_er \*x\*."]


async def test_a_change_that_was_told_to_everybody_is_not_told_again_after_a_restart(place: Place) -> None:
    picker = await place.picker()
    reached = asyncio.Event()

    async def broken(_: object) -> AsyncIterator[Event]:
        yield SHARED
        reached.set()
        await asyncio.Event().wait()

    place.room.answer = broken  # type: ignore[assignment]
    place.alice.selects(picker, "small")
    await asyncio.wait_for(reached.wait(), 5)
    (task,) = place.room.delivering
    task.cancel()
    place.room.delivering.clear()
    place.room.answer = says(SHARED)
    item = place.room.inbox.items[2]
    await place.room.deliver(item, place.room.heard[-1])
    lost = replace(item, delivery={})
    await place.room.deliver(lost, place.room.heard[-1])
    assert [message.content for message in place.channel.messages] == [r"alice: Now small_er \*x\*."]


async def test_where_nothing_may_be_written_for_all_the_sender_still_has_the_answer(
    place: Place, caplog: pytest.LogCaptureFixture
) -> None:
    picker = await place.picker()
    place.channel.forbidden = True
    place.server.fail("POST", "/webhooks/", 403)
    place.room.answer = says(SHARED, Reply(kind=ReplyKind.NOTICE, text="More."))
    used = await place.handled(place.alice.selects(picker, "small"))
    assert picker.content == r"Now small_er \*x\*."
    assert seen(used) == [("More.", False)]
    assert "could not be told to the others" in caplog.text


async def test_where_the_bot_may_only_answer_interactions_all_is_told_that_way(place: Place) -> None:
    picker = await place.picker()
    place.channel.forbidden = True
    place.room.answer = says(SHARED, Reply(kind=ReplyKind.NOTICE, text="More."))
    used = await place.handled(place.alice.selects(picker, "small"))
    assert seen(used) == [(r"alice: Now small_er \*x\*.", False), ("More.", False)]


@pytest.mark.parametrize("way", ["slash", "typed"])
async def test_a_choice_from_a_picker_of_several_messages_takes_the_place_of_all_of_them(
    place: Place, way: str
) -> None:
    long = replace(PICKER, text="\n".join(f"{n}. model {n}" for n in range(500)))
    place.room.answer = says(long)
    if way == "slash":
        used = await place.handled(place.alice.slash(place.channel, "model"))
        parts = used.answers
    else:
        place.alice.says(place.channel, "/model")
        await place.room.wait_for(lambda: place.room.delivering)
        await place.room.settled()
        parts = place.channel.messages[1:]
    assert len(parts) > 2
    place.room.answer = says(replace(SHARED, shared=False))
    await place.handled(place.alice.selects(parts[-1], "small"))
    assert [part.content for part in parts if not part.deleted] == [r"Now small_er \*x\*."]


async def test_core_is_told_which_answers_nobody_else_sees(place: Place) -> None:
    await place.slash("", PICKER)
    assert place.room.heard[-1].unseen, "a command that only looks"
    await place.slash("small", SHARED)
    assert not place.room.heard[-1].unseen, "a command that may change something"
    picker = await place.picker()
    place.room.answer = says(SHARED)
    await place.handled(place.alice.selects(picker, "small"))
    assert place.room.heard[-1].unseen, "a press in a message for its sender alone"
    place.room.answer = says(PICKER)
    place.alice.says(place.channel, "/model")
    public = await place.room.wait_for(lambda: next((m for m in place.channel.messages if m.menus), None))
    await place.room.settled()
    assert not place.room.heard[-1].unseen, "a typed command"
    await place.handled(place.alice.selects(public, "small"))
    assert not place.room.heard[-1].unseen, "a press in a message for all"
