"""Messages in and answers out: sessions, mentions, streaming, long answers, and a delivery that was interrupted."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from typing import Any

import pytest

from core.messages import Button, Delta, Event, Inbound, Reply, ReplyKind, TurnReport, Working
from tests.adapters.discord_place import Place, a_place, notice, text
from tests.fakes.discord_cdn import Upload
from tests.fakes.discord_room import says


@pytest.fixture
async def place() -> AsyncIterator[Place]:
    async with a_place() as made:
        yield made


async def test_a_direct_message_is_the_persons_own_session(place: Place) -> None:
    heard = await place.hears(place.alice.dm, "  hello there ")
    assert str(heard.session) == f"agent:main:discord:default:direct:{place.alice.id}"
    assert heard.place.direct
    assert heard.mentioned
    assert heard.text == "hello there"
    assert heard.sender.key == f"discord:{place.alice.id}"
    assert [m.content for m in place.alice.dm.messages] == ["  hello there ", "you said: hello there"]


async def test_a_channel_is_one_session_and_its_thread_another_below_it(place: Place) -> None:
    role = place.server.role(place.guild, place.alice)
    in_channel = await place.hears(place.channel, "hello")
    in_thread = await place.hears(place.thread, "hello")
    assert str(in_channel.session) == f"agent:main:discord:default:channel:{place.channel.id}"
    assert in_thread.session.parent == in_channel.session
    assert in_thread.session.thread == str(place.thread.id)
    assert in_channel.place.ids == (f"discord:{place.channel.id}", f"discord:{place.guild.id}")
    assert in_thread.place.ids == tuple(f"discord:{x.id}" for x in (place.thread, place.channel, place.guild))
    assert in_channel.sender.roles == in_thread.sender.roles == (str(role),)
    assert place.thread.messages[-1].content == "you said: hello"


async def test_a_thread_that_is_not_in_the_cache_is_asked_for(place: Place) -> None:
    late = place.server.thread(place.channel, "made while nobody told")
    heard = await place.hears(late, "hello")
    assert heard.session.parent is not None
    assert str(heard.session.parent).endswith(f"channel:{place.channel.id}")
    await place.hears(late, "again")
    assert len(place.server.sent("GET", f"/channels/{late.id}")) == 1


@pytest.mark.parametrize(
    ("written", "understood", "mentioned"),
    [
        pytest.param("/model opus", "/model opus", False, id="a command that names nobody"),
        pytest.param("<@{bot}> hello", "hello", True, id="named"),
        pytest.param("<@!{bot}>, /model opus", "/model opus", True, id="named in the old way, with a command"),
        pytest.param("<@&{role}> <@{bot}> hello", "hello", True, id="named by its role and itself"),
        pytest.param("hello <@{bot}> there", "hello @claw there", True, id="named in the middle"),
        pytest.param("hello, <@&{role}>", "hello, @claw", True, id="its role named at the end"),
        pytest.param("<@{bot}> ask <@1>", "ask <@1>", True, id="somebody else named too"),
    ],
)
async def test_a_mention_is_noticed_cut_from_the_beginning_and_a_name_elsewhere(
    place: Place, written: str, understood: str, mentioned: bool
) -> None:
    names = {"bot": place.server.bot.id, "role": place.guild.bot_role}
    place.alice.says(place.channel, written.format(**names))
    await place.room.wait_for(lambda: place.room.heard)
    (heard,) = place.room.heard
    assert heard.text == understood.format(**names)
    assert heard.mentioned is mentioned


async def test_a_reply_to_the_bot_counts_as_a_mention_and_one_to_somebody_else_does_not(place: Place) -> None:
    await place.hears(place.channel, "hello")
    question, answer = place.channel.messages
    place.alice.says(place.channel, "and you?", reply_to=question)
    place.alice.says(place.channel, "thanks", reply_to=answer)
    await place.room.wait_for(lambda: len(place.room.heard) == 2)
    assert [(heard.text, heard.mentioned) for heard in place.room.heard] == [("hello", True), ("thanks", True)]


async def test_what_people_say_to_each_other_is_not_even_committed(place: Place) -> None:
    for channel in (place.channel, place.thread):
        place.alice.says(channel, "hello everybody")
        place.alice.says(channel, "a/b, and maybe /model opus")
        place.alice.says(channel, "<@1> what do you think?")
        place.alice.says(channel, "", files=(Upload("a.png"),))
    heard = await place.hears(place.channel, "hello")
    assert place.room.heard == [heard]
    assert len(place.room.inbox.items) == 1


async def test_bots_webhooks_and_empty_messages_are_not_heard(place: Place) -> None:
    place.server.user("robot", bot=True).says(place.channel, "beep")
    place.alice.says(place.channel, f"<@{place.server.bot.id}>")
    heard = await place.hears(place.channel, "a person")
    assert place.room.heard == [heard]


async def test_an_answer_refers_to_its_question_and_shows_no_link_previews(place: Place) -> None:
    await place.answers(text("see https://example.org"))
    question, answer = place.channel.messages
    assert answer.reference == question.id
    assert answer.flags == 4


async def test_typing_shows_while_a_turn_works(place: Place) -> None:
    shown = asyncio.Event()

    async def slow(_: Inbound) -> AsyncGenerator[Event, None]:
        yield Working()
        await shown.wait()
        yield text("done")

    place.room.answer = slow
    place.alice.asks(place.channel, "go")
    await place.room.wait_for(lambda: place.channel.typing)
    assert len(place.channel.messages) == 1
    shown.set()
    await place.room.wait_for(lambda: len(place.channel.messages) == 2)


async def test_an_answer_grows_in_one_message_edited_at_most_once_a_second_and_ends_whole(place: Place) -> None:
    whole = "".join(f"word{n} " for n in range(200))
    go_on = asyncio.Event()

    async def growing(_: Inbound) -> AsyncGenerator[Event, None]:
        yield Working()
        for at in range(0, len(whole), 40):
            yield Delta(whole[at : at + 40])
            if at == 400:
                await go_on.wait()
            await asyncio.sleep(0)
        yield text(whole)

    place.room.answer = growing
    place.alice.asks(place.channel, "tell me")
    (_, answer) = await place.room.wait_for(lambda: len(place.channel.messages) == 2 and place.channel.messages)
    await place.room.wait_for(lambda: answer.edited_at)
    go_on.set()
    await place.room.wait_for(lambda: answer.content == whole.strip())
    await place.room.settled()
    assert len(place.channel.messages) == 2
    assert len(answer.history) <= 4
    assert all(later.startswith(earlier) for earlier, later in zip(answer.history, answer.history[1:], strict=False))


async def test_a_notice_between_and_a_text_that_never_comes_leave_what_was_shown(place: Place) -> None:
    await place.answers(Delta("half an answer"), notice("It broke off."), TurnReport(data={}))
    shown = sorted(message.content for message in place.channel.messages[1:])
    assert shown == ["It broke off.", "half an answer"]


async def test_a_long_answer_is_split_with_its_code_reopened(place: Place) -> None:
    code = "\n".join(f"line {n}" for n in range(500))
    await place.answers(text(f"Look:\n```py\n{code}\n```"))
    parts = [message.content for message in place.channel.messages[1:]]
    assert len(parts) >= 3
    assert all(len(part) <= 2000 and part.count("```") == 2 for part in parts)
    assert all(part.startswith("```py\n") for part in parts[1:])


async def test_a_long_answer_that_grows_over_the_limit_goes_on_in_a_second_message(place: Place) -> None:
    whole = "word " * 600
    await place.answers(Delta(whole[:1500]), Delta(whole[1500:]), text(whole))
    parts = [message.content for message in place.channel.messages[1:]]
    assert " ".join(parts).split() == whole.split()
    assert len(parts) == 2


async def test_a_long_status_is_split_and_never_cut_with_its_buttons_at_the_end(place: Place) -> None:
    lines = "\n".join(f"profile_{n}: ready" for n in range(200))
    button = Button(n=1, label="Release", command="/model auto", group="action")
    await place.answers(Reply(kind=ReplyKind.STATUS, text=lines, buttons=(button,), token="tok"))
    parts = place.channel.messages[1:]
    shown = "\n".join(part.content for part in parts).replace("\\_", "_")
    assert shown == lines
    assert [bool(part.components) for part in parts] == [False] * (len(parts) - 1) + [True]


async def test_an_empty_answer_says_so(place: Place) -> None:
    await place.answers(text("  "))
    assert place.channel.messages[-1].content == "(empty answer)"


async def test_nothing_that_a_model_writes_can_ping_anybody(place: Place) -> None:
    role, alice = place.server.role(place.guild, place.alice), place.alice.id
    hostile = f"@everyone @here <@{alice}> <@!{alice}> <@&{role}>"
    await place.answers(Delta(hostile), text(hostile + " again"), notice(hostile))
    used = place.alice.slash(place.channel, "model", "x")
    await place.handled(used)
    mine = [m for m in place.channel.everything if m.author is place.server.bot]
    assert len(mine) >= 4
    assert [m.pings for m in mine] == [[]] * len(mine)


async def test_an_answer_whose_message_is_deleted_while_it_grows_is_sent_anew(place: Place) -> None:
    deleted = asyncio.Event()

    async def answer(_: Inbound) -> AsyncGenerator[Event, None]:
        yield Delta("begin")
        await deleted.wait()
        yield text("begin and end")
        yield notice("more")

    place.room.answer = answer
    place.alice.asks(place.channel, "go")
    _, growing = await place.room.wait_for(lambda: len(place.channel.messages) == 2 and place.channel.messages)
    growing.deleted = True
    deleted.set()
    await place.room.settled()
    assert [m.content for m in place.channel.messages[1:]] == ["begin and end", "more"]


def interrupted(*events: Event) -> tuple[Callable[[Inbound], AsyncGenerator[Event, None]], asyncio.Event]:
    """These events, then silence as of a killed process; set when it has come to that."""
    reached = asyncio.Event()

    async def answer(_: Inbound) -> AsyncGenerator[Event, None]:
        for event in events:
            yield event
        reached.set()
        await asyncio.Event().wait()

    return answer, reached


@pytest.mark.parametrize(
    "before",
    [
        pytest.param([notice("changed"), text("the answer")], id="all was sent"),
        pytest.param([notice("changed")], id="half was sent"),
        pytest.param([notice("changed"), text("long " * 900)], id="more was sent"),
    ],
)
async def test_an_interrupted_delivery_goes_on_by_editing_what_was_sent(place: Place, before: list[Event]) -> None:
    place.room.answer, reached = interrupted(*before)
    place.alice.asks(place.channel, "go")
    await asyncio.wait_for(reached.wait(), 5)
    (task,) = place.room.delivering
    task.cancel()
    place.room.delivering.clear()
    place.room.answer = says(notice("changed"), text("the answer"))
    (item,) = place.room.inbox.items.values()
    assert item.delivery
    await place.room.deliver(item, place.room.heard[0])
    assert [m.content for m in place.channel.messages[1:]] == ["changed", "the answer"]


async def test_an_answer_that_broke_off_while_growing_is_finished_in_the_same_message(place: Place) -> None:
    place.room.answer, reached = interrupted(Delta("the be"), Delta("ginning"))
    place.alice.asks(place.channel, "go")
    await asyncio.wait_for(reached.wait(), 5)
    (task,) = place.room.delivering
    await place.room.wait_for(lambda: place.room.inbox.items[1].delivery)
    task.cancel()
    place.room.delivering.clear()
    place.room.answer = says(Delta("the beginning"), text("the beginning and the end"))
    await place.room.deliver(place.room.inbox.items[1], place.room.heard[0])
    assert [m.content for m in place.channel.messages[1:]] == ["the beginning and the end"]


async def test_a_message_whose_note_was_lost_with_the_process_is_not_sent_twice(place: Place) -> None:
    await place.answers(text("the old words"))
    (item,) = place.room.inbox.items.values()
    stored = place.room.inbox.items[1]
    again = type(stored)(id=1, update=place_update(place), state=stored.state, received_at=stored.received_at)
    place.room.inbox.items[1] = again
    place.room.answer = says(text("the new words"))
    await place.room.deliver(again, place.room.heard[0])
    assert item.id == 1
    assert [m.content for m in place.channel.messages[1:]] == ["the new words"]


def place_update(place: Place) -> Any:
    """The update of the first message, as it was before it was done and its payload erased."""
    question = place.channel.messages[0]
    payload = {
        "type": "message",
        "id": str(question.id),
        "channel": str(place.channel.id),
        "parent": None,
        "guild": str(place.guild.id),
        "direct": False,
        "user": {"id": str(place.alice.id), "name": "alice", "bot": False, "roles": []},
        "webhook": False,
        "content": question.content,
        "attachments": [],
        "mentioned": True,
        "bot": str(place.server.bot.id),
        "bot_name": "claw",
        "bot_role": None,
    }
    stored = place.room.inbox.items[1].update
    return type(stored)(platform="discord", account="default", key=stored.key, lane=stored.lane, payload=payload)
