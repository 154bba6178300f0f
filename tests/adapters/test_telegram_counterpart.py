"""The counterpart itself, asked by a client library other than the one that the product uses."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest

from tests.fakes.pictures import JPEG
from tests.fakes.telegram_files import LARGEST_FOR_BOTS, document, photo
from tests.fakes.telegram_server import TelegramServer


@pytest.fixture
def server() -> Iterator[TelegramServer]:
    with TelegramServer() as running:
        yield running


@pytest.fixture
async def bot(server: TelegramServer) -> AsyncIterator[Any]:
    # Imported here: it takes a second that the collection of other tests need not pay.
    from aiogram import Bot
    from aiogram.client.session.aiohttp import AiohttpSession
    from aiogram.client.telegram import TelegramAPIServer

    session = AiohttpSession(api=TelegramAPIServer.from_base(server.url))
    yield Bot(server.token or "", session=session)
    await session.close()


async def test_a_conversation_with_a_keyboard(server: TelegramServer, bot: Any) -> None:
    from aiogram.types import InlineKeyboardButton, InlineKeyboardMarkup, MessageEntity, ReplyParameters

    ada = server.person(1001)
    chat = server.group(forum=True)
    topic = chat.topic()
    me = await bot.get_me()
    waiting = asyncio.create_task(bot.get_updates(timeout=20))
    await server.wait_for(lambda: server.called("getUpdates"))
    ada.says(chat, "😀 /model@Our_Bot opus", topic=topic)
    (update,) = await waiting
    assert me.username == "Our_Bot"
    assert (update.message.message_thread_id, update.message.is_topic_message) == (topic, True)
    assert [e.extract_from(update.message.text) for e in update.message.entities] == ["/model@Our_Bot"]

    keys = InlineKeyboardMarkup(inline_keyboard=[[InlineKeyboardButton(text="One", callback_data="t:1")]])
    sent = await bot.send_message(
        chat.id,
        "😀 bold",
        message_thread_id=topic,
        entities=[MessageEntity(type="bold", offset=3, length=4)],
        reply_markup=keys,
        reply_parameters=ReplyParameters(message_id=update.message.message_id),
    )
    assert chat.answers[0].history[-1].formats == [("bold", "bold")]
    assert chat.answers[0].reply_to is chat.messages[0]

    press = ada.presses(chat.answers[0], "One")
    (pressed,) = await bot.get_updates(offset=update.update_id + 1)
    await bot.answer_callback_query(pressed.callback_query.id, text="Yes", show_alert=True)
    await bot.edit_message_text("changed", chat_id=chat.id, message_id=sent.message_id)
    assert (press.alert, pressed.callback_query.data) == ("Yes", "t:1")
    assert [version.text for version in chat.answers[0].history] == ["😀 bold", "changed"]
    again = await bot.get_updates()
    assert [seen.update_id for seen in again] == [pressed.update_id], "unconfirmed updates come again"


async def test_refusals_are_the_ones_that_a_client_knows(server: TelegramServer, bot: Any) -> None:
    from aiogram import exceptions
    from aiogram.types import InlineKeyboardButton, InlineKeyboardMarkup, MessageEntity

    ada = server.person(1001)
    chat = server.private(ada)
    sent = await bot.send_message(chat.id, "hello")
    keys = InlineKeyboardMarkup(inline_keyboard=[[InlineKeyboardButton(text="x", callback_data="t" * 65)]])
    bad = [MessageEntity(type="bold", offset=4, length=5)]
    refused: list[tuple[Any, str]] = [
        (bot.send_message(chat.id, "😀" * 2049), "message is too long"),
        (bot.send_message(chat.id, "  \n"), "text is empty"),
        (bot.send_message(5, "x"), "chat not found"),
        (bot.send_message(chat.id, "x", message_thread_id=9), "thread not found"),
        (bot.send_message(chat.id, "hello", entities=bad), "can't parse entities"),
        (bot.send_message(chat.id, "x", reply_markup=keys), "BUTTON_DATA_INVALID"),
        (bot.edit_message_text("hello", chat_id=chat.id, message_id=sent.message_id), "message is not modified"),
        (bot.edit_message_text("x", chat_id=chat.id, message_id=5), "message to edit not found"),
        (bot.answer_callback_query("5"), "query is too old"),
    ]
    for call, words in refused:
        with pytest.raises(exceptions.TelegramBadRequest, match=words):
            await call
    server.flood("sendMessage", 7)
    with pytest.raises(exceptions.TelegramRetryAfter) as flood:
        await bot.send_message(chat.id, "x")
    assert flood.value.retry_after == 7
    chat.refusal = "Forbidden: bot was blocked by the user"
    with pytest.raises(exceptions.TelegramForbiddenError):
        await bot.send_message(chat.id, "x")


async def test_an_album_is_two_updates_whose_files_can_be_fetched(server: TelegramServer, bot: Any) -> None:
    from aiogram import exceptions

    ada = server.person(1001)
    ada.sends_album(server.private(ada), photo(JPEG), document(b"a,b", "a.csv", "text/csv"), caption="/model@Our_Bot")
    first, second = (update.message for update in await bot.get_updates())
    assert first.media_group_id == second.media_group_id
    assert (first.caption, first.text, second.caption) == ("/model@Our_Bot", None, None)
    assert [e.extract_from(first.caption) for e in first.caption_entities] == ["/model@Our_Bot"]
    assert (second.document.file_name, second.document.mime_type) == ("a.csv", "text/csv")
    for file_id, content in ((first.photo[-1].file_id, JPEG), (second.document.file_id, b"a,b")):
        found = await bot.get_file(file_id)
        assert found.file_size == len(content)
        assert (await bot.download_file(found.file_path)).read() == content
    with pytest.raises(exceptions.TelegramBadRequest, match="wrong file_id"):
        await bot.get_file("x")
    ada.sends(server.private(ada), document(bytes(LARGEST_FOR_BOTS + 1), "large"))
    (_, _, large) = await bot.get_updates()
    with pytest.raises(exceptions.TelegramBadRequest, match="file is too big"):
        await bot.get_file(large.message.document.file_id)


async def test_drafts_are_for_private_chats_and_end_with_the_message(server: TelegramServer, bot: Any) -> None:
    from aiogram import exceptions

    ada = server.person(1001)
    chat = server.private(ada)
    await bot.send_message_draft(chat_id=chat.id, draft_id=7, text="wor")
    await bot.send_message_draft(chat_id=chat.id, draft_id=7, text="words")
    assert [(draft.id, draft.text) for draft in chat.drafts] == [(7, "wor"), (7, "words")]
    assert chat.draft is chat.drafts[-1]
    assert chat.answers == []
    await bot.send_message(chat.id, "words and all")
    assert chat.draft is None
    refused: list[tuple[Any, str]] = [
        (bot.send_message_draft(chat_id=server.group().id, draft_id=7, text="x"), "TEXTDRAFT_PEER_INVALID"),
        (bot.send_message_draft(chat_id=chat.id, draft_id=0, text="x"), "non-zero"),
        (bot.send_message_draft(chat_id=chat.id, draft_id=7, text="x" * 4097), "message is too long"),
    ]
    for call, words in refused:
        with pytest.raises(exceptions.TelegramBadRequest, match=words):
            await call
    server.without("sendMessageDraft")
    with pytest.raises(exceptions.TelegramNotFound):
        await bot.send_message_draft(chat_id=chat.id, draft_id=7, text="x")


async def test_edits_quotes_questions_and_what_becomes_of_the_bot(server: TelegramServer, bot: Any) -> None:
    from aiogram import exceptions
    from aiogram.types import ForceReply

    ada = server.person(1001)
    chat, group = server.private(ada), server.group()
    asked = await bot.send_message(chat.id, "Which?", reply_markup=ForceReply(input_field_placeholder="a name"))
    assert chat.answers[0].prompt == {"force_reply": True, "input_field_placeholder": "a name"}
    with pytest.raises(exceptions.TelegramBadRequest, match="can't be edited"):
        await bot.edit_message_text("x", chat_id=chat.id, message_id=asked.message_id)
    message = ada.says(chat, "this one", reply_to=chat.answers[0], quote="ich")
    ada.edits(message, "that one")
    ada.reacts(message)
    ada.blocks()
    ada.kicks(group)
    said, edited, reacted, blocked, kicked = await bot.get_updates()
    assert (said.message.quote.text, said.message.quote.position) == ("ich", 2)
    assert said.message.reply_to_message.text == "Which?"
    assert (edited.edited_message.text, edited.edited_message.message_id) == ("that one", message.id)
    assert edited.edited_message.edit_date is not None
    assert (reacted.edited_message.text, reacted.edited_message.edit_date) == ("that one", None)
    assert blocked.my_chat_member.new_chat_member.status == "kicked"
    assert kicked.my_chat_member.chat.id == group.id
    for place in (chat, group):
        with pytest.raises(exceptions.TelegramForbiddenError):
            await bot.send_message(place.id, "x")
    with pytest.raises(exceptions.TelegramForbiddenError, match="can't initiate conversation"):
        await bot.send_message(server.person(3003, "Carol").id, "x")
    ada.unblocks()
    with pytest.raises(exceptions.TelegramBadRequest, match="to delete not found"):
        await bot.delete_message(chat.id, 5)
    await bot.delete_message(chat.id, message.id)
    assert chat.messages == chat.answers
    ada.adds(group)
    theirs = ada.says(group, "x")
    with pytest.raises(exceptions.TelegramBadRequest, match="can't be deleted"):
        await bot.delete_message(group.id, theirs.id)


async def test_menus_have_a_scope_each_and_keyboards_a_limit(server: TelegramServer, bot: Any) -> None:
    from aiogram import exceptions
    from aiogram.types import BotCommand, BotCommandScopeAllGroupChats, InlineKeyboardButton, InlineKeyboardMarkup

    groups = BotCommandScopeAllGroupChats()
    await bot.set_my_commands([BotCommand(command="model", description="Which")], scope=groups)
    assert [command.command for command in await bot.get_my_commands(scope=groups)] == ["model"]
    assert await bot.get_my_commands() == []
    ada = server.person(1001)
    rows = [[InlineKeyboardButton(text="x", callback_data="t:1")]] * 101
    with pytest.raises(exceptions.TelegramBadRequest, match="reply markup is too long"):
        await bot.send_message(server.private(ada).id, "x", reply_markup=InlineKeyboardMarkup(inline_keyboard=rows))


async def test_a_second_poll_ends_the_first_and_a_revoked_token_ends_both(server: TelegramServer, bot: Any) -> None:
    from aiogram import exceptions

    first = asyncio.create_task(bot.get_updates(timeout=20))
    await server.wait_for(lambda: server.called("getUpdates"))
    second = asyncio.create_task(bot.get_updates(timeout=20))
    with pytest.raises(exceptions.TelegramConflictError, match="terminated by other getUpdates"):
        await first
    server.revoke()
    with pytest.raises(exceptions.TelegramUnauthorizedError):
        await second


def test_a_test_without_an_event_loop_can_wait_too(server: TelegramServer) -> None:
    with pytest.raises(TimeoutError):
        server.wait(lambda: server.calls, within=0.01)
    server.world.queue("message", {})
    server.wait(lambda: server.world.updates)
