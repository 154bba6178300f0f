"""Cards, footers and plain words on Discord: complete, within the limits, and nothing in them that means more than it says."""

import re
from collections.abc import AsyncIterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.discord.cards import card_parts, with_footer
from adapters.discord.markdown import model_markdown
from adapters.discord.plain import as_written, plain_text
from adapters.discord.splitting import fence_after, split_text
from core.messages import Block, Delta, Reply, ReplyKind, Row, Tone
from tests.adapters.discord_place import Place, a_place, text
from tests.fakes.discord_room import says

ZERO = "\u200b"
MARKUP = st.sampled_from(
    (
        *("word", "a_b", "*x*", "**", "`", "```", "||", "~~", "[a](https://b.example)", "](", "# ", "-# ", "> ", ">>> "),
        *("@everyone", "@here", "<@1>", "<@!22>", "<@&3>", "<#4>", "<t:5:R>", "</model:6>", "<:a:7>", "https://x.example/_y_"),
        *("\n", " ", "\\", "é", "🦀", "- ", "1. "),
    )
)  # fmt: skip
words = st.lists(MARKUP, max_size=40).map("".join)
rows = st.builds(Row, words, words, st.sampled_from(Tone), st.integers(0, 30))
blocks = st.lists(st.builds(Block, words, st.lists(rows, max_size=12).map(tuple)), max_size=5)

STATUS = (
    Block(
        "Model", (Row("Model", "big (acme/large) · session"), Row("Next", "acme:work, the first in order", Tone.GOOD))
    ),
    Block(
        "acme · openai-completions",
        (
            Row("acme:work", "api_key · ready", Tone.GOOD, 1),
            Row("acme:ho`me", "cooling 4m · rate_limit", Tone.WAITING, 2),
            Row("acme:old", "expired 2d ago", Tone.BAD, 3),
            Row("", "Choose with /model <number>"),
            Row("", "The configuration fixes *this*.", Tone.WAITING),
        ),
    ),
)
SHOWN = """### Model
**Model** big (acme/large) · session
🟢 **Next** acme:work, the first in order
### acme · openai-completions
🟢 **1.** `acme:work` api_key · ready
🟡 **2.** `acme:hoˋme` cooling 4m · rate_limit
🔴 **3.** `acme:old` expired 2d ago
-# Choose with /model <number>
🟡 The configuration fixes \\*this\\*."""


@pytest.fixture
async def place() -> AsyncIterator[Place]:
    async with a_place() as made:
        yield made


def bare(shown: str) -> str:
    """What a text says, without marks, blanks and what cannot be seen."""
    return re.sub(r"[\W_ˋ]+", "", shown)


async def test_a_card_shows_its_facts_in_place_of_its_lines(place: Place) -> None:
    await place.answers(Reply(kind=ReplyKind.STATUS, text="as a terminal shows it", blocks=STATUS))
    assert place.channel.messages[-1].content == SHOWN


@given(blocks)
def test_a_card_is_split_between_facts_says_everything_and_pings_nobody(made: list[Block]) -> None:
    parts = card_parts(made)
    assert all(part.strip() and len(part) <= 2000 for part in parts)
    said = bare("".join(parts))
    for block in made:
        for row in block.rows:
            assert bare(row.head) in said
            assert bare(row.text) in said
    assert not re.search(r"@everyone|@here|<@[!&]?[0-9]", "\n".join(parts))


def test_no_title_is_left_behind_by_its_facts_and_no_fact_is_cut() -> None:
    facts = [Row(f"acme:{n}", "ready " * 20, Tone.GOOD, n) for n in range(1, 60)]
    made = [Block(f"Part {n}", tuple(facts[n : n + 9])) for n in range(0, 54, 9)]
    parts = card_parts(made)
    assert len(parts) > 3
    lines = [line for part in parts for line in part.splitlines()]
    assert [line for line in lines if line.startswith("###")] == [f"### {block.title}" for block in made]
    assert all(line.startswith("###") or line.endswith("ready") for line in lines)
    assert not any(part.splitlines()[-1].startswith("###") for part in parts)


def test_a_fact_that_is_longer_than_a_message_is_there_as_a_whole() -> None:
    long = " ".join(f"word{n}" for n in range(600))
    parts = card_parts([Block("Title", (Row("Head", long), Row("More", "x")))])
    assert " ".join(parts).split() == ["###", "Title", "**Head**", *long.split(), "**More**", "x"]


async def test_the_footer_is_a_small_line_under_the_last_message_of_an_answer(place: Place) -> None:
    whole = "word " * 799 + "end"
    await place.answers(Delta(whole[:900]), text(whole, footer="acme/large · acme:work\n12 *in*"))
    shown = [message.content for message in place.channel.messages[1:]]
    assert all(len(part) <= 2000 for part in shown)
    assert [part.count("-# ") for part in shown] == [0] * (len(shown) - 1) + [1]
    assert shown[-1].endswith("\n-# acme/large · acme:work 12 \\*in\\*")
    assert " ".join(shown).split()[: len(whole.split())] == whole.split()


@given(st.integers(1900, 2100), words)
def test_a_footer_stays_within_the_limit_and_takes_nothing_away(length: int, footer: str) -> None:
    body = ("word " * 500)[:length].strip()
    parts = with_footer(split_text(f"```\n{body}\n```"), footer)
    assert all(len(part) <= 2000 and fence_after(part, "") == "" for part in parts)
    assert "".join(parts).count("word") >= body.count("word")
    assert parts[-1].splitlines()[-1].startswith("-# ")


@given(words)
def test_plain_words_can_be_read_back_as_they_were_written(written: str) -> None:
    assert as_written(plain_text(written)) == written


@given(words)
def test_nothing_in_plain_words_is_a_mention_a_link_or_a_heading(written: str) -> None:
    shown = plain_text(written)
    visible = re.sub(r"https?://[^\s<]+", "address", shown)
    assert not re.search(r"@everyone|@here|<@[!&]?[0-9]", shown)
    assert not re.search(r"(?<!\\)(?:\\\\)*[*`]", visible)
    assert not re.search(r"^\s*(?:#{1,3}\s|>|-#)", visible, re.MULTILINE)


async def test_mentions_that_a_model_writes_are_broken_up_but_its_code_is_left_alone(place: Place) -> None:
    written = "Hi @everyone and <@123>, type `@here` or\n```py\nping('@everyone')\n```\nmail a@b.example"
    await place.answers(Delta(written), text(written))
    shown = place.channel.messages[-1].content
    expected = f"Hi @{ZERO}everyone and <@{ZERO}123>, type `@here` or\n```py\nping('@everyone')\n```\nmail a@b.example"
    assert shown == expected


async def test_nothing_that_is_sent_opens_a_preview_of_a_link(place: Place) -> None:
    link = "https://keys.example/?key=secret"
    await place.answers(text(f"see {link}", footer=link), Reply(kind=ReplyKind.NOTICE, text=link), Delta(link))
    place.room.answer = says(Reply(kind=ReplyKind.NOTICE, text=link), text(link))
    used = place.alice.slash(place.channel, "model", "x")
    await place.handled(used)
    bodies = [entry["body"] for entry in place.server.requests if "content" in (entry["body"] or ())]
    assert len(bodies) == 5
    assert all(
        body["flags"] & 4 and body["allowed_mentions"] == {"parse": [], "replied_user": False} for body in bodies
    )


@pytest.mark.parametrize(
    ("written", "shown"),
    [
        pytest.param(
            "````md\n```py\nx\n```\n````\nend", f"```md\n`{ZERO}`{ZERO}`py\nx\n`{ZERO}`{ZERO}`\n```\nend", id="code that shows code"
        ),
        pytest.param("~~~js\na\n~~~", "```js\na\n```", id="tildes"),
        pytest.param("- one\n  ```js\n  a\n    b\n  ```\n- two", "- one\n```js\na\n  b\n```\n- two", id="code in a list"),
        pytest.param("> ```\n> a\n> ```\n> b", "```\na\n```\n> b", id="code in a quote"),
        pytest.param("> > a\n>>> b\n> c", "> a\n> b\n> c", id="quotes in quotes"),
        pytest.param("see ```x``` and\n```\n@here\n```", "see ```x``` and\n```\n@here\n```", id="code within a line"),
        pytest.param(
            "|a|**b**|\n|--|--|\n|漢字|`c` \\| d|", "```\na     b\n----  -----\n漢字  c | d\n```", id="a table of wide signs"
        ),
    ],
)  # fmt: skip
def test_markdown_that_discord_reads_otherwise_is_written_for_it(written: str, shown: str) -> None:
    assert model_markdown(written) == shown


def cut(written: str) -> list[str]:
    return split_text(written, 100)


@pytest.mark.parametrize(
    ("written", "parts"),
    [
        pytest.param(
            "a" * 70 + " [the link](https://example.org/a/long/way) b",
            ["a" * 70, "[the link](https://example.org/a/long/way) b"],
            id="a link",
        ),
        pytest.param(
            "a " * 38 + "||a spoiler of some words|| b", [("a " * 38).strip(), "||a spoiler of some words|| b"], id="a spoiler"
        ),
        pytest.param("a " * 43 + "`code of words` bbbbbbb", [("a " * 43).strip(), "`code of words` bbbbbbb"], id="code"),
        pytest.param("> " + "a " * 60, ["> " + ("a " * 47).strip(), "> " + ("a " * 13).strip()], id="a quoted line"),
        pytest.param(
            "||" + "a " * 60 + "||", ["||" + ("a " * 47).strip() + "||", "||" + "a " * 13 + "||"], id="a spoiler too long"
        ),
        pytest.param(
            f"- {'a' * 50}\n- {'b' * 20}\n  - {'c' * 40}", [f"- {'a' * 50}", f"- {'b' * 20}\n  - {'c' * 40}"], id="a list"
        ),
    ],
)  # fmt: skip
def test_what_belongs_together_is_not_cut_or_goes_on_as_it_began(written: str, parts: list[str]) -> None:
    assert cut(written) == parts
