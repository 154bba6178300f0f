"""Where the bot is and may write, and messages that are written anew: what arrives of it, over real polling."""

import asyncio
import logging
from collections.abc import AsyncIterator, Iterator

import pytest

from core.messages import Delta, Ingress
from tests.adapters.telegram_stage import Stage, notice, text
from tests.fakes.pictures import JPEG
from tests.fakes.telegram_files import photo
from tests.fakes.telegram_server import TelegramServer


@pytest.fixture
def server() -> Iterator[TelegramServer]:
    with TelegramServer() as running:
        yield running


@pytest.fixture
async def stage(server: TelegramServer) -> AsyncIterator[Stage]:
    async with Stage(server) as running:
        yield running


async def test_what_becomes_of_the_bot_in_a_chat_is_logged_once_and_answered_to_nobody(
    stage: Stage, caplog: pytest.LogCaptureFixture
) -> None:
    ada = stage.server.person(1001)
    chat, group = stage.server.private(ada), stage.server.group("Team\n[x]")
    with caplog.at_level(logging.INFO, "adapters.telegram.arrived"):
        ada.blocks()
        ada.unblocks()
        ada.kicks(group)
        ada.adds(group)
        item = await stage.hears(ada, chat, "still there?")
    assert len(stage.inbox.items) == 1, "only what somebody said is stored"
    assert item.update.payload["message"]["text"] == "still there?"
    assert [record.message for record in caplog.records] == [
        "telegram:1001 has blocked the bot.",
        "telegram:1001 has started the bot.",
        f"The bot was removed from group 'Team\\n[x]' (telegram:{group.id}) by telegram:1001.",
        f"The bot was added to group 'Team\\n[x]' (telegram:{group.id}) by telegram:1001. "
        "Unless access.groups lists it, the bot stays silent there.",
    ]


@pytest.mark.parametrize(
    "change",
    [
        pytest.param({}, id="nothing in it"),
        pytest.param("x", id="a wrong shape"),
        pytest.param({"chat": {"id": -5}, "new_chat_member": {"status": "kicked"}}, id="no state before"),
        pytest.param(
            {
                "chat": {"id": -5},
                "old_chat_member": {"status": "member"},
                "new_chat_member": {"status": "administrator"},
            },
            id="other rights only",
        ),
    ],
)
async def test_a_change_that_is_none_is_not_told(
    stage: Stage, change: object, caplog: pytest.LogCaptureFixture
) -> None:
    ada = stage.server.person(1001)
    with caplog.at_level(logging.INFO, "adapters.telegram.arrived"):
        stage.server.world.queue("my_chat_member", change)  # type: ignore[arg-type]
        await stage.hears(ada, stage.server.private(ada), "hello")
    assert (len(stage.inbox.items), caplog.records) == (1, [])


async def test_a_bot_that_is_kicked_in_the_middle_of_an_answer_drops_it_and_serves_the_others(stage: Stage) -> None:
    ada = stage.server.person(1001)
    group, chat = stage.server.group(), stage.server.private(ada)
    end = asyncio.Event()
    answer = asyncio.create_task(
        stage.answer(await stage.hears(ada, group, "hello"), Delta("a"), end, text("a b"), notice("more"))
    )
    await stage.until(lambda: group.answers)
    ada.kicks(group)
    end.set()
    await answer
    assert [message.text for message in group.answers] == ["a"]
    await stage.answer(await stage.hears(ada, chat, "and here?"), text("here"))
    assert [message.text for message in chat.answers] == ["here"]


async def test_every_edit_of_a_message_comes_as_an_update_of_its_own(stage: Stage) -> None:
    ada = stage.server.person(1001)
    chat = stage.server.private(ada)
    message = ada.says(chat, "one")
    taken = [await asyncio.wait_for(stage.taken.get(), 10)]
    for words in ("two", "three"):
        ada.edits(message, words)
        taken.append(await asyncio.wait_for(stage.taken.get(), 10))
    read = [stage.platform.read(item.update) for item in taken]
    assert [(r.ingress, r.text, r.message) for r in read if r is not None] == [
        (Ingress.MESSAGE, "one", str(message.id)),
        (Ingress.EDIT, "two", str(message.id)),
        (Ingress.EDIT, "three", str(message.id)),
    ]
    assert len({item.update.key for item in taken}) == 3
    assert {item.update.lane for item in taken} == {taken[0].update.lane}


async def test_a_reaction_is_no_edit_and_a_caption_is_a_text(stage: Stage) -> None:
    ada = stage.server.person(1001)
    picture = ada.sends(stage.server.private(ada), photo(JPEG), "look")
    await asyncio.wait_for(stage.taken.get(), 10)
    ada.reacts(picture)
    item = await asyncio.wait_for(stage.taken.get(), 10)
    assert stage.platform.read(item.update) is None
    ada.edits(picture, "look here")
    item = await asyncio.wait_for(stage.taken.get(), 10)
    inbound = stage.platform.read(item.update)
    assert inbound is not None
    assert (inbound.ingress, inbound.text, inbound.files) == (Ingress.EDIT, "look here", None)


async def test_an_answer_to_an_edit_in_a_group_replies_to_the_edited_message(stage: Stage) -> None:
    ada = stage.server.person(1001)
    group = stage.server.group()
    message = ada.says(group, "/model@Our_Bot")
    await asyncio.wait_for(stage.taken.get(), 10)
    ada.edits(message, "/model@Our_Bot opus")
    item = await asyncio.wait_for(stage.taken.get(), 10)
    await stage.answer(item, notice("Now opus."))
    assert group.answers[0].reply_to is message


async def test_the_part_of_a_message_that_a_person_quotes_is_read(stage: Stage) -> None:
    ada = stage.server.person(1001)
    group = stage.server.group(forum=True)
    topic = group.topic()
    first = await stage.hears(ada, group, "the whole 😀 of it", topic=topic)
    inbound = stage.platform.read(first.update)
    assert inbound is not None
    assert inbound.quoted is None
    item = await stage.hears(ada, group, "what?", topic=topic, reply_to=group.messages[0], quote="😀 of")
    inbound = stage.platform.read(item.update)
    assert inbound is not None
    assert inbound.quoted is not None
    assert (inbound.quoted.author, inbound.quoted.text, inbound.quoted.own) == ("Ada", "😀 of", False)
