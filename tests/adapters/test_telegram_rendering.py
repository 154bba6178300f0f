"""From text to messages: splitting and formatting, without a server."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adapters.telegram.render import markdown, render
from adapters.telegram.spelling import utf16_length
from adapters.telegram.splitting import LIMIT, Entity, Piece, split
from core.messages import Reply, ReplyKind
from tests.fakes.telegram_world import checked_version

MARKS = [
    "**",
    "*",
    "_",
    "`",
    "```",
    "```python\n",
    "~~",
    "||",
    "> ",
    "# ",
    "- ",
    "1. ",
    "[a](http://x)",
    "|",
    "\n",
    "\n\n",
    " ",
]
MARKS += [
    "😀",
    "👩‍👩‍👧",
    "é",
    "\\",
    "<b>",
    "\\(x^2\\)",
    "\\[",
    "$$",
    "![i](http://x/y.png)",
    "[t](tg://user?id=1)",
    "- [ ] ",
    "---\n",
]
WORDS = st.lists(st.one_of(st.sampled_from(MARKS), st.text(max_size=12)), max_size=60).map("".join)
LONG = st.tuples(WORDS, st.integers(1, 40)).map(lambda drawn: drawn[0] * drawn[1])


def accepted(pieces: tuple[Piece, ...]) -> None:
    """Every piece is one that Telegram takes as it is."""
    for piece in pieces:
        rows = [{"type": e.type, "offset": e.offset, "length": e.length} for e in piece.entities]
        checked_version(piece.text, rows, None)
        assert utf16_length(piece.text) <= LIMIT


@given(LONG)
@settings(max_examples=150, deadline=None)
def test_any_markdown_makes_messages_that_telegram_takes(text: str) -> None:
    pieces = markdown(text)
    accepted(pieces)
    assert bool(pieces) == bool(text.replace("\0", "").strip())


@given(st.text(max_size=400), st.integers(2, 50))
@settings(max_examples=150, deadline=None)
def test_splitting_loses_nothing_but_blanks(text: str, limit: int) -> None:
    pieces = split(text, limit=limit)
    assert all(piece.text.strip() and utf16_length(piece.text) <= limit for piece in pieces)
    assert "".join("".join(piece.text.split()) for piece in pieces) == "".join(text.split())


@given(st.text(alphabet="ab 😀\n", max_size=200), st.data())
@settings(max_examples=100, deadline=None)
def test_an_entity_covers_the_same_characters_after_a_split(text: str, data: st.DataObject) -> None:
    start = data.draw(st.integers(0, len(text)))
    end = data.draw(st.integers(start, len(text)))
    entity = Entity("bold", utf16_length(text[:start]), utf16_length(text[start:end]))
    covered = "".join(
        piece.text.encode("utf-16-le")[e.offset * 2 : (e.offset + e.length) * 2].decode("utf-16-le")
        for piece in split(text, [entity], limit=20)
        for e in piece.entities
    )
    assert "".join(covered.split()) == "".join(text[start:end].split())


@pytest.mark.parametrize(
    ("text", "limit", "pieces"),
    [
        pytest.param("aaaa bbbb", 6, ["aaaa", "bbbb"], id="at a blank"),
        pytest.param("aaa b\ncccc", 8, ["aaa b", "cccc"], id="at a line end rather than at a blank"),
        pytest.param("aaaaaa\n\nb\ncccc", 10, ["aaaaaa", "b\ncccc"], id="at a blank line rather than at a line end"),
        pytest.param("aaaaaaaa", 3, ["aaa", "aaa", "aa"], id="inside a word if need be"),
        pytest.param("😀😀😀", 3, ["😀", "😀", "😀"], id="never inside a character"),
        pytest.param("aaaa\n    bbbb", 9, ["aaaa", "    bbbb"], id="indentation stays"),
        pytest.param(" \n ", 5, [], id="blank"),
    ],
)
def test_where_text_is_cut(text: str, limit: int, pieces: list[str]) -> None:
    assert [piece.text for piece in split(text, limit=limit)] == pieces


def test_a_code_block_goes_on_in_the_next_piece_in_the_same_language() -> None:
    first, second = split("x\n" * 10, [Entity("pre", 0, 20, language="python")], limit=12)
    assert first.entities == (Entity("pre", 0, 11, language="python"),)
    assert second.entities == (Entity("pre", 0, 7, language="python"),)


def test_a_link_to_a_person_or_to_another_scheme_is_not_made() -> None:
    (piece,) = markdown("[a](tg://user?id=5) [b](javascript:x) [c](https://example.org)")
    assert [entity.url for entity in piece.entities] == ["https://example.org"]


def test_headings_carry_no_pictures() -> None:
    (piece,) = markdown("# One\n\n## Two")
    assert piece.text == "One\n\nTwo"


def test_only_the_models_text_is_read_as_markdown() -> None:
    assert render(Reply(kind=ReplyKind.STATUS, text="**x**")) == (Piece("**x**"),)
    assert render(Reply(kind=ReplyKind.TEXT, text="**x**")) == (Piece("x", (Entity("bold", 0, 1),)),)


def test_what_formatting_would_make_disappear_is_shown_as_written() -> None:
    assert markdown("```\n```") == (Piece("```\n```"),)


def test_characters_that_no_request_can_carry_are_replaced() -> None:
    assert markdown("a\ud800b\0c") == (Piece("a?bc"),)
