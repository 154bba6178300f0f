"""Scenarios of restarts, kills and a slow database: what was confirmed holds, and nothing is done twice."""

import asyncio

import pytest

from tests.fakes.provider_script import Slow, paced, status
from tests.scenarios.seat import Seat
from tests.scenarios.stage import Stage

_HALF = paced("the half of it ", "and three quarters of it ", "and the end")


async def test_a_press_is_acknowledged_in_time_while_the_database_is_slow_and_acts_once_it_can(stage: Stage) -> None:
    await stage.opens()
    ada = stage.ada.at_home()
    await ada.opens_picker()
    await ada.picks("big")
    async with stage.house.locked_database():
        gesture = ada.touches("acme:spare")
        await asyncio.sleep(3.1)  # longer than Discord lets anybody wait
    await ada.sees("acme:spare, pinned strict")
    assert await stage.driver.until(gesture.took) < stage.driver.patience
    assert await ada.served_by() == "acme:spare"


async def test_a_press_after_a_restart_chooses_in_the_message_that_was_there(stage: Stage) -> None:
    await stage.opens()
    ada = stage.ada.at_home()
    picker = await ada.opens_picker()
    await ada.picks("big")
    await stage.restarts()
    await ada.picks("acme:spare", on=picker)
    await ada.sees("acme:spare, pinned strict")
    assert "acme:spare" in ada.looks_at(picker).text
    assert await ada.served_by() == "acme:spare"


async def test_a_gateway_that_is_killed_in_an_acting_press_has_made_the_choice_once_and_tells_it(stage: Stage) -> None:
    await stage.opens(own_process=True)
    ada = stage.ada.at_home()
    ada.commands("model opus")
    await ada.sees("Now opus")
    picker = await ada.opens_picker()
    await ada.picks("big", on=picker)
    held = stage.driver.holds_changes()
    ada.touches("acme:spare", on=picker)
    await stage.driver.until(held.reached)
    await stage.is_killed()
    held.ends()
    await stage.comes_back()
    await ada.sees("acme:spare, pinned strict")
    assert await ada.served_by() == "acme:spare"
    ada.commands("model undo")
    await ada.sees("Now opus")
    picker = await ada.opens_picker()
    await ada.picks("big", on=picker)
    await ada.picks("acme:main", on=picker)
    assert await ada.served_by() == "acme:main"


async def test_a_gateway_that_is_killed_while_it_runs_a_kept_question_asks_it_and_answers_it_once(stage: Stage) -> None:
    await stage.opens(own_process=True)
    ada = stage.ada.at_home()
    ada.commands("model big@acme:main")
    await ada.sees("acme:main, pinned strict")
    stage.script("acme:main", status(429, {"retry-after": "900"}))
    stage.script("acme:spare", Slow("what nobody waits for"))
    question = "the question that is kept"
    ada.asks(question)
    await ada.picks("Use acme:spare once")
    await stage.questions.arrives(question, "acme:spare")
    await stage.is_killed()
    await stage.comes_back()
    await ada.sees("served-by:SPAR")
    await ada.settles()
    assert sum("served-by:SPAR" in sight.text for sight in ada.looks()) == 1
    assert stage.questions.keys(question) == ["acme:main", "acme:spare", "acme:spare"]


async def grows_and_is_killed(stage: Stage, ada: Seat) -> None:
    """In the middle of an answer that is on the screen. It has grown there twice, so that the first time is noted."""
    await ada.sees("the half of")
    stage.provider.release()
    await ada.sees("three quarters of")
    await stage.is_killed()
    await stage.comes_back()


async def test_a_notice_that_was_told_before_a_kill_stays_and_the_answer_comes_once_below_it(stage: Stage) -> None:
    """What has become of a choice is told and stored at once, so the run after the kill has only the answer to tell."""
    await stage.opens(own_process=True)
    ada = stage.ada.enters(stage.group())
    ada.commands("model big")
    await ada.sees("Now big")
    await stage.closes()
    stage.house.acme.pop()
    await stage.opens(own_process=True)
    stage.script("acme:main", _HALF)
    ada.asks("what is it?")
    await grows_and_is_killed(stage, ada)
    await ada.sees("served-by:MAIN")
    await ada.settles()
    told = [sight.text for sight in ada.looks()]
    assert sum("acme/large can no longer be used here" in text for text in told) == 1
    assert sum("served-by:MAIN" in text for text in told) == 1
    assert not any("the half of" in text for text in told)


async def test_a_notice_that_only_the_run_after_a_kill_has_is_told_once_beside_the_whole_answer(stage: Stage) -> None:
    await stage.opens(own_process=True)
    ada = stage.ada.enters(stage.group())
    stage.script("acme:main", _HALF, status(429, {"retry-after": "900"}))
    ada.asks("what is it?")
    await grows_and_is_killed(stage, ada)
    await ada.sees("served-by:SPAR")
    await ada.settles()
    told = [sight.text for sight in ada.looks()]
    assert sum("Answered by acme:spare" in text for text in told) == 1
    assert sum("served-by:SPAR" in text for text in told) == 1
    assert not any("the half of" in text for text in told)


@pytest.mark.parametrize(
    ("arrived", "shared"),
    [
        pytest.param(False, False, id="lost on its way, in private"),
        pytest.param(False, True, id="lost on its way, in a group"),
        # In a group Telegram may show the beginning of an answer twice: nobody can ask whether it has taken a message.
        pytest.param(True, False, id="taken, in private"),
    ],
)
async def test_an_answer_whose_sending_breaks_off_is_there_once_or_said_to_be_missing(
    stage: Stage, arrived: bool, shared: bool
) -> None:
    """Whether the platform had taken it when the connection broke, or not: nothing is lost without a word, and nothing is twice."""
    await stage.opens()
    ada = stage.ada.enters(stage.group()) if shared else stage.ada.at_home()
    stage.driver.loses_messages(arrived=arrived)
    ada.asks("what is it?")
    await stage.driver.until(lambda: any(word in s.text for s in ada.looks() for word in ("served-by:", "ask again")))
    assert await ada.served_by("and then") == "acme:main"
    await ada.settles()
    answers = sum("served-by:MAIN" in sight.text for sight in ada.looks())
    warnings = sum("ask again" in sight.text for sight in ada.looks())
    assert answers == 2 or (answers, warnings, arrived) == (1, 1, False)
