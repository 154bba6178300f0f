"""Scenarios of credentials that are out, come back, end or are gone: who serves, and what the chat is told."""

from datetime import timedelta

from tests.fakes.provider_script import status
from tests.scenarios.stage import Stage

OUT = status(429, {"retry-after": "900"})


async def test_a_strict_pin_that_is_out_asks_and_one_turn_with_another_brings_the_pin_back(stage: Stage) -> None:
    await stage.opens()
    ada = stage.ada.enters(stage.group())
    ada.commands("model big@acme:main")
    await ada.sees("acme:main, pinned strict")
    stage.script("acme:main", OUT)
    question = "what is kept until somebody chooses"
    ada.asks(question)
    card = await ada.sees_choice("Use acme:spare once")
    assert "acme:main" in card.text
    assert "cooling 15m" in card.text
    assert stage.questions.keys(question) == ["acme:main"], "a pin is a promise"
    await ada.picks("Use acme:spare once", on=card)
    await ada.sees("served-by:SPAR")
    await ada.settles()
    assert stage.questions.keys(question) == ["acme:main", "acme:spare"]
    ada.asks("and this")
    await ada.sees_choice("Use acme:spare once")
    stage.skips(minutes=16)
    assert await ada.served_by() == "acme:main"


async def test_a_preferred_pin_that_is_out_is_served_by_the_next_which_is_told_and_then_returned_to(
    stage: Stage,
) -> None:
    await stage.opens()
    ada = stage.ada.at_home()
    ada.commands("model big@acme:spare prefer")
    await ada.sees("acme:spare, pinned prefer")
    stage.script("acme:spare", OUT)
    ada.asks("anybody will do")
    await ada.sees("served-by:MAIN")
    await ada.sees("Answered by acme:main, because acme:spare")
    assert "acme:spare" in await ada.status()
    stage.skips(minutes=16)
    assert await ada.served_by() == "acme:spare"


async def test_a_choice_for_two_hours_ends_by_itself_and_the_chat_is_told(stage: Stage) -> None:
    await stage.opens()
    ada = stage.ada.enters(stage.group())
    ada.commands("model opus@anthropic:home for 2h")
    await ada.sees("Until ")
    assert await ada.served_by() == "anthropic:home"
    await stage.as_time_passes(ada.sees("anthropic:home has ended"), hours=2)
    assert await ada.served_by() == "acme:main"
    assert sum("has ended" in sight.text for sight in ada.looks()) == 1


async def test_a_pinned_profile_that_is_deleted_is_told_and_a_button_makes_the_chat_usable(stage: Stage) -> None:
    await stage.opens()
    ada = stage.ada.enters(stage.group())
    ada.commands("model big@acme:spare")
    await ada.sees("acme:spare, pinned strict")
    del stage.house.keys["acme:spare"]
    await stage.reloads()
    told = await stage.as_time_passes(ada.sees_choice("Release pin"), minutes=1)
    assert "acme:spare" in told.text
    assert "acme:main" in told.text, "those that there are"
    await ada.picks("Release pin", on=told)
    assert await ada.served_by() == "acme:main"


async def test_who_waited_for_a_credential_is_told_that_it_is_back_and_one_press_asks_the_kept_question(
    stage: Stage,
) -> None:
    await stage.opens()
    ada = stage.ada.enters(stage.group())
    ada.commands("model big@acme:main")
    await ada.sees("acme:main, pinned strict")
    stage.script("acme:main", OUT)
    question = "what I still want to know"
    ada.asks(question)
    await ada.sees_choice("Use acme:spare once")
    back = await stage.as_time_passes(ada.sees_choice("Ask now"), minutes=16)
    assert "acme:main" in back.text
    await ada.picks("Ask now", on=back)
    await ada.sees("served-by:MAIN")
    await ada.settles()
    assert stage.questions.keys(question) == ["acme:main", "acme:main"]


async def test_owners_are_told_once_a_day_of_a_credential_that_is_about_to_expire_and_nobody_else_is(
    stage: Stage,
) -> None:
    ada, bob = stage.ada.at_home(), stage.bob.at_home()
    stage.house.tokens["anthropic:day"] = stage.clock.now() + timedelta(hours=10)
    await stage.opens()
    assert "expires" in (await ada.sees("anthropic:day")).text
    await stage.as_time_passes(ada.sees("anthropic:day", "expired"), hours=25)
    stage.skips(minutes=5)
    await ada.settles()
    assert sum("anthropic:day" in sight.text for sight in ada.looks()) == 2
    assert bob.looks() == []
