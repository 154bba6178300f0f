"""Where a text may be cut so that what people see as one sign stays one: accents, flags, skin tones, families of emoji."""

import unicodedata

_JOINER = "\u200d"
_FURTHEST = 64


def before_cluster(text: str, at: int, start: int) -> int:
    """The nearest place at or before `at`, but after `start`, that is not inside such a sign; `at` itself if there is none."""
    for place in range(at, max(start, at - _FURTHEST), -1):
        if not _joined(text, place):
            return place
    return at


def _joined(text: str, at: int) -> bool:
    """Whether the character at a place belongs to the one before it."""
    if not 0 < at < len(text):
        return False
    before, after = text[at - 1], text[at]
    if after == _JOINER or before == _JOINER or _extends(after):
        return True
    return _is_flag_letter(after) and _flag_letters_before(text, at) % 2 == 1


def _extends(character: str) -> bool:
    """Accents, variation selectors, skin tones and the tags of regional flags."""
    if character.isascii():
        return False
    return (
        unicodedata.category(character) in ("Mn", "Mc", "Me")
        or "\U0001f3fb" <= character <= "\U0001f3ff"
        or ("\U000e0020" <= character <= "\U000e007f")
    )


def _is_flag_letter(character: str) -> bool:
    return "\U0001f1e6" <= character <= "\U0001f1ff"


def _flag_letters_before(text: str, at: int) -> int:
    count = 0
    while count < at and count < _FURTHEST and _is_flag_letter(text[at - 1 - count]):
        count += 1
    return count
