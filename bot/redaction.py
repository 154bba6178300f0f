"""Taking secrets out of text that leaves the process: by value, also as base64, URL-encoded or escaped; and by shape.

By value it must be fast enough for every log line: a secret is looked up only inside words that are long enough to hold
it, so the cost grows with the line and hardly with the number of secrets.
"""

import base64
import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from urllib.parse import quote, quote_plus

HIDDEN = "***"
SHORTEST = 6
"""Shorter texts are no secrets worth the name, and hiding them would blot out ordinary words."""

_KEY = 8
_STRIDE = 8
"""Words are looked at in steps of this size; forms are indexed under each of their first places, so that a step hits one."""
_SHAPES = (
    ("sk-", re.compile(r"\b(sk-)[\w.*…-]{6,}"), r"\1" + HIDDEN),
    ("earer", re.compile(r"\b(bearer\s+)(?=\S*\d|\S{20})[^\s\"',;]{8,}", re.IGNORECASE), r"\1" + HIDDEN),
    ("EARER", re.compile(r"\b(BEARER\s+)(?=\S*\d|\S{20})[^\s\"',;]{8,}"), r"\1" + HIDDEN),
    ("/bot", re.compile(r"(/bot)\d{5,}:[\w-]{20,}"), r"\1" + HIDDEN),
    (":AA", re.compile(r"\b\d{6,12}:AA[\w-]{30,}"), HIDDEN),
    ("AIza", re.compile(r"\bAIza[\w-]{20,}"), HIDDEN),
    ("://", re.compile(r"(\w://[^\s/:@\"']*:)[^\s/@\"']+(?=@)"), r"\1" + HIDDEN),
)
"""A sign that must be there at all, the shape, and what is left of it."""


@dataclass(frozen=True, slots=True)
class _Index:
    """Every form of every secret of `values`. `places` maps pieces of a form's longest word to (offset in the form, form) pairs;
    `shortest` is the length of the shortest of these words."""

    values: frozenset[str] = field(default=frozenset(), repr=False)
    places: dict[str, tuple[tuple[int, str], ...]] = field(default_factory=dict)
    shortest: int = 0
    awkward: tuple[str, ...] = ()
    """Forms without a word that is long enough to be looked up."""


class Redactor:
    """Knows the confidential texts of the process. It forgets none: a rotated key may still stand in a late error."""

    def __init__(self, values: Iterable[str] = ()) -> None:
        self._values: frozenset[str] = frozenset()
        self._index = _Index()
        self.learn(values)

    def __repr__(self) -> str:
        return f"Redactor({len(self._values)} values)"

    def learn(self, values: Iterable[str]) -> None:
        """Hide these from now on. Cheap: the index is made when a text is to be redacted, which most commands never do. Safe to
        call from any thread: the index is replaced whole, and one that lacks something is not used."""
        known = self._values
        fresh = {v for v in (value.strip() for value in values) if len(v) >= SHORTEST and v not in known}
        if fresh:
            self._values = known | fresh

    def redact(self, text: str) -> str:
        """The text with `***` for everything confidential."""
        text = self.redact_known(text)
        for mark, shape, hidden in _SHAPES:
            if mark in text:
                text = shape.sub(hidden, text)
        return text

    def redact_known(self, text: str) -> str:
        """The same by value alone: nothing is taken out for its shape."""
        index, values = self._index, self._values
        if index.values is not values:
            self._index = index = _build(values)
        if index.places:
            text = _replace(text, index)
        for form in index.awkward:
            if form in text:
                text = text.replace(form, HIDDEN)
        return text


def _replace(text: str, index: _Index) -> str:
    found: list[tuple[int, int]] = []
    begin = 0
    for word in text.split():
        if len(word) >= index.shortest:
            begin = text.index(word, begin)
            found += _matches(text, begin, begin + len(word), index.places)
            begin += len(word)
    if not found:
        return text
    parts: list[str] = []
    done = 0
    for start, end in sorted(found):
        if start >= done:
            parts += [text[done:start], HIDDEN]
        done = max(done, end)
    return "".join(parts) + text[done:]


def _matches(
    text: str, begin: int, end: int, places: dict[str, tuple[tuple[int, str], ...]]
) -> Iterator[tuple[int, int]]:
    """(start, end) of every form that has its longest word in this word of the text."""
    for at in range(begin, end - _KEY + 1, _STRIDE):
        key = text[at : at + _KEY]
        if key in places:
            for offset, form in places[key]:
                if at >= offset and text.startswith(form, at - offset):
                    yield at - offset, at - offset + len(form)


def _build(values: frozenset[str]) -> _Index:
    places: dict[str, list[tuple[int, str]]] = {}
    awkward: set[str] = set()
    shortest = 1 << 16
    for form in {form for value in values for form in _forms(value)}:
        word = max(form.split(), key=len, default="")
        if len(word) < _KEY + _STRIDE - 1:
            awkward.add(form)
            continue
        shortest = min(shortest, len(word))
        begin = form.index(word)
        for at in range(begin, begin + _STRIDE):
            places.setdefault(form[at : at + _KEY], []).append((at, form))
    index = {key: tuple(forms) for key, forms in places.items()}
    return _Index(values, index, shortest, tuple(sorted(awkward, key=len, reverse=True)))


def _forms(value: str) -> Iterator[str]:
    """The secret as it may travel: as it is, escaped, URL-encoded, and in base64 at each of its three alignments."""
    yield value
    yield json.dumps(value)[1:-1]
    yield repr(value)[1:-1]
    raw = value.encode(errors="surrogateescape")
    yield quote(raw, safe="")
    yield quote_plus(raw)
    for shift in range(3):
        for encode in (base64.b64encode, base64.urlsafe_b64encode):
            whole = encode(b"\0" * shift + raw).decode().rstrip("=")
            # The characters at both ends also hold bits of what stands beside the secret.
            inner = whole[(0, 2, 3)[shift] : -1]
            if len(inner) >= _KEY:
                yield inner
