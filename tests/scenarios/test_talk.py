"""Scenarios of the conversation itself: who said what to whom, and what is corrected, begun anew or counted."""

import pytest

from tests.fakes.provider_script import Slow, status
from tests.scenarios.questions import newest
from tests.scenarios.stage import Stage


async def test_the_model_is_told_who_speaks_and_what_they_reply_to(stage: Stage) -> None:
    await stage.opens()
    group = stage.group()
    ada, bob = stage.ada.enters(group), stage.bob.enters(group)
    said = ada.asks("the ships sail at dawn")
    await ada.sees("served-by:")
    assert "Ada: the ships sail at dawn" in newest(stage.questions.last("the ships"))
    bob.asks("is that so?", answers=said)
    await bob.sees("served-by:")
    quote, said_by_bob, rest = newest(stage.questions.last("is that so?")).partition("Bob: is that so?")
    assert said_by_bob
    assert not rest
    assert "> Ada: " in quote
    assert "the ships sail at dawn" in quote


async def test_a_question_that_is_edited_while_it_waits_is_asked_as_it_reads_then(stage: Stage) -> None:
    await stage.opens()
    ada = stage.ada.at_home()
    stage.script("acme:main", Slow("the first answer"))
    ada.asks("the first question")
    await stage.questions.arrives("the first question")
    waiting = ada.asks("what is red?")
    ada.edits(waiting, "what is blue?")
    await ada.settles()
    stage.provider.release()
    await ada.sees("served-by:MAIN")
    assert stage.questions.keys("what is blue?") == ["acme:main"]
    assert stage.questions.keys("what is red?") == []


async def test_a_question_and_its_edit_that_arrive_together_hold_up_nothing_and_are_asked_once(stage: Stage) -> None:
    await stage.opens()
    ada = stage.ada.at_home()
    stage.script("acme:main", Slow("the first answer"))
    ada.asks("the first question")
    await stage.questions.arrives("the first question")
    async with stage.house.locked_database():
        ada.asks("what comes before it")
        ada.edits(ada.asks("what is red?"), "what is blue?")
    await ada.settles()
    stage.provider.release()
    assert await ada.served_by() == "acme:main"
    assert stage.questions.keys("what comes before it") == ["acme:main"]
    assert stage.questions.keys("what is blue?") == ["acme:main"]
    assert stage.questions.keys("what is red?") == []


@pytest.mark.parametrize("stage", ["discord"], indirect=True)  # Telegram tells no bot of what is deleted
async def test_a_question_that_is_deleted_while_it_waits_is_never_asked(stage: Stage) -> None:
    await stage.opens()
    ada = stage.ada.at_home()
    stage.script("acme:main", Slow("the first answer"))
    ada.asks("the first question")
    await stage.questions.arrives("the first question")
    ada.deletes(ada.asks("what is red?"))
    await ada.settles()
    stage.provider.release()
    await ada.sees("the first answer")
    await ada.served_by()
    assert stage.questions.keys("what is red?") == []


async def test_new_with_a_model_and_a_message_begins_a_conversation_that_is_answered_by_that_model(
    stage: Stage,
) -> None:
    await stage.opens()
    ada = stage.ada.at_home()
    await ada.served_by("what is said before")
    ada.commands("new opus hello again")
    await ada.sees("served-by:WORK")
    seen = stage.provider.seen[-1]
    assert seen.model == "claude-opus-4-5"
    assert newest(seen) == "hello again"
    assert "what is said before" not in str(seen.body)


async def test_the_footer_names_the_credential_that_really_served(stage: Stage) -> None:
    await stage.opens()
    ada = stage.ada.at_home()
    ada.commands("usage full")
    await ada.sees("stand under answers here")
    ada.asks("one")
    await ada.sees("served-by:MAIN", "acme:main")
    stage.script("acme:main", status(429, {"retry-after": "900"}))
    ada.asks("two")
    await ada.sees("served-by:SPAR", "acme:spare", "in · ")


async def test_in_a_group_who_names_the_bot_or_replies_to_it_is_answered_and_nobody_else(stage: Stage) -> None:
    await stage.opens()
    group = stage.group()
    ada, bob = stage.ada.enters(group), stage.bob.enters(group)
    bob.says("between us two")
    ada.asks("a question to the bot")
    answer = await ada.sees("served-by:MAIN")
    bob.says("tell me more", answers=answer.raw)
    await bob.sees("served-by:MAIN")
    await ada.settles()
    assert stage.questions.keys("a question to the bot") == ["acme:main"]
    assert stage.questions.keys("tell me more") == ["acme:main"]
    assert "between us two" not in str([seen.body for seen in stage.provider.seen])
