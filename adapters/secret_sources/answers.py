"""What asking a provider gives: a text or a reason for each id."""

from collections.abc import Mapping, Sequence
from typing import Protocol

from core.auth.refs import UnresolvedRef

Answers = Mapping[str, str | UnresolvedRef]
"""By id. A reason concerns that id alone; what concerns the whole provider is raised."""

_NO_TEXT = "resolved to a non-string or empty value"


class Provider(Protocol):
    """One configured provider of secrets."""

    def fetch(self, ids: Sequence[str]) -> Answers:
        """The texts behind distinct ids. Blocks within the provider's limits. Raises UnresolvedRef if nothing can be had."""
        ...


def text_or_reason(value: object, name: str) -> str | UnresolvedRef:
    """What a provider holds under an id, if it is a text; else why it cannot be used. `name` begins the sentence."""
    if isinstance(value, str) and value.strip():
        return value
    return UnresolvedRef(f"{name} {_NO_TEXT}.")
