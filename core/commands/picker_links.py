"""What the buttons of the picker do, as commands: `/pick <step> …`. Written and read here only.

A word that has blanks, quotes or anything unusual in it stands in quotes, as JSON writes a text; so any id can be named.
"""

import json
import re
from dataclasses import dataclass

from core.models.ref import ModelRef

AUTOMATIC = "auto"
FIND = "find"
_WORD = re.compile(r'@?"(?:[^"\\]|\\.)*"|\S+')
_PLAIN = re.compile(r"[A-Za-z0-9_.:/-][A-Za-z0-9_.:/@+-]*")


def home() -> str:
    """The first step."""
    return "/pick home"


def providers(page: int) -> str:
    """All providers."""
    return f"/pick providers {page}"


def models(provider: str, page: int = 1) -> str:
    """A provider's models."""
    return f"/pick models {_word(provider)} {page}"


def find(page: int, text: str = "") -> str:
    """The models that fit a text; without one it is asked for."""
    return f"/pick {FIND} {page} {text}".rstrip()


def credentials(ref: ModelRef, page: int = 0, back: str = "") -> str:
    """A model's credentials. Page 0 is the one with the pinned one. `back`: where its Back leads."""
    origin = f" {_word(back)}" if back else ""
    return f"/pick credentials {_word(str(ref))} {page}{origin}"


def use(ref: ModelRef, profile: str | None = None, automatic: bool = False) -> str:
    """Choose a model: with a credential, with none in particular, or with whatever is pinned if that fits."""
    end = f" @{_word(profile)}" if profile is not None else f" {AUTOMATIC}" if automatic else ""
    return f"/pick use {_word(str(ref))}{end}"


def cancel() -> str:
    """Put the picker away."""
    return "/pick cancel"


@dataclass(frozen=True, slots=True)
class Link:
    """A step and its words. The second word of a search is all that was typed."""

    step: str
    words: tuple[str, ...]

    def word(self, n: int) -> str:
        """The n-th word, empty where there is none."""
        return self.words[n] if n < len(self.words) else ""

    def page(self, n: int) -> int:
        """The n-th word as a page, 1 where it is none."""
        word = self.word(n)
        return int(word) if re.fullmatch("[0-9]{1,6}", word) else 1

    def ref(self) -> ModelRef | None:
        """The first word as a model."""
        provider, slash, name = self.word(0).partition("/")
        return ModelRef(provider, name) if slash and provider and name else None


def read(argument: str) -> Link:
    """What follows `/pick`."""
    step, _, rest = argument.strip().partition(" ")
    if step == FIND:
        page, _, text = rest.strip().partition(" ")
        return Link(step, (page, text.strip()))
    return Link(step, tuple(_plain(word[0]) for word in _WORD.finditer(rest)))


def _word(text: str) -> str:
    return text if _PLAIN.fullmatch(text) else json.dumps(text)


def _plain(word: str) -> str:
    at, quoted = ("@", word[1:]) if word.startswith("@") else ("", word)
    return at + json.loads(quoted, strict=False) if quoted.startswith('"') else word
