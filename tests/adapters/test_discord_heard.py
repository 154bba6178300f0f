"""What comes in beside plain messages: edits, deletions, quotes, and the facts that core keeps of a chat."""

from collections.abc import AsyncIterator
from dataclasses import replace

import pytest

from core.messages import Inbound, Ingress, Quoted
from tests.adapters.discord_place import Place, a_place, notice, text
from tests.fakes.discord_cdn import Upload
from tests.fakes.discord_room import connected, says
from tests.fakes.discord_world import Message
from tests.fakes.inbox import FakeInbox


@pytest.fixture
async def place() -> AsyncIterator[Place]:
    async with a_place() as made:
        yield made


async def hears(place: Place, count: int) -> list[Inbound]:
    """The first `count` inbounds, and that no more have come when a last message is answered."""
    await place.room.wait_for(lambda: len(place.room.heard) >= count)
    last = await place.hears(place.alice.dm, "that is all")
    assert place.room.heard[count:] == [last]
    return place.room.heard[:count]


async def test_a_message_says_what_core_keeps_of_it(place: Place) -> None:
    role = place.server.role(place.guild, place.alice)
    said = place.alice.asks(place.thread, "hello")
    (heard,) = await hears(place, 1)
    guild, channel = place.guild.id, place.channel.id
    assert (heard.message, heard.chat) == (str(said.id), f"{guild}/{channel}/{place.thread.id}")
    assert (heard.rows, heard.quoted, heard.has_secret, heard.sender.roles) == (25, None, False, (str(role),))
    assert (await place.hears(place.channel, "hello")).chat == f"{guild}/{channel}"
    assert (await place.hears(place.alice.dm, "hello")).chat == f"person:{place.alice.id}"
    await place.slash("status", notice("fine"), channel=place.alice.dm)
    assert (place.room.heard[-1].chat, place.room.heard[-1].rows) == (f"person:{place.alice.id}", 25)


async def test_a_changed_message_is_told_once_with_what_it_says_now(place: Place) -> None:
    said = await _said(place, "what is 2+2?")
    place.alice.edits(said, f"<@{place.server.bot.id}> what is 3+3?")
    place.server.embeds(said)
    place.alice.edits(said, "what is 4+4?")
    first, edited, again = await hears(place, 3)
    assert [one.ingress for one in (first, edited, again)] == [Ingress.MESSAGE, Ingress.EDIT, Ingress.EDIT]
    assert [one.message for one in (first, edited, again)] == [str(said.id)] * 3
    assert [one.text for one in (first, edited, again)] == ["what is 2+2?", "what is 3+3?", "what is 4+4?"]
    assert (edited.session, edited.sender) == (first.session, first.sender)
    assert len({item.update.key for item in place.room.inbox.items.values()}) == 4


async def test_a_link_preview_is_no_edit(place: Place) -> None:
    said = await _said(place, "see https://example.org")
    place.server.embeds(said)
    await hears(place, 1)


async def test_what_people_change_among_themselves_is_not_even_committed(place: Place) -> None:
    said = place.alice.says(place.channel, "hello bob")
    place.alice.edits(said, "hello, bob")
    place.alice.deletes(said)
    robot = place.server.user("robot", bot=True)
    robot.edits(robot.says(place.channel, "beep"), f"<@{place.server.bot.id}> beep")
    await hears(place, 0)
    assert len(place.room.inbox.items) == 1


async def test_a_message_that_names_the_bot_only_since_it_was_changed_is_an_edit(place: Place) -> None:
    said = place.alice.says(place.channel, "what is 2+2?")
    place.alice.edits(said, f"<@{place.server.bot.id}> what is 2+2?")
    (edited,) = await hears(place, 1)
    assert (edited.ingress, edited.text, edited.mentioned) == (Ingress.EDIT, "what is 2+2?", True)


async def test_an_edit_of_a_message_from_before_a_restart_is_heard_if_it_is_for_the_bot() -> None:
    inbox = FakeInbox()
    async with a_place() as place:
        async with connected(place.server, inbox) as earlier:
            said = place.alice.asks(place.channel, "one")
            await earlier.wait_for(lambda: earlier.heard)
        async with connected(place.server, inbox) as later:
            place.alice.edits(said, f"<@{place.server.bot.id}> two")
            await later.wait_for(lambda: later.heard)
            assert (later.heard[0].ingress, later.heard[0].text) == (Ingress.EDIT, "two")


async def test_a_deleted_message_is_told_with_its_author_alone_or_with_others(place: Place) -> None:
    bob = place.server.user("bob")
    for person, channel in ((place.alice, place.channel), (bob, place.channel), (place.alice, place.alice.dm)):
        person.asks(channel, "hello")
        await place.room.settled()
    await place.room.wait_for(lambda: len(place.room.heard) == 3)
    by_alice, by_bob = (m for m in place.channel.everything if m.author is not place.server.bot)
    place.alice.deletes(place.alice.dm.everything[0])
    place.server.take_back(by_alice, by_bob)
    heard = (await hears(place, 6))[3:]
    assert [(one.ingress, one.message) for one in heard] == [
        (Ingress.DELETION, str(message.id)) for message in (place.alice.dm.everything[0], by_alice, by_bob)
    ]
    assert [one.sender.id for one in heard] == [str(place.alice.id), str(place.alice.id), str(bob.id)]
    assert [one.session for one in heard] == [place.room.heard[n].session for n in (2, 0, 1)]


async def test_a_deletion_of_a_message_from_before_a_restart_is_told_without_its_author() -> None:
    async with a_place() as place:
        before = [place.alice.asks(channel, "one") for channel in (place.channel, place.thread, place.alice.dm)]
        await place.room.wait_for(lambda: len(place.room.heard) == 3)
        asked = list(place.room.heard)
        async with connected(place.server, FakeInbox()) as later:
            for message in before:
                place.alice.deletes(message)
            await later.wait_for(lambda: len(later.heard) == 3)
            assert [(one.ingress, one.message) for one in later.heard] == [
                (Ingress.DELETION, str(message.id)) for message in before
            ]
            assert [one.session for one in later.heard] == [one.session for one in asked]
            assert [one.place for one in later.heard] == [one.place for one in asked[:2]] + [later.heard[2].place]
            assert [one.sender.id for one in later.heard] == ["", "", str(place.alice.id)]


async def test_once_it_listens_a_deletion_of_what_was_not_to_the_bot_is_left_out() -> None:
    async with a_place() as place:
        place.alice.says(place.channel, "hello bob")
        chatter = place.alice.says(place.channel, "bob?")
        place.alice.deletes(chatter)
        await place.hears(place.channel, "last")
        assert [heard.text for heard in place.room.heard] == ["last"]


async def test_what_a_message_replies_to_comes_along(place: Place) -> None:
    question = await _said(place, "hello")
    (answer,) = [message for message in place.channel.messages if message.author is place.server.bot]
    bob = place.server.user("bob")
    bob.asks(place.channel, "what did she say?", reply_to=question)
    bob.says(place.channel, "and you?", reply_to=answer)
    question.deleted = True
    bob.asks(place.channel, "gone?", reply_to=question)
    _, to_alice, to_bot, to_nothing = await hears(place, 4)
    assert to_alice.quoted == Quoted("alice", "hello"), "without the name by which it called the bot"
    assert to_bot.quoted == Quoted("claw", answer.content, own=True)
    assert to_nothing.quoted is None


async def test_what_the_bot_has_said_is_quoted_as_it_was_meant(place: Place) -> None:
    words = "Use *one* of acme_work, `x`, or [this](that) <@1>."
    await place.answers(notice(words))
    shown = place.channel.messages[-1]
    assert shown.content != words
    place.room.answer = says(text("fine"))
    place.alice.says(place.channel, "which?", reply_to=shown)
    await place.room.wait_for(lambda: len(place.room.heard) == 2)
    assert place.room.heard[-1].quoted == Quoted("claw", words, own=True)


async def test_a_row_whose_secret_was_blotted_out_says_so(place: Place) -> None:
    await _said(place, "my key is ████")
    (stored,) = place.room.received
    heard = place.room.platform.read(replace(stored, payload={**stored.payload, "has_secret": True}))
    assert heard is not None
    assert heard.has_secret


async def test_rows_of_earlier_versions_can_still_be_read(place: Place) -> None:
    await _said(place, "hello")
    (stored,) = place.room.received
    payload = {key: value for key, value in stored.payload.items() if key != "quoted"}
    heard = place.room.platform.read(replace(stored, payload=payload))
    assert heard is not None
    assert (heard.text, heard.quoted) == ("hello", None)


async def test_a_file_can_be_taken_away_by_an_edit(place: Place) -> None:
    said = place.alice.asks(place.channel, "", files=(Upload("a.png"),))
    place.alice.edits(said, f"<@{place.server.bot.id}> never mind")
    heard = await hears(place, 2)
    assert [one.text for one in heard] == ["", "never mind"]


async def _said(place: Place, words: str) -> Message:
    """Alice's first message, once it is answered."""
    message = place.alice.asks(place.channel, words)
    await place.room.wait_for(lambda: place.room.heard)
    await place.room.settled()
    return message
