"""The pictures of pickers and cards in docs/: made of what the platforms receive today, and of nothing that must be fetched."""

import re
from xml.etree import ElementTree

import pytest

from docs.make_cards import PICTURES, draw
from tests.documents import ROOT

NAMES = tuple(
    f"{platform}-{what}.svg" for platform in ("telegram", "discord") for what in ("picker", "status", "strict")
)
ANEW = "draw them again with `python docs/make_cards.py` and look at them"


async def test_the_pictures_show_what_the_platforms_receive_now() -> None:
    drawn = await draw()
    assert tuple(drawn) == NAMES
    stale = [name for name in NAMES if (PICTURES / name).read_text() != drawn[name]]
    assert stale == [], ANEW


@pytest.mark.parametrize("name", NAMES)
def test_a_picture_stands_alone(name: str) -> None:
    picture = (PICTURES / name).read_text()
    tree = ElementTree.fromstring(picture)
    assert not re.search(r"(?:href|src|@import|url\()", picture)
    assert not [part for part in tree.iter() if part.tag.endswith(("image", "script", "foreignObject", "style"))]
    assert tree.findtext("{http://www.w3.org/2000/svg}title")


def test_the_picker_is_shown_with_its_three_steps_on_both_platforms() -> None:
    for name in ("telegram-picker.svg", "discord-picker.svg"):
        words = re.sub(r"<[^>]+>", "", (PICTURES / name).read_text())
        for said in (
            "anthropic · 3 models · ready",
            "opus · ready",
            "anthropic:home · ready",
            "back in 4m",
            "pinned strict",
        ):
            assert said in words, (name, said)


def test_nothing_of_this_machine_or_of_one_run_is_in_them() -> None:
    for name in NAMES:
        assert not re.search(r"127\.0\.0\.1|localhost|/tmp|[0-9]{17,}", (PICTURES / name).read_text()), ROOT / name
