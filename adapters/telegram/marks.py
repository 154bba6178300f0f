"""Formats over our own words: ids as code, and nothing that Telegram would make a link or a mention of by itself.

Telegram looks for addresses and @names in every text that a bot sends, and not inside code. So a profile's label or a person's
name becomes neither, wherever it stands.
"""

import re

from adapters.telegram.spelling import utf16_length
from adapters.telegram.splitting import Entity

_REACHES = (
    r"[A-Za-z][A-Za-z0-9+.-]*://\S+"  # a URL
    r"|(?<![\w.+@-])[\w.+-]+@[\w-]+(?:\.[\w-]+)+"  # a mail address
    r"|(?<!\w)@\w{3,}"  # a name
    r"|(?<![\w@.])(?:[\w-]+\.)+[^\W\d_]{2,}(?:[:/?#]\S*)?"  # a domain, with or without a path
)
_NAMES = r"(?<![\w/:@.#-])[A-Za-z][\w.-]*(?:[:/@#](?:[\w.+~-]*\w))+"
_REACHING = re.compile(_REACHES)
_MARKED = re.compile(f"{_REACHES}|{_NAMES}")


def code_over_names(text: str) -> list[Entity]:
    """Code over every id (`anthropic:work`, `acme/large@acme:work`), address and @name in a text of ours."""
    return _over(_MARKED, text)


def emphasised(text: str) -> list[Entity]:
    """The same, and bold over the words between: the two cannot be combined."""
    return _between(text, _MARKED, "bold")


def small(text: str) -> list[Entity]:
    """Italics, but code over what would reach out of the message."""
    return _between(text, _REACHING, "italic")


def is_named(text: str) -> bool:
    """Whether there is an id, an address or an @name in it."""
    return _MARKED.search(text) is not None


def _over(pattern: re.Pattern[str], text: str) -> list[Entity]:
    return [_entity("code", text, found.start(), found.end()) for found in pattern.finditer(text)]


def _between(text: str, pattern: re.Pattern[str], kind: str) -> list[Entity]:
    """Code over what the pattern finds, and another format over the words between."""
    entities, at = [], 0
    for found in [*pattern.finditer(text), None]:
        end = len(text) if found is None else found.start()
        if words := text[at:end].strip():
            first = text.index(words, at)
            entities.append(_entity(kind, text, first, first + len(words)))
        if found is not None:
            entities.append(_entity("code", text, *found.span()))
            at = found.end()
    return entities


def _entity(kind: str, text: str, start: int, end: int) -> Entity:
    return Entity(kind, utf16_length(text[:start]), utf16_length(text[start:end]))
