"""Words that are meant as they stand, as Discord shows them so: no marks, no mentions, no links under other words."""

import re

_URL = r"(?P<url>https?://[^\s<`\\]+)"
_PING = r"(?P<ping>@(?=everyone|here)|(?<=<)@(?=[!&]?[0-9]))"
_MARK = (
    r"(?P<mark>[*`]|(?<![^\W_])_|_(?![^\W_])|~(?=~)|(?<=~)~|\|(?=\|)|(?<=\|)\||\[(?=[^\]\n]*\]\()|\\(?=[^0-9A-Za-z\s])"
    r"|<(?=[@#:/]|a:|t:|id:|https?:))"
)
_SPECIAL = re.compile(f"{_URL}|{_PING}|{_MARK}")
_BARE_PING = re.compile(_PING)
_LINE_START = re.compile(r"^(?P<indent>[^\S\n]*)(?P<sign>#{1,3}(?=\s)|>|-#)", re.MULTILINE)
_PUNCTUATION = re.compile(r"[!-/:-@\[-`{-~]")
_ESCAPE = re.compile(r"\\([!-/:-@\[-`{-~])")
_NAME = 80
_BREAK = "\u200b"
"""Nothing to be seen; what it stands in is no mention any more."""
CODE_SPAN = re.compile(r"(?<![`\\])(?P<ticks>`+)(?!`)(?:.*?[^`])??(?P=ticks)(?!`)", re.DOTALL)


def plain_text(text: str) -> str:
    """Text of our own: what Discord would take for its Markdown is escaped, and nothing else, so that `rate_limit` and `a/b@c:d`
    stay as they are. Addresses stay clickable; mentions are broken up."""
    marked = _SPECIAL.sub(_harmless, text)
    return _LINE_START.sub(r"\g<indent>\\\g<sign>", marked)


def plain_name(name: str) -> str:
    """A person's name as they cannot make it mean anything: no mention, no link, no mark, no line of its own, no hidden sign."""
    visible = "".join(sign for sign in " ".join(name.split()) if sign.isprintable())[:_NAME].strip()
    return _PUNCTUATION.sub(r"\\\g<0>", without_pings(visible)) or "Somebody"


def plain_code(words: str) -> str:
    """An id in code: one line, its backticks turned into something that ends no code."""
    return f"`{without_pings(one_line(words)).replace('`', 'ˋ')}`"


def one_line(text: str) -> str:
    """The same words with single blanks between them."""
    return " ".join(text.split())


def without_pings(text: str) -> str:
    """The text with every mention broken up, of everybody, of a person and of a role. It looks the same."""
    return _BARE_PING.sub(f"@{_BREAK}", text)


def as_written(shown: str) -> str:
    """What `plain_text` was given, read from a message that shows it: escapes and breaks are taken out, but not in code."""
    done, at = "", 0
    for code in CODE_SPAN.finditer(shown):
        done += _ESCAPE.sub(r"\1", shown[at : code.start()]) + code[0]
        at = code.end()
    return (done + _ESCAPE.sub(r"\1", shown[at:])).replace(_BREAK, "")


def _harmless(found: re.Match[str]) -> str:
    if found["url"]:
        return without_pings(found["url"])
    return f"@{_BREAK}" if found["ping"] else f"\\{found['mark']}"
