"""From text to messages: splitting and formatting, without a server."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adapters.telegram.render import markdown, render
from adapters.telegram.spelling import utf16_length
from adapters.telegram.splitting import LIMIT, MOST_ENTITIES, Entity, Piece, newest, split
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
        pytest.param("aaa👩‍👩‍👧bb", 10, ["aaa", "👩‍👩‍👧bb"], id="nor inside a family"),
        pytest.param("aaa🇩🇪🇫🇷", 9, ["aaa🇩🇪", "🇫🇷"], id="nor inside a flag"),
        pytest.param("aaa👍🏽b", 6, ["aaa", "👍🏽b"], id="nor between a hand and its colour"),
        pytest.param("aae\u0301\u0302b", 4, ["aa", "e\u0301\u0302b"], id="nor between a letter and its accents"),
        pytest.param("e" + "\u0301" * 9, 4, ["e\u0301\u0301\u0301", "\u0301" * 4, "\u0301" * 2], id="but it goes on"),
        pytest.param("ab\ncccc cccc\ndd", 11, ["ab", "cccc cccc", "dd"], id="a line that fits whole is not torn"),
        pytest.param("ab\ncccc cccc cccc", 11, ["ab\ncccc", "cccc cccc"], id="one that does not fit is"),
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


def formats(pieces: tuple[Piece, ...], kind: str) -> list[tuple[str | None, str]]:
    """(language, text) of the formats of a kind, piece by piece."""
    return [
        (e.language, piece.text.encode("utf-16-le")[e.offset * 2 : (e.offset + e.length) * 2].decode("utf-16-le"))
        for piece in pieces
        for e in piece.entities
        if e.type == kind
    ]


def test_a_link_is_not_torn_if_there_is_another_place() -> None:
    pieces = split("aaaaa bbb ccc ddd", [Entity("text_link", 6, 7, url="https://example.org")], limit=11)
    assert [piece.text for piece in pieces] == ["aaaaa", "bbb ccc ddd"]
    assert formats(pieces, "text_link") == [(None, "bbb ccc")]


def test_a_code_block_that_fits_into_a_message_of_its_own_is_not_torn() -> None:
    pieces = split("before\n\n" + "x\n" * 9 + "\nafter", [Entity("pre", 8, 17)], limit=20)
    assert [piece.text for piece in pieces] == ["before", ("x\n" * 9).strip(), "after"]
    assert [len(piece.entities) for piece in pieces] == [0, 1, 0]


def test_a_long_code_block_is_cut_between_its_lines_and_goes_on_in_its_language() -> None:
    code = "\n".join(f"    call({n}, '😀')" for n in range(600))
    pieces = markdown(f"1. first\n\n   ```python\n{code}\n   ```\n2. second")
    assert all(units <= LIMIT for units in (utf16_length(piece.text) for piece in pieces))
    blocks = formats(pieces, "pre")
    assert {language for language, _ in blocks} == {"python"}
    assert len(blocks) > 1
    assert [line.strip() for _, text in blocks for line in text.splitlines()] == [
        line.strip() for line in code.splitlines()
    ]


def test_a_fence_in_a_fence_is_code_as_it_stands() -> None:
    pieces = markdown("````markdown\n```python\nx = 1\n```\n````\nafter")
    assert formats(pieces, "pre") == [("markdown", "```python\nx = 1\n```")]


def test_a_table_is_aligned_in_one_width() -> None:
    (piece,) = markdown("| Name | Value |\n|---|---:|\n| a | 1 |\n| **long one** | `x` |")
    ((_, table),) = formats((piece,), "pre")
    rows = [line.split("|") for line in table.splitlines() if "|" in line]
    assert [[cell.strip() for cell in row] for row in rows] == [["Name", "Value"], ["a", "1"], ["long one", "x"]]
    assert len({len(row[0]) for row in rows}) == 1


def test_a_list_of_tasks_has_empty_and_ticked_boxes() -> None:
    (piece,) = markdown("- [ ] to do\n- [x] done\n- neither")
    assert piece.text.splitlines() == ["☐ to do", "☑ done", "• neither"]


def test_no_message_has_more_formats_than_telegram_keeps() -> None:
    pieces = markdown(" ".join(f"**b{n}** c" for n in range(250)))
    assert [len(piece.entities) for piece in pieces] == [MOST_ENTITIES, MOST_ENTITIES, 50]
    assert " ".join(piece.text for piece in pieces) == " ".join(f"b{n} c" for n in range(250))


@given(st.lists(WORDS, min_size=1, max_size=30), st.integers(20, 200))
@settings(max_examples=80, deadline=None)
def test_what_is_shown_of_a_growing_text_is_its_end(steps: list[str], limit: int) -> None:
    text = ""
    for step in steps:
        text += step.replace("\0", "")
        piece = newest(text, limit=limit)
        if piece is None:
            assert not text.strip()
            continue
        assert utf16_length(piece.text) <= limit
        assert text.rstrip().endswith(piece.text.removeprefix("…\n"))
        assert piece.text.startswith("…\n") or piece.text == text.rstrip()


def test_a_growing_text_keeps_its_formats_where_they_are() -> None:
    piece = newest("a\n" * 60 + "bold", [Entity("bold", 120, 4)], limit=40)
    assert piece is not None
    assert formats((piece,), "bold") == [(None, "bold")]


def test_a_link_to_a_person_or_to_another_scheme_is_not_made_and_its_address_is_told() -> None:
    (piece,) = markdown("[a](tg://user?id=5) [b](javascript:x) [c](https://example.org) [d](./`e`.md)")
    assert piece.text == "a (tg://user?id=5) b (javascript:x) c d (./`e`.md)"
    assert [entity.url for entity in piece.entities if entity.type == "text_link"] == ["https://example.org"]
    assert formats((piece,), "code") == [(None, "tg://user?id=5"), (None, "javascript:x"), (None, "./`e`.md")]


@pytest.mark.parametrize(
    ("written", "shown"),
    [
        pytest.param("Replace <name>, run as <user>.", "Replace <name>, run as <user>.", id="placeholders"),
        pytest.param("a Vec<String> and a <std::string>", "a Vec<String> and a <std::string>", id="types"),
        pytest.param("- List<int> xs", "• List<int> xs", id="in a list"),
        pytest.param("a <!-- b --> c", "a <!-- b --> c", id="a comment"),
        pytest.param("<!-- a\n<b>\n-->\n\nc", "<!-- a\n<b>\n-->\n\nc", id="a comment of lines"),
        pytest.param("<details>\n`a<b>c`\n</details>", "<details>\na<b>c\n</details>", id="a block with code"),
        pytest.param("`a<b>` and `$x`", "a<b> and $x", id="code"),
        pytest.param("costs $5 <b> and $6", "costs $5 <b> and $6", id="between prices"),
        pytest.param("one<br>two<br/>\nthree", "one\ntwo\nthree", id="line breaks"),
        pytest.param("||a <b> c||", "a <b> c", id="a spoiler"),
        pytest.param("see [1]\n\n[1]: http://x.y\n[2]: word", "see 1\n[2]: word", id="an unused definition"),
        pytest.param("[a](https://x.y/z)", "a", id="a link that is one"),
        pytest.param("<https://x.y> <a@b.cd>", "https://x.y a@b.cd", id="addresses as they stand"),
    ],
)
def test_every_word_of_a_models_text_is_shown(written: str, shown: str) -> None:
    assert "\n".join(piece.text for piece in markdown(written)).replace("\n\n[2]", "\n[2]") == shown


@pytest.mark.parametrize(
    ("cell", "shown"),
    [
        ("<T>", "<T>"),
        ("$x^2$", "$x^2$"),
        ("$$y$$", "$$y$$"),
        (r"\(\frac{a}{b}\)", r"(\frac{a}{b})"),
        (r"`\(a\)`", r"\(a\)"),
        ("one<br>two", "one two"),
        ("[a](https://x.y/z)", "a (https://x.y/z)"),
        (r"[a](./b\|c)", "a (./b|c)"),
    ],
)
def test_every_word_of_a_table_is_shown_in_its_cell(cell: str, shown: str) -> None:
    (piece,) = markdown(f"| head | more |\n|---|---|\n| {cell} | end |")
    assert piece.text.splitlines()[-1] == f"{shown} | end".replace(" |", " " * max(0, 4 - len(shown)) + " |", 1)


def test_html_that_hides_more_html_without_an_end_is_shown_as_it_was_written() -> None:
    text = "<!--`\n" * 200
    assert "\n".join(piece.text for piece in markdown(text)) == text.strip()


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
