"""Scenarios of choosing by what is typed: what is said and whose key arrives."""

from tests.scenarios.stage import Stage


async def test_a_typed_choice_of_model_and_credential_is_what_status_says_and_what_arrives(stage: Stage) -> None:
    await stage.opens()
    ada = stage.ada.at_home()
    ada.commands("model opus@anthropic:home")
    await ada.sees("anthropic:home, pinned strict")
    told = await ada.status()
    assert "claude-opus-4-5" in told
    assert "anthropic:home" in told
    assert await ada.served_by() == "anthropic:home"
    assert stage.provider.seen[-1].model == "claude-opus-4-5"


async def test_a_thread_inherits_until_it_chooses_for_itself_and_its_chat_stays_as_it_was(stage: Stage) -> None:
    await stage.opens()
    group = stage.group()
    ada, inside = stage.ada.enters(group), stage.ada.enters(stage.thread(group))
    ada.commands("model big@acme:spare")
    await ada.sees("acme:spare, pinned strict")
    assert await inside.served_by() == "acme:spare"
    assert "inherited from" in await inside.status()
    inside.commands("model opus@anthropic:home")
    await inside.sees("anthropic:home, pinned strict")
    assert await inside.served_by() == "anthropic:home"
    assert await ada.served_by() == "acme:spare"


async def test_what_somebody_picks_in_a_group_is_told_to_everybody_there(stage: Stage) -> None:
    await stage.opens()
    group = stage.group()
    ada, bob = stage.ada.enters(group), stage.bob.enters(group)
    await ada.opens_picker()
    await ada.picks("big")
    await ada.picks("acme:spare")
    await bob.sees("acme:spare, pinned strict")
    assert await bob.served_by() == "acme:spare"


async def test_a_choice_for_one_turn_serves_it_and_what_stood_before_returns_and_is_told(stage: Stage) -> None:
    await stage.opens()
    ada = stage.ada.at_home()
    ada.commands("model opus@anthropic:home once")
    await ada.sees("anthropic:home")
    assert await ada.served_by() == "anthropic:home"
    await ada.sees("has ended: it was for one turn")
    assert await ada.served_by() == "acme:main"


async def test_the_menu_offers_every_command_that_people_need(stage: Stage) -> None:
    await stage.opens()
    needed = {"model", "models", "new", "stop", "status", "usage", "compact", "help", "whoami"}
    await stage.driver.until(lambda: needed <= stage.driver.menu())
