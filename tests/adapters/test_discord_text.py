"""Long answers, tables and plain words as Discord messages; buttons as components."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.discord.components import build_components, fitted, read_custom_id
from adapters.discord.markdown import model_markdown
from adapters.discord.plain import plain_name, plain_text
from adapters.discord.splitting import fence_after, split_text
from core.messages import Button, Reply, ReplyKind
from tests.fakes.discord_limits import check_message

CODE = "```python\n" + "\n".join(f"line_{n} = {n}" for n in range(300)) + "\n```"


def words(text: str) -> list[str]:
    return re.sub(r"`{3,}[\w+.#-]*", " ", text).split()


pieces = st.lists(
    st.sampled_from(
        [
            "word ",
            "a longer run of words. ",
            "\n",
            "\n\n",
            "```\n",
            "```py\n",
            "\n```\n",
            "`x` ",
            "    indented\n",
            "\\_",
            "é🦀 ",
        ]
    ),
    max_size=120,
).map("".join)


@given(text=pieces, limit=st.integers(100, 400))
def test_every_part_fits_shows_something_and_leaves_no_code_block_open(text: str, limit: int) -> None:
    for part in split_text(text, limit):
        assert len(part) <= limit
        assert part.strip()
        assert fence_after(part, "") == ""


@given(text=st.lists(st.text("abc \n", max_size=200), max_size=8).map("".join), limit=st.integers(100, 300))
def test_no_character_but_blanks_at_the_cuts_is_lost(text: str, limit: int) -> None:
    assert "".join("".join(split_text(text, limit)).split()) == "".join(text.split())


@given(text=st.text(max_size=3000), limit=st.integers(100, 400))
def test_any_text_at_all_is_split_within_the_limit(text: str, limit: int) -> None:
    assert all(part.strip() and len(part) <= limit for part in split_text(text, limit))


def test_a_cut_code_block_is_closed_and_opened_again_with_its_language() -> None:
    parts = split_text(f"Here:\n{CODE}\nDone.")
    assert len(parts) > 1
    assert all(part.endswith("\n```") for part in parts[:-1])
    assert all(part.startswith("```python\nline_") for part in parts[1:])
    assert parts[-1].endswith("```\nDone.")
    assert words("\n".join(parts)) == words(f"Here:\n{CODE}\nDone.")


def test_a_block_that_ends_where_the_cut_falls_is_not_opened_again() -> None:
    text = "```\n" + "x" * 88 + "\n```\nafter " + "y" * 60
    assert split_text(text, 100) == ["```\n" + "x" * 88 + "\n```", "after " + "y" * 60]


def test_an_opening_line_is_not_left_behind_without_its_code() -> None:
    text = "intro " * 13 + "\n```js\n" + "code " * 20
    first, second = split_text(text, 100)[:2]
    assert "```" not in first
    assert second.startswith("```js\ncode")


@pytest.mark.parametrize(
    ("text", "first"),
    [
        pytest.param("a" * 60 + "\n\n" + "b" * 60, "a" * 60, id="a paragraph"),
        pytest.param("a" * 60 + "\n" + "b" * 60, "a" * 60, id="a line"),
        pytest.param("a" * 60 + " " + "b" * 60, "a" * 60, id="a blank"),
        pytest.param("a" * 300, "a" * 96, id="nowhere"),
    ],
)
def test_a_long_text_is_cut_at_the_best_border(text: str, first: str) -> None:
    assert split_text(text, 100)[0] == first


def test_blank_text_has_no_parts() -> None:
    assert split_text(" \n\n ") == []


def test_a_table_becomes_aligned_code_and_code_stays_as_it_is() -> None:
    table = "| name | n |\n|---|---:|\n| opus | 1 |\n| a`b | 22 |"
    assert model_markdown(f"See:\n{table}\n\nend") == "See:\n```\nname  n\n----  --\nopus  1\na`b   22\n```\n\nend"
    assert model_markdown(f"```\n{table}\n```") == f"```\n{table}\n```"
    assert model_markdown("#### deep\n# top") == "### deep\n# top"


@pytest.mark.parametrize(
    ("plain", "escaped"),
    [
        pytest.param(
            "rate_limit · env:ACME_API_KEY#2 · p/m@a:b", "rate_limit · env:ACME_API_KEY#2 · p/m@a:b", id="ids"
        ),
        pytest.param("*x* _y_ a__b__ `c`", r"\*x\* \_y\_ a\_\_b\_\_ \`c\`", id="marks"),
        pytest.param("~~x~~ ~ ||y|| a | b", r"\~\~x\~\~ ~ \|\|y\|\| a | b", id="doubled marks"),
        pytest.param(r"C:\Users \*", r"C:\Users \\\*", id="backslashes"),
        pytest.param("at https://a.example/_x_y_ (ok_)", r"at https://a.example/_x_y_ (ok\_)", id="addresses"),
        pytest.param("  1. opus\n  # no\n> q", "  1. opus\n  \\# no\n\\> q", id="beginnings of lines"),
        pytest.param("[a](http://b)", r"\[a](http://b)", id="links with other words"),
    ],
)
def test_plain_words_show_as_they_stand(plain: str, escaped: str) -> None:
    assert plain_text(plain) == escaped


def reply(choices: int = 0, actions: int = 0, *, label: str = "choice", selected: int = 0, token: str = "tok") -> Reply:
    offered = [Button(n=n, label=f"{label} {n}", command="x", selected=n == selected) for n in range(1, choices + 1)]
    offered += [Button(n=choices + n, label=f"act {n}", command="x", group="action") for n in range(1, actions + 1)]
    return Reply(kind=ReplyKind.PICKER, text="pick", buttons=tuple(offered), token=token)


@given(choices=st.integers(0, 150), actions=st.integers(0, 40), length=st.integers(0, 200))
def test_whatever_is_offered_discord_takes_it(choices: int, actions: int, length: int) -> None:
    offered = reply(choices, actions, label="l" * length)
    check_message({"content": "pick", "components": build_components(offered)})


def test_choices_are_menus_of_25_and_actions_are_buttons_below() -> None:
    rows = build_components(reply(60, 7, selected=30))
    menus = [row["components"][0] for row in rows[:3]]
    assert [len(menu["options"]) for menu in menus] == [25, 25, 10]
    assert [menu["custom_id"] for menu in menus] == ["rc:tok", "rc:tok:menu2", "rc:tok:menu3"]
    assert [menu["placeholder"] for menu in menus] == ["Choose (1 to 25)", "Choose (26 to 50)", "Choose (51 to 60)"]
    assert [o["value"] for menu in menus for o in menu["options"] if o.get("description") == "now"] == ["30"]
    assert [len(row["components"]) for row in rows[3:]] == [5, 2]
    assert rows[3]["components"][0]["custom_id"] == "rc:tok:61"


def test_a_hundred_choices_and_one_row_of_actions_have_room() -> None:
    rows = build_components(reply(100, 5))
    assert sum(len(row["components"][0].get("options", ())) for row in rows) == 100
    assert [part["label"] for part in rows[-1]["components"]] == ["act 1", "act 2", "act 3", "act 4", "act 5"]


def test_long_labels_are_cut_and_a_reply_without_a_token_offers_nothing() -> None:
    rows = build_components(reply(1, label="l" * 200))
    assert len(rows[0]["components"][0]["options"][0]["label"]) == 100
    assert build_components(reply(3, token="")) == []


@pytest.mark.parametrize(
    ("custom_id", "values", "meaning"),
    [
        pytest.param("rc:tok:3", [], ("tok", 3), id="a button"),
        pytest.param("rc:tok", ["12"], ("tok", 12), id="a menu"),
        pytest.param("rc:tok:menu2", ["30"], ("tok", 30), id="a further menu"),
        pytest.param("rc:tok:menu2", [], None, id="a menu without a choice"),
        pytest.param("rc:tok:7model", [], None, id="a number with a tail"),
        pytest.param("rc:tok:٣", [], None, id="a number in other digits"),
        pytest.param("rc:tok:99999", [], None, id="a number out of any range"),
        pytest.param("rc::1", [], None, id="no token"),
        pytest.param("other:tok:1", [], None, id="another program's"),
        pytest.param("", [], None, id="nothing"),
    ],
)
def test_a_press_is_read_strictly(custom_id: str, values: list[str], meaning: tuple[str, int] | None) -> None:
    assert read_custom_id(custom_id, values) == meaning


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        pytest.param("Ada Lovelace", "Ada Lovelace", id="plain"),
        pytest.param("Zoë_ 李", "Zoë\\_ 李", id="letters of all kinds"),
        pytest.param("<@1> @everyone", "\\<\\@\u200b1\\> \\@\u200beveryone", id="mentions"),
        pytest.param("# **x**\n> y", "\\# \\*\\*x\\*\\* \\> y", id="marks and lines"),
        pytest.param("[a](https://b.c)", "\\[a\\]\\(https\\:\\/\\/b\\.c\\)", id="links"),
        pytest.param("a\u202eb\u200b", "ab", id="hidden signs"),
        pytest.param("\u200b ", "Somebody", id="nothing to be seen"),
        pytest.param("x" * 200, "x" * 80, id="endless"),
    ],
)
def test_a_persons_name_means_nothing_but_itself(name: str, shown: str) -> None:
    assert plain_name(name) == shown


def test_a_long_label_keeps_its_head_and_its_state() -> None:
    label = fitted(f"acme/{'x' * 300}@work · cooling down · 14:27", 100)
    assert len(label) == 100
    assert label.startswith("acme/x")
    assert label.endswith("x@work · cooling down · 14:27")
    assert fitted(" a\n b ", 100) == "a b"
