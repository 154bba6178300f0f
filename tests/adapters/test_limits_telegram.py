"""What Telegram receives never exceeds its limits, and holds every word of the answer: random Markdown, really sent."""

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
    many_formats,
    paragraph_and_item,
    placeholders,
)
from tests.adapters.limits_on_telegram import TelegramArrived, telegram_wire
from tests.fakes.telegram_world import ChatMessage, units

LIMIT = 4096
MOST_ENTITIES = 100
"""Telegram leaves out the formats beyond these, without a word."""


def answer(text: str) -> Reply:
    return Reply(kind=ReplyKind.TEXT, text=text)


def accepted(arrived: TelegramArrived) -> None:
    """Telegram took every call at the first try, and nothing in it could do harm."""
    for method, params, status in arrived.calls:
        assert status == 200, (method, params)
        if "text" in params:
            assert units(params["text"]) <= LIMIT
            assert not params.get("parse_mode")
            assert method == "sendmessagedraft" or params["link_preview_options"]["is_disabled"] is True
            entities = params.get("entities") or []
            assert len(entities) <= MOST_ENTITIES
            for entity in entities:
                assert entity["type"] not in ("text_mention", "mention", "custom_emoji")
                assert entity.get("url", "https://").startswith(("http://", "https://", "mailto:"))


def covered(message: ChatMessage, kind: str) -> list[tuple[str, str]]:
    """(language, text) of the entities of a kind."""
    raw = message.text.encode("utf-16-le")
    rows = [dict(entity) for entity in message.history[-1].entities]
    return [
        (row.get("language", ""), raw[row["offset"] * 2 : (row["offset"] + row["length"]) * 2].decode("utf-16-le"))
        for row in rows
        if row["type"] == kind
    ]


def piece_of(word: str, texts: list[str]) -> int:
    return next(n for n, text in enumerate(texts) if word in text)


async def test_whatever_a_model_writes_telegram_takes_it_at_the_first_try() -> None:
    async with telegram_wire() as wire:

        @given(SOUPS, st.booleans())
        @examples(40)
        def claim(text: str, group: bool) -> None:
            arrived = wire.answers(answer(text), group=group)
            accepted(arrived)
            assert bool(arrived.messages) == bool(text.replace("\0", "").strip())

        await holds(claim)


async def test_every_word_arrives_once_and_in_its_place() -> None:
    async with telegram_wire() as wire:

        @example(many_formats(350))
        @example(placeholders())
        @given(documents())
        @examples(25)
        def claim(doc: Document) -> None:
            arrived = wire.answers(answer(doc.text))
            accepted(arrived)
            arrives(doc, "\n".join(message.text for message in arrived.messages))

        await holds(claim)


async def test_code_stays_code_in_its_language_through_every_cut() -> None:
    async with telegram_wire() as wire:

        @given(documents())
        @examples(25)
        def claim(doc: Document) -> None:
            arrived = wire.answers(answer(doc.text))
            texts = [message.text for message in arrived.messages]
            for language, words in doc.fences:
                for word in words:
                    code = covered(arrived.messages[piece_of(word, texts)], "pre")
                    assert any(found == language and word in text for found, text in code), (language, word)

        await holds(claim)


async def test_a_list_item_or_table_row_that_fits_is_not_cut() -> None:
    async with telegram_wire() as wire:

        @example(paragraph_and_item(LIMIT))
        @given(st.one_of(documents(), large_items(LIMIT)))
        @examples(25)
        def claim(doc: Document) -> None:
            texts = [message.text for message in wire.answers(answer(doc.text)).messages]
            for unit in doc.units:
                assert piece_of(unit[0], texts) == piece_of(unit[-1], texts), f"cut between {unit[0]} and {unit[-1]}"

        await holds(claim)


async def test_an_answer_that_grows_stays_within_the_limits_and_ends_whole() -> None:
    async with telegram_wire() as wire:

        @given(documents(), st.integers(1, 12), st.booleans())
        @examples(12)
        def claim(doc: Document, count: int, group: bool) -> None:
            step = -(-len(doc.text) // count)
            deltas = [Delta(doc.text[at : at + step]) for at in range(0, len(doc.text), step)]
            arrived = wire.answers(*deltas, answer(doc.text), group=group)
            accepted(arrived)
            arrives(doc, "\n".join(message.text for message in arrived.messages))

        await holds(claim)


@pytest.mark.parametrize("kind", [kind for kind in ReplyKind if kind is not ReplyKind.TEXT])
async def test_words_of_our_own_arrive_as_they_stand(kind: ReplyKind) -> None:
    async with telegram_wire() as wire:

        @given(SOUPS)
        @examples(8)
        def claim(text: str) -> None:
            arrived = wire.answers(Reply(kind=kind, text=text))
            accepted(arrived)
            whole = "".join("".join(message.text.split()) for message in arrived.messages)
            sendable = text.encode("utf-8", "replace").decode().replace("\0", "")
            assert whole == "".join(sendable.split())

        await holds(claim)
