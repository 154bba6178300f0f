"""What is said without being asked, what is taken out of a chat, and chats that take nothing any more."""

import json
import logging
from collections.abc import AsyncIterator
from dataclasses import replace

import pytest

from core.messages import Button, Ingress, Reply, ReplyKind
from core.ports import InboxItem, InboxState
from tests.adapters.discord_place import Place, a_place, notice, text
from tests.fakes.discord_room import Room, connected, says
from tests.fakes.discord_server import DiscordServer

ENDED = Reply(
    kind=ReplyKind.NOTICE,
    text="The pin of acme:work has ended.",
    token="tok",
    buttons=(Button(n=1, label="Pin it again", command="/model undo", group="action"),),
)


@pytest.fixture
async def place() -> AsyncIterator[Place]:
    async with a_place() as made:
        yield made


async def announce(place: Place, chat: str, *replies: Reply, key: str = "announcement:1") -> InboxItem:
    """What core does: an item that is answered already, delivered."""
    update = place.room.platform.announcement(chat, key)
    (item,) = await place.room.inbox.receive([update], place.room.clock.now())
    place.room.answer = says(*replies)
    heard = place.room.platform.read(item.update)
    assert heard is not None
    await place.room.deliver(item, heard)
    return item


async def test_an_announcement_goes_to_the_chat_that_a_message_came_from(place: Place) -> None:
    for channel in (place.channel, place.thread, place.alice.dm):
        heard = await place.hears(channel, "hello")
        before = len(channel.messages)
        item = await announce(place, heard.chat, ENDED, key=f"announcement:{heard.chat}")
        (said,) = channel.messages[before:]
        assert (said.content, said.buttons, said.reference) == (ENDED.text, ["Pin it again"], None)
        read = place.room.platform.read(item.update)
        assert read is not None
        assert (read.session, read.chat) == (heard.session, heard.chat)
        assert read.place == heard.place or channel is place.alice.dm
        assert read.place.direct is heard.place.direct
        assert item.update.lane == str(heard.session)
        assert item.update.key == f"announcement:{heard.chat}"


async def test_a_press_on_an_announcement_is_a_press(place: Place) -> None:
    heard = await place.hears(place.alice.dm, "hello")
    await announce(place, heard.chat, ENDED)
    said = place.alice.dm.messages[-1]
    place.room.answer = says(notice("Pinned.", replaces=True))
    place.alice.presses(said, "Pin it again")
    await place.room.wait_for(lambda: said.content == "Pinned.")
    pressed = place.room.heard[-1]
    assert (pressed.ingress, pressed.token, pressed.number, pressed.session) == (
        Ingress.BUTTON,
        "tok",
        1,
        heard.session,
    )


async def test_a_person_who_has_never_written_is_told_in_private(place: Place) -> None:
    bob = place.server.user("bob")
    item = await announce(place, f"person:{bob.id}", notice("one"), notice("two"))
    assert [message.content for message in bob.dm.messages] == ["one", "two"]
    assert len(place.server.sent("POST", "/users/@me/channels")) == 1
    read = place.room.platform.read(item.update)
    assert read is not None
    assert (read.sender.key, read.place.direct, read.text) == (f"discord:{bob.id}", True, "")
    assert str(read.session) == f"agent:main:discord:default:direct:{bob.id}"


async def test_in_a_shared_chat_an_announcement_is_nobodys_message(place: Place) -> None:
    heard = await place.hears(place.channel, "hello")
    read = place.room.platform.read(place.room.platform.announcement(heard.chat, "k"))
    assert read is not None
    assert (read.sender.id, read.place.direct) == ("", False)


async def test_an_announcement_that_broke_off_is_not_said_twice_even_if_its_note_was_lost(place: Place) -> None:
    heard = await place.hears(place.channel, "hello")
    item = await announce(place, heard.chat, notice("one"), notice("two"))
    place.room.inbox.items[item.id] = item
    await place.room.deliver(item, heard)
    async with connected(place.server, place.room.inbox) as later:
        later.answer = says(notice("one"), notice("two"))
        await later.deliver(item, heard)
    assert [message.content for message in place.channel.messages[2:]] == ["one", "two"]


async def test_one_announcement_is_one_row_and_another_one_another_message(place: Place) -> None:
    heard = await place.hears(place.channel, "hello")
    await announce(place, heard.chat, notice("same words"), key="announcement:a")
    await announce(place, heard.chat, notice("same words"), key="announcement:b")
    again = place.room.platform.announcement(heard.chat, "announcement:a")
    assert await place.room.inbox.receive([again], place.room.clock.now()) == ()
    assert [message.content for message in place.channel.messages[2:]] == ["same words", "same words"]


async def test_a_person_who_takes_no_messages_is_logged_and_dropped(
    place: Place, caplog: pytest.LogCaptureFixture
) -> None:
    bob = place.server.user("bob")
    bob.closed = True
    item = await announce(place, f"person:{bob.id}", notice("hello"))
    assert bob.dm.messages == []
    assert place.room.inbox.items[item.id].state is InboxState.DONE
    assert "50007" in caplog.text


async def test_a_person_who_is_gone_is_logged_and_dropped(place: Place, caplog: pytest.LogCaptureFixture) -> None:
    item = await announce(place, "person:77", notice("hello"))
    assert place.room.inbox.items[item.id].state is InboxState.DONE
    assert "10013" in caplog.text


@pytest.mark.parametrize(
    "chat", ["", "person:", "person:abc", "12", "1/2/3/4", "1/x", "person:1/2", "-100123", "1/" + "9" * 30]
)
def test_a_text_that_names_no_chat_is_refused(chat: str) -> None:
    with DiscordServer() as server, pytest.raises(ValueError, match="names no chat on Discord"):
        Room(server).platform.announcement(chat, "k")


REFUSED = Reply(kind=ReplyKind.ERROR, text="That looked like a key.", deletes=True, private=True)


async def test_a_message_that_is_to_go_is_removed_before_its_answer(place: Place) -> None:
    await place.answers(REFUSED)
    (question,) = [message for message in place.channel.everything if message.author is place.alice]
    assert question.deleted
    assert [message.content for message in place.channel.messages] == [REFUSED.text]
    calls = [
        entry["method"] for entry in place.server.requests if f"/channels/{place.channel.id}/messages" in entry["path"]
    ]
    assert calls == ["DELETE", "POST"]


async def test_an_edit_that_is_to_go_takes_the_whole_message_along(place: Place) -> None:
    await place.answers(text("fine"))
    question = place.channel.everything[0]
    place.room.answer = says(REFUSED)
    place.alice.edits(question, f"<@{place.server.bot.id}> my key is so and so")
    await place.room.wait_for(lambda: question.deleted)
    await place.room.settled()
    assert place.channel.messages[-1].content == REFUSED.text


@pytest.mark.parametrize("where", ["private", "forbidden", "gone"])
async def test_where_nothing_can_be_removed_the_answer_comes_all_the_same(
    place: Place, where: str, caplog: pytest.LogCaptureFixture
) -> None:
    channel = place.alice.dm if where == "private" else place.channel
    channel.may_manage = False
    if where == "gone":
        place.server.fail("DELETE", "/messages/", 404, code=10008)
    place.room.answer = says(REFUSED)
    await place.hears(channel, "my key is so and so")
    assert channel.messages[-1].content == REFUSED.text
    assert len(place.server.sent("DELETE", "/messages/")) == (0 if where == "private" else 1)
    assert ("was to be removed" in caplog.text) == (where != "private")


async def test_a_server_that_the_bot_was_removed_from_ends_the_answers_there_and_nothing_else(
    place: Place, caplog: pytest.LogCaptureFixture
) -> None:
    heard = await place.hears(place.channel, "hello")
    picker = await place.picker()
    place.server.kick(place.guild)
    before = len(place.server.requests)
    item = await announce(place, heard.chat, notice("one"), notice("two"))
    assert place.room.inbox.items[item.id].state is InboxState.DONE
    place.alice.presses(picker, "Status")
    await place.room.wait_for(lambda: len(place.room.heard) == 3)
    await place.room.settled()
    assert len(place.server.requests) - before < 8
    assert (await place.hears(place.alice.dm, "still there?")).text == "still there?"
    assert place.alice.dm.messages[-1].author is place.server.bot
    assert caplog.text.count("was removed from server") == 1


async def test_a_channel_that_takes_nothing_is_told_once_until_it_does_again(
    place: Place, caplog: pytest.LogCaptureFixture
) -> None:
    place.channel.forbidden = True
    for _ in range(3):
        await place.answers(notice("hello"))
    place.channel.forbidden = False
    await place.answers(notice("hello"))
    place.channel.forbidden = True
    await place.answers(notice("hello"))
    told = [entry for entry in caplog.records if "does not show an answer" in entry.message]
    assert [entry.levelno for entry in told if entry.levelno > logging.DEBUG] == [logging.WARNING] * 2


async def test_a_deleted_channel_ends_its_answers(place: Place, caplog: pytest.LogCaptureFixture) -> None:
    heard = await place.hears(place.channel, "hello")
    place.server.remove(place.channel)
    item = await announce(place, heard.chat, notice("one"))
    assert place.room.inbox.items[item.id].state is InboxState.DONE
    assert "10003" in caplog.text


def test_the_row_of_an_announcement_can_be_stored_and_read_again() -> None:
    with DiscordServer() as server:
        platform = Room(server).platform
        made = platform.announcement("1/2/3", "k")
        assert platform.read(replace(made, payload=json.loads(json.dumps(made.payload)))) == platform.read(made)
