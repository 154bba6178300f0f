"""Answers that grow as drafts, in private chats: shown while they are written, sent once when they are whole."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from datetime import timedelta

import pytest

from core.errors import ConfigError
from core.messages import Delta, Reply, ReplyKind, Working
from tests.adapters.telegram_stage import Stage, notice, text
from tests.fakes.telegram_server import TelegramServer
from tests.fakes.telegram_world import units

SECOND = timedelta(seconds=1)


@pytest.fixture
def server() -> Iterator[TelegramServer]:
    with TelegramServer() as running:
        yield running


@pytest.fixture
async def stage(server: TelegramServer) -> AsyncIterator[Stage]:
    async with Stage(server) as running:
        yield running


async def test_an_answer_grows_as_one_draft_and_is_sent_once_when_it_is_whole(stage: Stage) -> None:
    ada = stage.server.person(1001)
    chat = stage.server.private(ada)
    more, end = asyncio.Event(), asyncio.Event()
    item = await stage.hears(ada, chat, "hello")
    answer = asyncio.create_task(
        stage.answer(item, Delta("One **two**"), more, Delta(" three"), end, text("One **two** three four."))
    )
    await stage.until(lambda: chat.draft is not None)
    assert chat.answers == []
    await stage.clock.asked(1)
    more.set()
    stage.clock.advance(0.3 * SECOND)
    await stage.until(lambda: len(chat.drafts) == 2)
    end.set()
    await answer
    assert [draft.text for draft in chat.drafts] == ["One two", "One two three"]
    assert chat.drafts[0].shown.formats == [("bold", "two")]
    assert len({draft.id for draft in chat.drafts}) == 1
    assert chat.drafts[0].id != 0
    assert [message.text for message in chat.answers] == ["One two three four."]
    assert chat.draft is None
    assert stage.server.called("editMessageText") == []
    assert len(stage.server.called("sendMessage")) == 1


async def test_no_draft_comes_after_the_final_text(stage: Stage) -> None:
    ada = stage.server.person(1001)
    chat = stage.server.private(ada)
    item = await stage.hears(ada, chat, "hello")
    gate = stage.server.hold("sendMessageDraft")
    end = asyncio.Event()
    answer = asyncio.create_task(stage.answer(item, Delta("a"), end, text("a b")))
    await stage.until(lambda: gate.waiting == 1)
    end.set()
    for _ in range(50):
        await asyncio.sleep(0)
    assert stage.server.called("sendMessage") == []
    gate.open()
    await answer
    methods = [call.method for call in stage.server.calls if call.method.startswith("sendmessage")]
    assert methods == ["sendmessagedraft", "sendmessage"]
    assert chat.draft is None


async def test_in_a_topic_of_a_private_chat_the_draft_stays_in_the_topic(stage: Stage) -> None:
    ada = stage.server.person(1001)
    chat = stage.server.private(ada)
    topic = chat.topic()
    item = await stage.hears(ada, chat, "hello", topic=topic)
    await stage.answer(item, Delta("a"), text("a b"))
    assert {draft.thread for draft in chat.drafts} <= {topic}
    assert [message.thread for message in chat.answers] == [topic]


async def test_in_a_group_nothing_is_tried_that_groups_do_not_have(stage: Stage) -> None:
    ada = stage.server.person(1001)
    chat = stage.server.group(forum=True)
    item = await stage.hears(ada, chat, "hello", topic=chat.topic())
    await stage.answer(item, Delta("a"), text("a b"))
    assert stage.server.called("sendMessageDraft") == []


async def test_typing_ends_when_a_draft_shows(stage: Stage) -> None:
    ada = stage.server.person(1001)
    chat = stage.server.private(ada)
    begin, end = asyncio.Event(), asyncio.Event()
    item = await stage.hears(ada, chat, "hello")
    answer = asyncio.create_task(stage.answer(item, Working(), begin, Delta("a"), end, text("a b")))
    await stage.clock.asked(1)
    begin.set()
    await stage.until(lambda: chat.draft is not None)
    for sleeps in range(2, 6):  # after the typing sign's: a pause and the time until the draft is shown again, twice
        await stage.clock.asked(sleeps)
        stage.clock.advance(20 * SECOND)
    await stage.until(lambda: len(chat.drafts) == 3)
    end.set()
    await answer
    assert len(chat.actions) == 1


async def test_a_long_answer_shows_its_end_while_it_grows_and_is_whole_in_the_end(stage: Stage) -> None:
    ada = stage.server.person(1001)
    chat = stage.server.private(ada)
    item = await stage.hears(ada, chat, "write code")
    lines = [f"line_{number} = {number}  # 😀" for number in range(500)]
    markdown = "Before.\n\n```python\n" + "\n".join(lines)
    shown = asyncio.Event()
    answer = asyncio.create_task(stage.answer(item, Delta(markdown), shown, text(markdown + "\n```\n\nAfter.")))
    await stage.until(lambda: chat.draft is not None)
    (draft,) = chat.drafts
    shown.set()
    await answer
    assert units(draft.text) <= 4096
    assert draft.text.startswith("…\nline_")
    assert draft.text.endswith(lines[-1])
    ((kind, covered),) = draft.shown.formats
    assert (kind, "…\n" + covered) == ("pre", draft.text)
    assert "\n".join(message.text for message in chat.answers).count("line_7 =") == 1
    assert chat.answers[-1].text.endswith("After.")


async def test_a_draft_is_shown_again_before_telegram_forgets_it(stage: Stage) -> None:
    ada = stage.server.person(1001)
    chat = stage.server.private(ada)
    end = asyncio.Event()
    item = await stage.hears(ada, chat, "hello")
    answer = asyncio.create_task(stage.answer(item, Delta("thinking"), end, text("thinking, done")))
    await stage.until(lambda: len(chat.drafts) == 1)
    await stage.clock.asked(1)
    stage.clock.advance(SECOND)
    await stage.clock.asked(2)
    stage.clock.advance(20 * SECOND)
    await stage.until(lambda: len(chat.drafts) == 2)
    end.set()
    await answer
    assert stage.clock.slept[1] < 30
    assert [draft.text for draft in chat.drafts] == ["thinking", "thinking"]


async def test_flood_control_of_a_draft_is_waited_out_before_the_final_text_and_doubles_the_pace(stage: Stage) -> None:
    ada = stage.server.person(1001)
    chat = stage.server.private(ada)
    more, end = asyncio.Event(), asyncio.Event()
    item = await stage.hears(ada, chat, "hello")
    stage.server.flood("sendMessageDraft", 9)
    answer = asyncio.create_task(stage.answer(item, Delta("a"), more, Delta(" b"), end, text("a b c")))
    await stage.until(lambda: [call.status for call in stage.server.called("sendMessageDraft")] == [429])
    await stage.clock.asked(1)
    end.set()
    more.set()
    stage.clock.advance(8 * SECOND)
    assert chat.answers == []
    stage.clock.advance(SECOND)
    await answer
    assert stage.clock.slept[0] == 9
    assert [message.text for message in chat.answers] == ["a b c"]


async def test_the_pace_follows_how_long_telegram_takes_and_flood_control(stage: Stage) -> None:
    ada = stage.server.person(1001)
    chat = stage.server.private(ada)
    more, end = asyncio.Event(), asyncio.Event()
    item = await stage.hears(ada, chat, "hello")
    gate = stage.server.hold("sendMessageDraft")
    story = (Delta("a"), more, Delta(" b"), end, text("a b c"))
    answer = asyncio.create_task(stage.answer(item, *story))
    await stage.until(lambda: gate.waiting == 1)
    stage.clock.advance(0.7 * SECOND)
    gate.open()
    await stage.clock.asked(1)
    assert stage.clock.slept == [0.7], "as long as the call took"
    stage.server.flood("sendMessageDraft", 1)
    more.set()
    stage.clock.advance(SECOND)
    for sleeps in (2, 3):  # the wait that Telegram asks for, then what is missing to the pace
        await stage.clock.asked(sleeps)
        stage.clock.advance(SECOND)
    await stage.clock.asked(4)
    assert stage.clock.slept == [0.7, 1, 0, 0.6], "twice the pace of quick answers"
    end.set()
    await answer
    assert [message.text for message in chat.answers] == ["a b c"]


@pytest.mark.parametrize("older", [pytest.param(True, id="an older server"), pytest.param(False, id="refused here")])
async def test_where_drafts_are_refused_the_answer_grows_by_edits_and_they_are_not_tried_again(
    stage: Stage, older: bool
) -> None:
    ada, bob = stage.server.person(1001), stage.server.person(2002, "Bob")
    chat, other = stage.server.private(ada), stage.server.private(bob)
    if older:
        stage.server.without("sendMessageDraft")
    else:
        stage.server.fail("sendMessageDraft", 400, "Bad Request: TEXTDRAFT_PEER_INVALID")
    for number in (1, 2):
        end = asyncio.Event()
        item = await stage.hears(ada, chat, "hello")
        answer = asyncio.create_task(stage.answer(item, Delta("a"), end, text(f"a b {number}")))
        await stage.until(lambda number=number: len(chat.answers) == number)
        assert chat.answers[-1].text == "a"
        end.set()
        await answer
    assert [message.text for message in chat.answers] == ["a b 1", "a b 2"]
    assert len(stage.server.called("sendMessageDraft")) == 1
    end = asyncio.Event()
    answer = asyncio.create_task(stage.answer(await stage.hears(bob, other, "hello"), Delta("x"), end, text("x y")))
    await stage.until(lambda: other.answers if older else other.draft)
    end.set()
    await answer
    assert len(stage.server.called("sendMessageDraft")) == (1 if older else 2), "another chat may take them"


async def test_drafts_that_keep_failing_give_way_to_edits_for_this_answer(stage: Stage) -> None:
    ada = stage.server.person(1001)
    chat = stage.server.private(ada)
    end = asyncio.Event()
    item = await stage.hears(ada, chat, "hello")
    stage.server.fail("sendMessageDraft", 501, "Not Implemented", times=3)
    answer = asyncio.create_task(stage.answer(item, Delta("a"), end, text("a b")))
    for tries in (1, 2, 3):
        await stage.clock.asked(tries)
        stage.clock.advance(SECOND)
    assert len(stage.server.called("sendMessageDraft")) == 3
    await stage.until(lambda: chat.answers)
    end.set()
    await answer
    assert [message.text for message in chat.answers] == ["a b"]


async def test_refused_formatting_of_a_draft_is_left_out_of_it(stage: Stage) -> None:
    ada = stage.server.person(1001)
    chat = stage.server.private(ada)
    stage.server.fail("sendMessageDraft", 400, "Bad Request: can't parse entities: unsupported entity")
    item = await stage.hears(ada, chat, "hello")
    shown = asyncio.Event()
    answer = asyncio.create_task(stage.answer(item, Delta("**a**"), shown, text("**a** b")))
    await stage.until(lambda: chat.draft is not None)
    shown.set()
    await answer
    assert chat.drafts[0].shown.formats == []
    assert chat.answers[0].history[-1].formats == [("bold", "a")]


async def test_a_draft_whose_answer_was_lost_does_no_harm(stage: Stage) -> None:
    ada = stage.server.person(1001)
    chat = stage.server.private(ada)
    item = await stage.hears(ada, chat, "hello")
    stage.server.drop("sendMessageDraft", after=True)
    end = asyncio.Event()
    answer = asyncio.create_task(stage.answer(item, Delta("a"), end, text("a b")))
    await stage.until(lambda: [call.status for call in stage.server.called("sendMessageDraft")] == [-1])
    await stage.clock.asked(1)
    stage.clock.advance(SECOND)
    await stage.until(lambda: len(chat.drafts) == 2)
    end.set()
    await answer
    assert [message.text for message in chat.answers] == ["a b"]


async def test_after_a_kill_in_the_middle_of_a_draft_the_answer_is_there_once(stage: Stage) -> None:
    ada = stage.server.person(1001)
    chat = stage.server.private(ada)
    item = await stage.hears(ada, chat, "hello")
    killed = asyncio.create_task(stage.answer(item, Delta("half an ans"), asyncio.Event()))
    await stage.until(lambda: chat.draft is not None)
    killed.cancel()
    await asyncio.gather(killed, return_exceptions=True)
    assert stage.inbox.notes == []
    await stage.answer(item, Delta("half an answer"), text("half an answer, and the rest"))
    assert [message.text for message in chat.answers] == ["half an answer, and the rest"]
    assert len({draft.id for draft in chat.drafts}) == 1, "the same draft goes on"


async def test_an_answer_that_began_to_grow_by_edits_goes_on_so_after_a_restart(stage: Stage) -> None:
    ada = stage.server.person(1001)
    chat = stage.server.private(ada)
    item = await stage.hears(ada, chat, "hello")
    stage.server.without("sendMessageDraft")
    killed = asyncio.create_task(stage.answer(item, Delta("half"), asyncio.Event()))
    await stage.inbox.noted(1)
    killed.cancel()
    await asyncio.gather(killed, return_exceptions=True)
    stage.server.revive("sendMessageDraft")
    async with Stage(stage.server, stage.inbox) as again:
        grown = asyncio.Event()
        story = (Delta("half an answer"), grown, text("half an answer, whole"))
        answer = asyncio.create_task(again.answer(item, *story))
        await again.until(lambda: chat.answers[0].text == "half an answer")
        grown.set()
        await answer
    assert [message.text for message in chat.answers] == ["half an answer, whole"]
    assert chat.drafts == []


async def test_what_broke_off_while_it_was_a_draft_stays_as_a_message(stage: Stage) -> None:
    ada = stage.server.person(1001)
    chat = stage.server.private(ada)
    item = await stage.hears(ada, chat, "hello")
    await stage.answer(item, Working(), Delta("Once upon"), Reply(kind=ReplyKind.ERROR, text="It broke."))
    assert [message.text for message in chat.answers] == ["Once upon", "It broke."]


async def test_a_blocked_bot_gives_up_at_the_draft_and_says_so_once(
    stage: Stage, caplog: pytest.LogCaptureFixture
) -> None:
    ada = stage.server.person(1001)
    chat = stage.server.private(ada)
    item = await stage.hears(ada, chat, "hello")
    ada.blocks()
    end = asyncio.Event()
    answer = asyncio.create_task(stage.answer(item, Delta("a"), end, text("a b"), notice("more")))
    await stage.until(lambda: [call.status for call in stage.server.called("sendMessageDraft")] == [403])
    end.set()
    await answer
    assert chat.answers == []
    assert len([record for record in caplog.records if "cannot be written to" in record.message]) == 1
    assert stage.server.called("sendMessage") == []


async def test_a_token_revoked_during_a_draft_leaves_the_answer_undelivered(stage: Stage) -> None:
    ada = stage.server.person(1001)
    item = await stage.hears(ada, stage.server.private(ada), "hello")
    stage.server.fail("sendMessageDraft", 401, "Unauthorized")
    stage.server.fail("sendMessage", 401, "Unauthorized")
    with pytest.raises(ConfigError, match=r"channels\.telegram\.token"):
        await stage.answer(item, Delta("a"), text("a b"))
