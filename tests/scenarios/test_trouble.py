"""Scenarios of restarts, kills and a slow database: what was confirmed holds, and nothing is done twice."""

import asyncio

from tests.fakes.provider_script import Slow, status
from tests.scenarios.stage import Stage


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
