"""Which texts a request can carry as a credential."""

import pytest

from core.auth.secret import unsendable


@pytest.mark.parametrize("text", ["sk-0123", "".join(map(chr, range(0x21, 0x7F))), " x\n", ""])
def test_visible_ascii_can_be_sent(text: str) -> None:
    assert unsendable(text) is None


@pytest.mark.parametrize(
    ("text", "what"),
    [
        pytest.param("a CANARY", "a blank", id="blank"),
        pytest.param("a\u00a0CANARY", "a blank", id="one that looks like it"),
        pytest.param("a\tCANARY", "a control character", id="tab"),
        pytest.param("a\nCANARY", "a control character", id="line break"),
        pytest.param("a\x7fCANARY", "a control character", id="delete"),
        pytest.param("\u00e9CANARY", "a character that is not ASCII", id="accent"),
        pytest.param("CANARY\u200b", "a character that is not ASCII", id="zero width"),
    ],
)
def test_anything_else_is_named_without_the_text(text: str, what: str) -> None:
    assert unsendable(text) == f"holds {what}, which no request can carry"
