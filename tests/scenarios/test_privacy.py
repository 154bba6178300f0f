"""Scenarios of credentials that only owners may see: where others read along, an owner is told nothing that those may not read."""

import pytest

from tests.scenarios.seat import Seat
from tests.scenarios.stage import Stage

HIDDEN = "acme:main"


async def hides(stage: Stage) -> None:
    stage.house.more += [
        f'[auth.profiles."{HIDDEN}"]',
        'provider = "acme"',
        'mode = "api_key"',
        'pin_allow = ["owners"]',
    ]
    await stage.opens()


def reads(seat: Seat) -> str:
    """All that somebody sees there, buttons included."""
    return "\n".join("\n".join((sight.text, *sight.labels)) for sight in seat.looks())


async def test_who_reads_along_learns_nothing_of_it_from_what_an_owner_asks_and_chooses(stage: Stage) -> None:
    await hides(stage)
    group = stage.group()
    ada, bob = stage.ada.enters(group), stage.bob.enters(group)
    ada.commands(f"model big@{HIDDEN}")
    await ada.sees("with hidden, pinned strict")
    for asked, told in (
        ("/model status", "hidden"),
        ("/model why", "hidden"),
        ("/model @acme:nope", "You may pin: acme:spare"),
        ("/model", "hidden"),
    ):
        ada.asks(asked)
        await ada.sees(told)
    await ada.picks("Credentials")
    await ada.sees("Credential for big")
    await ada.settles()
    assert "hidden" in reads(bob)
    assert HIDDEN not in reads(bob)
    assert await ada.served_by() == HIDDEN


@pytest.mark.parametrize("stage", ["discord"], indirect=True)  # Telegram shows nothing to one alone in a group
async def test_a_picker_for_an_owners_eyes_only_offers_it_and_the_choice_is_told_without_its_name(stage: Stage) -> None:
    await hides(stage)
    group = stage.group()
    ada, bob = stage.ada.enters(group), stage.bob.enters(group)
    await ada.opens_picker()
    await ada.picks("big")
    await ada.picks(HIDDEN)
    await bob.sees("with hidden, pinned strict")
    assert HIDDEN not in reads(bob)
    ada.commands("model status")
    assert HIDDEN in (await ada.sees("Credential")).text
    assert HIDDEN not in reads(bob)
    assert await ada.served_by() == HIDDEN
