"""Formats over our own words: ids as code, and nothing that Telegram would make a link, a mention or a command of by itself.

Telegram looks for addresses, @names and /commands in every text that a bot sends, and not inside code. So a profile's label or a
person's name becomes none of them, wherever it stands. Sentences of ours may name commands that can be tapped; facts and
footers, which hold the words of others, have none.
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
_COMMAND = r"(?<![\w/<>])/[A-Za-z0-9_]{1,64}(?:@[A-Za-z0-9_]{3,32})?(?![\w/<>])"
_PERSON = r"\([a-z]+:[0-9]+\)"
"""How somebody's id stands after their name, which may be anything."""
_NAMES = r"(?<![\w/:@.#-])[A-Za-z][\w.-]*(?:[:/@#](?:[\w.+~-]*\w))+"
_REACHING = re.compile(f"{_REACHES}|{_COMMAND}")
_IN_SENTENCES = re.compile(rf"{_REACHES}|{_COMMAND}(?=[^\n]*{_PERSON})|{_NAMES}")
_IN_FACTS = re.compile(f"{_REACHES}|{_COMMAND}|{_NAMES}")


def code_over_names(text: str) -> list[Entity]:
    """Code over every id (`anthropic:work`, `acme/large@acme:work`), address and @name in sentences of ours, and over what could
    be a command in a person's name."""
    return _over(_IN_SENTENCES, text)


def code_in_facts(text: str) -> list[Entity]:
    """The same where others may have had a say in the words: over every command too."""
    return _over(_IN_FACTS, text)


def emphasised(text: str) -> list[Entity]:
    """The same, and bold over the words between: the two cannot be combined."""
    entities, at = [], 0
    for found in [*_IN_FACTS.finditer(text), None]:
        end = len(text) if found is None else found.start()
        if words := text[at:end].strip():
            first = text.index(words, at)
            entities.append(_entity("bold", text, first, first + len(words)))
        if found is not None:
            entities.append(_entity("code", text, *found.span()))
            at = found.end()
    return entities


def small(text: str) -> list[Entity]:
    """One format over a whole line: italics, or code if anything in it would reach out of the message."""
    return [_entity("code" if _REACHING.search(text) else "italic", text, 0, len(text))]


def is_named(text: str) -> bool:
    """Whether there is an id, an address, an @name or a command in it."""
    return _IN_FACTS.search(text) is not None


def _over(pattern: re.Pattern[str], text: str) -> list[Entity]:
    return [_entity("code", text, found.start(), found.end()) for found in pattern.finditer(text)]


def _entity(kind: str, text: str, start: int, end: int) -> Entity:
    return Entity(kind, utf16_length(text[:start]), utf16_length(text[start:end]))
