"""Scenarios of the picker: many choices, many people, old messages, and every way out of it."""

from tests.scenarios.seat import Seat
from tests.scenarios.stage import Stage


def with_many_models(stage: Stage) -> list[str]:
    """A provider that lists 400 models; their names."""
    names = [f"m-{n:03}" for n in range(400)]
    listed = ", ".join(f'"{name}"' for name in names)
    base = f'base_url = "{stage.provider.base_url}/v1"'
    stage.house.more += ["[models.providers.many]", base, 'api = "openai-completions"', f"models = [{listed}]"]
    stage.house.keys["many:one"] = "sk-scene-of-many-MANY"
    return [f"many/{name}" for name in names]


def with_many_profiles(stage: Stage) -> list[str]:
    """A provider with one model, `mob`, and 60 credentials; their ids."""
    base = f'base_url = "{stage.provider.base_url}/v1"'
    model = 'models = [{ id = "crowded", alias = "mob" }]'
    stage.house.more += ["[models.providers.crowd]", base, 'api = "openai-completions"', model]
    names = [f"crowd:p{n:02}" for n in range(60)]
    stage.house.keys |= {name: f"sk-scene-of-crowd-{name[-3:].upper()}x" for name in names}
    return names


async def every_page(seat: Seat, prefix: str) -> list[str]:
    """What the choices with this prefix say on the present page and on all that follow, without their states."""
    found: list[str] = []
    while True:
        shown = [one.removeprefix("✓ ") for one in seat.choices()]
        found += [one.partition(" · ")[0] for one in shown if one.startswith(prefix)]
        if "▶" not in seat.choices():
            return found
        await seat.picks("▶")


async def test_two_people_open_pickers_in_one_group_and_neither_presses_the_others(stage: Stage) -> None:
    await stage.opens()
    group = stage.group()
    ada, bob = stage.ada.enters(group), stage.bob.enters(group)
    hers, his = ada.says("/model"), bob.says("/model")
    adas, bobs = await ada.sees_reply(hers), await bob.sees_reply(his)
    await ada.picks("opus", on=adas)
    await bob.picks("big", on=bobs)
    shown = ada.looks_at(adas).text
    bob.touches("anthropic:home", on=adas)
    await bob.sees_privately("somebody else")
    assert ada.looks_at(adas).text == shown
    await ada.picks("anthropic:home", on=adas)
    await ada.sees("anthropic:home, pinned strict")
    assert await bob.served_by() == "anthropic:home"
    await bob.picks("acme:spare", on=bobs)
    await bob.sees("acme:spare, pinned strict")
    assert "anthropic:home, pinned" in ada.looks_at(adas).text
    assert await ada.served_by() == "acme:spare"


async def test_each_of_400_models_is_reached_by_paging_and_the_last_one_serves(stage: Stage) -> None:
    names = with_many_models(stage)
    await stage.opens()
    ada = stage.ada.at_home()
    await ada.opens_picker()
    await ada.picks("many · 400 models")
    assert await every_page(ada, "many/") == names
    await ada.picks(names[-1])
    await ada.picks("many:one")
    await ada.sees("many:one, pinned strict")
    assert await ada.served_by() == "many:one"
    assert stage.provider.seen[-1].model == "m-399"


async def test_one_of_400_models_is_found_by_a_search(stage: Stage) -> None:
    with_many_models(stage)
    await stage.opens()
    ada = stage.ada.at_home()
    await ada.opens_picker()
    await ada.searches("m-278")
    await ada.picks("many/m-278")
    await ada.picks("Automatic")
    await ada.sees("m-278")
    assert await ada.served_by() == "many:one"
    assert stage.provider.seen[-1].model == "m-278"


async def test_each_of_60_credentials_is_reached_by_paging_and_the_last_one_serves(stage: Stage) -> None:
    names = with_many_profiles(stage)
    await stage.opens()
    ada = stage.ada.at_home()
    await ada.opens_picker()
    await ada.picks("mob")
    assert await every_page(ada, "crowd:p") == names
    await ada.picks(names[-1])
    await ada.sees(f"{names[-1]}, pinned strict")
    assert await ada.served_by() == names[-1]


async def test_the_status_card_names_each_of_60_credentials_page_by_page(stage: Stage) -> None:
    names = with_many_profiles(stage)
    await stage.opens()
    ada = stage.ada.at_home()
    ada.commands("model mob")
    await ada.sees("Now mob")
    ada.commands("model status")
    card = await ada.sees("crowd:p00")
    pages = [card.text]
    while "▶" in ada.looks_at(card).labels:
        await ada.picks("▶", on=card)
        pages.append(ada.looks_at(card).text)
    assert len(pages) > 1
    assert all(any(name in page for page in pages) for name in names)


async def test_a_double_press_chooses_once_and_undo_leads_to_what_was_before_it(stage: Stage) -> None:
    await stage.opens()
    ada = stage.ada.enters(stage.group())
    picker = await ada.opens_picker()
    await ada.picks("big", on=picker)
    for _ in range(2):
        ada.touches("acme:spare", on=picker)
    await ada.sees_privately("already made")
    assert await ada.served_by() == "acme:spare"
    ada.commands("model undo")
    await ada.sees("acme/small")
    assert await ada.served_by() == "acme:main"
    assert stage.provider.seen[-1].model == "small"


async def test_a_picker_from_before_a_change_of_the_catalogue_says_so_and_changes_nothing(stage: Stage) -> None:
    await stage.opens()
    ada = stage.ada.at_home()
    picker = await ada.opens_picker()
    stage.house.acme.append('{ id = "latest", alias = "newest" }')
    await stage.reloads()
    ada.touches("big", on=picker)
    await ada.is_told("out of date")
    assert await ada.served_by() == "acme:main"
    assert stage.provider.seen[-1].model == "small"
    await ada.opens_picker()
    await ada.picks("newest")
    await ada.picks("acme:spare")
    assert await ada.served_by() == "acme:spare"
    assert stage.provider.seen[-1].model == "latest"


async def test_a_picker_that_is_older_than_a_day_says_so_and_changes_nothing(stage: Stage) -> None:
    await stage.opens()
    ada = stage.ada.at_home()
    picker = await ada.opens_picker()
    await ada.picks("big", on=picker)
    stage.skips(hours=25)
    ada.touches("acme:spare", on=picker)
    await ada.is_told("out of date")
    assert await ada.served_by() == "acme:main"


async def test_cancel_puts_the_picker_away_and_changes_nothing(stage: Stage) -> None:
    await stage.opens()
    ada = stage.ada.at_home()
    picker = await ada.opens_picker()
    await ada.picks("opus", on=picker)
    await ada.picks("Cancel", on=picker)
    await ada.sees("Nothing was changed")
    assert ada.looks_at(picker).labels == ()
    assert await ada.served_by() == "acme:main"
    assert stage.provider.seen[-1].model == "small"


async def test_back_leads_from_step_to_step_in_one_message(stage: Stage) -> None:
    await stage.opens()
    ada = stage.ada.at_home()
    picker = await ada.opens_picker()
    await ada.picks("anthropic · ", on=picker)
    await ada.sees("Models of anthropic")
    await ada.picks("sonnet", on=picker)
    await ada.sees("Credential for sonnet")
    await ada.picks("Back", on=picker)
    await ada.sees("Models of anthropic")
    await ada.picks("Back", on=picker)
    await ada.sees("Model and credential")
    assert [sight.id for sight in ada.looks()] == [picker.id]


async def test_automatic_releases_the_pin_and_keeps_the_model_and_default_releases_both(stage: Stage) -> None:
    await stage.opens()
    ada = stage.ada.at_home()
    ada.commands("model opus@anthropic:home")
    await ada.sees("anthropic:home, pinned strict")
    await ada.opens_picker()
    await ada.picks("Automatic")
    await ada.sees("chosen automatically")
    assert await ada.served_by() == "anthropic:work"
    assert stage.provider.seen[-1].model == "claude-opus-4-5"
    await ada.opens_picker()
    await ada.picks("Default")
    await ada.sees("Back to the default")
    assert await ada.served_by() == "acme:main"
