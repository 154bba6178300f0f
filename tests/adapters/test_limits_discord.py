"""What Discord receives never exceeds its limits, and holds every word of the answer: random Markdown, really sent."""

import re

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from core.messages import Delta, Reply, ReplyKind
from tests.adapters.limits_material import (
    SOUPS,
    Document,
    arrives,
    documents,
    examples,
    holds,
    large_items,
    paragraph_and_item,
)
from tests.adapters.limits_on_discord import DiscordArrived, discord_wire
from tests.fakes.discord_limits import check_message, pings_of

LIMIT = 2000
SUPPRESS_EMBEDS = 4
EDGE = re.compile(r"`{3,}")
BLOCK = re.compile(r"```([\w+.#-]{0,20})\n(.*?)\n?```", re.DOTALL)
ESCAPE = re.compile(r"\\(?=[^\w\s])")


def answer(text: str) -> Reply:
    return Reply(kind=ReplyKind.TEXT, text=text)


def accepted(arrived: DiscordArrived) -> None:
    """Discord took every body, and nothing in it pings anybody or opens a preview."""
    for body in arrived.bodies:
        check_message(body)
        assert pings_of(body) == []
        assert body["flags"] & SUPPRESS_EMBEDS
    for message in arrived.messages:
        assert len(message.content) <= LIMIT
        assert not message.pings


def pieces(arrived: DiscordArrived) -> list[str]:
    return [message.content for message in arrived.messages]


async def test_whatever_a_model_writes_discord_takes_it() -> None:
    async with discord_wire() as wire:

        @given(SOUPS)
        @examples(50)
        def claim(text: str) -> None:
            arrived = wire.answers(answer(text))
            accepted(arrived)
            assert arrived.messages
            assert all(len(EDGE.findall(piece)) % 2 == 0 for piece in pieces(arrived))

        await holds(claim)


async def test_every_word_arrives_once_and_in_its_place() -> None:
    async with discord_wire() as wire:

        @given(documents())
        @examples(30)
        def claim(doc: Document) -> None:
            arrived = wire.answers(answer(doc.text))
            accepted(arrived)
            arrives(doc, "\n".join(pieces(arrived)))

        await holds(claim)


async def test_code_stays_code_in_its_language_through_every_cut() -> None:
    async with discord_wire() as wire:

        @given(documents())
        @examples(30)
        def claim(doc: Document) -> None:
            found = pieces(wire.answers(answer(doc.text)))
            assert all(len(EDGE.findall(piece)) % 2 == 0 for piece in found)
            blocks = [(language, code) for piece in found for language, code in BLOCK.findall(piece)]
            for language, words in doc.fences:
                for word in words:
                    assert any(kept == language and word in code for kept, code in blocks), (language, word)

        await holds(claim)


async def test_a_list_item_or_table_row_that_fits_is_not_cut() -> None:
    async with discord_wire() as wire:

        @example(paragraph_and_item(LIMIT))
        @given(st.one_of(documents(), large_items(LIMIT)))
        @examples(30)
        def claim(doc: Document) -> None:
            found = pieces(wire.answers(answer(doc.text)))
            for unit in doc.units:
                held = [n for n, piece in enumerate(found) if unit[0] in piece or unit[-1] in piece]
                assert len(held) == 1, f"cut between {unit[0]} and {unit[-1]}"

        await holds(claim)


async def test_an_answer_that_grows_stays_within_the_limits_and_ends_whole() -> None:
    async with discord_wire() as wire:

        @given(documents(), st.integers(1, 12))
        @examples(12)
        def claim(doc: Document, count: int) -> None:
            step = -(-len(doc.text) // count)
            deltas = [Delta(doc.text[at : at + step]) for at in range(0, len(doc.text), step)]
            arrived = wire.answers(*deltas, answer(doc.text))
            accepted(arrived)
            arrives(doc, "\n".join(pieces(arrived)))

        await holds(claim)


@pytest.mark.parametrize("kind", [kind for kind in ReplyKind if kind is not ReplyKind.TEXT])
async def test_words_of_our_own_arrive_as_they_stand(kind: ReplyKind) -> None:
    async with discord_wire() as wire:

        @given(documents())
        @examples(6)
        def claim(doc: Document) -> None:
            arrived = wire.answers(Reply(kind=kind, text=doc.text))
            accepted(arrived)
            shown = ESCAPE.sub("", " ".join(pieces(arrived)))
            assert "".join(shown.split()) == "".join(doc.text.split())

        await holds(claim)
