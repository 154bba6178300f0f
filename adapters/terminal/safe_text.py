"""What may reach a terminal: text, newlines and tabs. Nothing that moves the cursor, recolours, or renames the window.

Model output, names and labels come from outside; a terminal obeys control characters wherever they come from.
"""

import re

_SEQUENCE = re.compile(
    r"(?:\x1b\[|\x9b)[0-?]{0,64}[ -/]{0,8}[@-~]|(?:\x1b\]|\x9d)[^\x07\x1b\x9c]{0,2048}(?:\x07|\x1b\\|\x9c)"
)
"""A colour or cursor sequence, or a title: taken out whole, so that no `[31m` is left standing."""

_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")
_SURROGATE = re.compile(r"[\ud800-\udfff]")


def printable(text: str) -> str:
    """The text without escape sequences and without C0 and C1 controls other than newline and tab.

    Half a surrogate pair, which no encoding can write, becomes the replacement character.
    """
    return _SURROGATE.sub("\ufffd", _CONTROL.sub("", _SEQUENCE.sub("", text)))


def decoded(text: str) -> str:
    """What a person typed, as valid Unicode: bytes that were no UTF-8 (kept by Python as surrogates) are replaced."""
    return _SURROGATE.sub("\ufffd", text)
