"""What keys and passwords look like in a text: the places where one stands.

A false alarm costs a person their message, a miss costs them a key. So every shape asks for a sign (a prefix, a name before it)
and for letters that look drawn by lot: words, code, UUIDs, hashes, addresses and pictures have one of them at most.
"""

import re
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import pairwise

_HEX = frozenset("0123456789abcdefABCDEF")
_B, _E = r"(?<![A-Za-z0-9_-])", r"(?![A-Za-z0-9])"
_PREFIXED = (
    r"(?:gh[pousr]_|github_pat_|glpat-|hf_|r8_|gsk_|xai-|pplx-|nvapi-|csk-|tgp_v1_|fw_|ya29\.|xox[abprs]-|[sr]k_live_)"
)
_LISTED = (
    r"(?:(?:api|access|secret|private|auth|app|client|account|master|service|signing|encryption|admin)[ _-]?key"
    r"|(?:access|auth|api|bot|refresh|oauth|personal[ _-]access|setup)[ _-]?token"
    r"|(?:client|api|app|webhook|shared)[ _-]?secret|passw(?:or)?d|passphrase)"
)
_ENVIRONMENT = r"(?:(?<![A-Za-z0-9_])(?:[A-Z0-9]{1,40}_){0,10}(?:KEYS?|TOKEN|SECRET|PASSWORD))"
_PLAIN = r"(?:(?<![A-Za-z0-9_?&-])(?<!ublic )(?:key|token|secret)(?: is)?)"
_IS = r"""["'`*]{0,3}\s{0,3}(?:=>|:=|==?|:|\bis\b|\s)["'`*]{0,3}\s{0,3}["'`*]{0,3}"""
_VALUE = r"(?P<value>[A-Za-z0-9_+/][A-Za-z0-9_.+/=~-]{15,})(?![A-Za-z0-9(\[])"


@dataclass(frozen=True, slots=True)
class _Letters:
    """How the letters and digits of a text follow one another."""

    text: str
    pairs: Counter[tuple[str, str]]

    @classmethod
    def of(cls, text: str) -> "_Letters":
        kept = "".join(c for c in text if c.isalnum())
        return cls(kept, Counter(pairwise("0" if c.isdigit() else "A" if c.isupper() else "a" for c in kept)))

    @property
    def changes(self) -> int:
        """Between kinds, a word's capital counted once."""
        return sum(number for (a, b), number in self.pairs.items() if a != b and (a, b) != ("A", "a"))

    @property
    def around_digits(self) -> int:
        return sum(number for (a, b), number in self.pairs.items() if a != b and "0" in (a, b))

    @property
    def has_capitals_by_chance(self) -> bool:
        """About half of the letters: names that are made of words have fewer."""
        letters = [c for c in self.text if not c.isdigit()]
        return 0.25 <= sum(c.isupper() for c in letters) / (len(letters) or 1) <= 0.75


def _is_drawn(text: str, shortest: int = 16) -> bool:
    """Whether letters and digits come as they do by chance: words with a number at the end have too few changes."""
    letters = _Letters.of(text)
    length = len(letters.text)
    if length < shortest:
        return False
    if length >= 32 and set(letters.text) <= _HEX:
        return not letters.text.isdigit()
    if letters.around_digits >= 3 and 5 * letters.changes >= length:
        return True
    return length >= 20 and letters.has_capitals_by_chance and 7 * letters.pairs["a", "A"] >= length


def _is_key(text: str) -> bool:
    """What follows a prefix that only keys have: it looks drawn, or has a piece that is longer than words are."""
    pieces = [piece for piece in re.findall(r"[A-Za-z0-9]+", text) if len(piece) >= 24 and len(set(piece)) >= 10]
    return _is_drawn(text) or any(
        _Letters.of(p).around_digits >= 3 or _Letters.of(p).has_capitals_by_chance for p in pieces
    )


def _is_varied(text: str) -> bool:
    """For shapes that say enough by themselves: no row of the same letter, as in an example."""
    return len(set(text)) >= 10 and not text.islower() and not text.isupper()


def _is_assigned(text: str) -> bool:
    """What stands after the name of a secret: code has names with dots there."""
    return any(_is_drawn(part, 20) for part in text.split("."))


def _is_mixed(text: str) -> bool:
    """Drawn by lot, and neither a hash nor a UUID."""
    return _is_drawn(text, 20) and any(map(str.isupper, text)) and any(map(str.islower, text))


_Shape = tuple[str, "re.Pattern[str]", Callable[[str], bool]]
_SHAPES: tuple[_Shape, ...] = (
    ("sk-", re.compile(rf"{_B}sk-(?P<value>[A-Za-z0-9_-]{{20,}})"), _is_key),
    ("", re.compile(rf"{_B}{_PREFIXED}(?P<value>[A-Za-z0-9_.-]{{20,}})"), _is_key),
    ("AIza", re.compile(r"(?<![A-Za-z0-9_/+-])AIza(?P<value>[\w-]{30,})", re.ASCII), _is_varied),
    ("eyJ", re.compile(rf"{_B}(?P<value>eyJ[\w-]{{8,}}\.eyJ[\w-]{{8,}}\.[\w-]{{16,}})", re.ASCII), _is_varied),
    (":AA", re.compile(r"(?<![0-9])\d{6,12}:(?P<value>AA[\w-]{30,})", re.ASCII), _is_varied),
    (".", re.compile(rf"{_B}(?P<value>[MNO][\w-]{{22,27}}\.[\w-]{{6,7}}\.[\w-]{{27,40}}){_E}", re.ASCII), _is_drawn),
    ("", re.compile(r"\b(?:bearer|basic)\s+(?P<value>[A-Za-z0-9._~+/-]{20,})", re.IGNORECASE), _is_drawn),
    ("://", re.compile(r"\w://[^\s/:@]{0,200}:(?P<value>[^\s/@]{12,200})@"), lambda value: _is_drawn(value, 12)),
    ("", re.compile(rf"(?<![A-Za-z0-9]){_LISTED}{_IS}{_VALUE}", re.IGNORECASE), _is_assigned),
    ("", re.compile(rf"{_ENVIRONMENT}{_IS}{_VALUE}"), _is_assigned),
    ("", re.compile(rf"{_PLAIN}{_IS}{_VALUE}", re.IGNORECASE), _is_mixed),
)
"""A sign that must be there at all, the shape with the part that is secret, and what that part must look like."""
_PRIVATE_KEY = re.compile(
    r"-----BEGIN [A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)?-----.*?(?:-----END [^\n]{0,80}|\Z)", re.DOTALL
)
_ENCODED = re.compile(r"[A-Za-z0-9+/]{40}")
_REST = re.compile(r"""[^\s"'`,;)\]}<>]*""")
_AWS_ID = re.compile(rf"{_B}(?:AKIA|ASIA)[A-Z0-9]{{16}}{_E}")
_AWS_SECRET = re.compile(r"(?<![A-Za-z0-9+/=])[A-Za-z0-9+/]{40}(?![A-Za-z0-9+/=])")


def find_keys(text: str) -> Iterator[tuple[int, int]]:
    """(start, end) of everything in the text that looks like a secret, in no order; they may overlap."""
    for sign, shape, is_secret in _SHAPES:
        if sign in text:
            for match in shape.finditer(text):
                if is_secret(match["value"]):
                    start, end = match.span("value")
                    yield start, _end_of_word(text, end)
    if "PRIVATE KEY" in text:
        for block in _PRIVATE_KEY.finditer(text):
            if _ENCODED.search(block[0]):
                yield block.span()
    if _AWS_ID.search(text):
        for match in _AWS_SECRET.finditer(text):
            if _is_mixed(match[0]):
                yield match.span()


def _end_of_word(text: str, end: int) -> int:
    """To where a secret may go on after the letters that gave it away."""
    rest = _REST.match(text, end)
    return rest.end() if rest is not None else end
