"""The selector grammar: model-command.md 1.2, 1.3, 1.5 and section 10, V01-V47 and C164-C170, as data."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.models.selector import Selector, eight_digit_profile, find_directive, split_profile

DIRECTIVES = [
    pytest.param("/model gpt-5", (), "gpt-5", "", id="V01"),
    pytest.param("/models gpt-5", (), None, None, id="V02"),
    pytest.param("/model anthropic/claude-opus-4-5", (), "anthropic/claude-opus-4-5", "", id="V04"),
    pytest.param("hello world", (), None, None, id="V05"),
    pytest.param("/gpt:", ("gpt",), "gpt", "", id="V07"),
    pytest.param("switch to /opus please", ("opus",), "opus", "switch to please", id="V08"),
    pytest.param("gpt is great", ("gpt",), None, None, id="V10"),
    pytest.param("/unknown", ("gpt", "sonnet"), None, None, id="V11"),
    pytest.param("/gpt", (), None, None, id="V13"),
    pytest.param("thats not /model gpt-5/tmp/hello", (), "gpt-5/tmp/hello", "thats not", id="V14"),
    pytest.param("/gpt-turbo", ("gpt",), None, None, id="V16"),
    pytest.param("", (), None, None, id="V17"),
    pytest.param("x/model gpt", (), None, None, id="V19"),
    pytest.param("/MODEL x", (), "x", "", id="upper-case command"),
    pytest.param("/GPT", ("gpt",), "GPT", "", id="alias keeps its case"),
    pytest.param("/gpt.4", ("gpt.4",), "gpt.4", "", id="alias with a dot"),
    pytest.param("/model: x", (), "x", "", id="colon"),
    pytest.param("/model : x", (), "x", "", id="colon after a blank"),
    pytest.param("/model  ", (), None, "", id="no argument"),
    pytest.param("/opus and /model gpt", ("opus",), "gpt", "/opus and", id="/model wins over an alias"),
    pytest.param("/model openai/", (), "openai", "/", id="a trailing slash is not taken"),
    pytest.param("/model a//b", (), "a", "//b", id="a double slash is not taken"),
    pytest.param("/model a+b", (), "a", "+b", id="other characters end it"),
    pytest.param("/model\nopus", (), None, "opus", id="the reference stands on the same line"),
    pytest.param("hi\n/model big\nthere", (), "big", "hi\nthere", id="lines are kept"),
]


@pytest.mark.parametrize(("text", "aliases", "argument", "rest"), DIRECTIVES)
def test_a_directive_is_found_where_it_stands(
    text: str, aliases: tuple[str, ...], argument: str | None, rest: str | None
) -> None:
    found = find_directive(text, aliases)
    if rest is None:
        assert found is None
    else:
        assert found is not None
        assert (found.argument, found.rest) == (argument, rest)


QUOTED = [
    pytest.param('/model "odd model"@"odd profile"', Selector("odd model", "odd profile", True), id="both"),
    pytest.param('/model x@"team/prod"', Selector("x", "team/prod", True), id="profile"),
    pytest.param('/model "a b"@work', Selector("a b", "work", True), id="model"),
    pytest.param('/model "a@b"', Selector("a@b", None, True), id="an @ in quotes separates nothing"),
    pytest.param('/model "with \\"quotes\\""', Selector('with "quotes"', None, True), id="escapes"),
]


@pytest.mark.parametrize(("text", "selector"), QUOTED)
def test_quoted_parts_are_meant_to_the_letter(text: str, selector: Selector) -> None:
    found = find_directive(text)
    assert found is not None
    assert found.selector == selector


@pytest.mark.parametrize("text", ['/model "odd', '/model x"y"', '/model "bad \\q"'])
def test_a_reference_with_wrong_quotes_is_no_directive(text: str) -> None:
    assert find_directive(text) is None


SPLITS = [
    ("gpt-5@myprofile", "gpt-5", "myprofile"),
    (" openai/gpt-5 ", "openai/gpt-5", None),
    ("opus@anthropic:default", "opus", "anthropic:default"),
    ("openai/@cf/openai/gpt-oss-20b", "openai/@cf/openai/gpt-oss-20b", None),
    ("openai/@cf/openai/gpt-oss-20b@cf:default", "openai/@cf/openai/gpt-oss-20b", "cf:default"),
    ("openrouter/@preset/kimi-2-5", "openrouter/@preset/kimi-2-5", None),
    ("openrouter/@preset/kimi-2-5@work", "openrouter/@preset/kimi-2-5", "work"),
    ("provider/@foo/@bar/model", "provider/@foo/@bar/model", None),
    ("provider/foo@bar/baz", "provider/foo@bar/baz", None),
    ("vertex-ai_claude-haiku-4-5@20251001", "vertex-ai_claude-haiku-4-5@20251001", None),
    ("custom/vertex-ai_claude-haiku-4-5@20251001@work", "custom/vertex-ai_claude-haiku-4-5@20251001", "work"),
    ("lmstudio/x/gemma@q8_0@work", "lmstudio/x/gemma@q8_0", "work"),
    ("lmstudio/x/gemma@Q4_K_M", "lmstudio/x/gemma@Q4_K_M", None),
    ("x/gemma@4bit", "x/gemma@4bit", None),
    ("x/gemma@iq4_xs", "x/gemma@iq4_xs", None),
    ("@cf/meta/llama", "@cf/meta/llama", None),
    ("@cf/meta/llama@work", "@cf/meta/llama", "work"),
    ("@work", "@work", None),
    ("opus@", "opus@", None),
    ("p/m@1234", "p/m", "1234"),
    ("p/m@v1.2.3", "p/m", "v1.2.3"),
    ("foo@202510011", "foo", "202510011"),
    ("foo@20251001@q8_0@work", "foo@20251001@q8_0", "work"),
    ("flash@google-gemini-cli:test@gmail.com", "flash", "google-gemini-cli:test@gmail.com"),
    ("", "", None),
]


@pytest.mark.parametrize(("text", "model", "profile"), SPLITS)
def test_the_profile_is_cut_off_at_the_right_at_sign(text: str, model: str, profile: str | None) -> None:
    assert split_profile(text) == Selector(model, profile)


@pytest.mark.parametrize(
    ("text", "other"),
    [
        ("openai/gpt-4o@20251001", Selector("openai/gpt-4o", "20251001")),
        ("gpt-4o@20251001", Selector("gpt-4o", "20251001")),
        ("gpt-4o@2025100", None),
        ("gpt-4o", None),
        ("@20251001", None),
    ],
)
def test_eight_digits_may_also_be_a_profile(text: str, other: Selector | None) -> None:
    assert eight_digit_profile(split_profile(text)) == other


@given(st.text())
def test_any_text_is_read_without_an_error_and_loses_nothing_but_the_directive(text: str) -> None:
    found = find_directive(text, ("opus", "a.b"))
    if found is not None:
        assert found.before == text[: len(found.before)]
    selector = split_profile(text)
    assert selector.model in text
    assert selector.profile is None or (selector.profile and selector.profile in text)


PART = st.text("abcXYZ019._:-", min_size=1, max_size=8)


@given(st.lists(PART, min_size=1, max_size=3).map("/".join), st.lists(PART, min_size=1, max_size=2).map("@".join))
def test_a_model_without_at_signs_and_any_profile_come_apart_again(model: str, profile: str) -> None:
    selector = split_profile(f"{model}@{profile}")
    marks = split_profile(f"m@{profile}").profile is None or split_profile(f"m@{profile}").profile != profile
    assert marks or selector == Selector(model, profile)
