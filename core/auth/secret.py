"""One confidential string, and a pointer to one.

A Secret shows nothing of itself: not in `repr`, `str`, `format`, tracebacks with locals, pickles or comparisons that
stop early. `reveal()` is called in one place only, where the request to the provider is built.
"""

import hashlib
import hmac
from dataclasses import dataclass
from typing import NoReturn

_LINE_BREAKS = dict.fromkeys(map(ord, "\r\n\u2028\u2029"))


class Secret:
    """A confidential string, hidden in every rendering of itself."""

    __slots__ = ("_value",)

    def __init__(self, value: str) -> None:
        self._value = value

    def reveal(self) -> str:
        """The text itself, for the request that carries it and for nothing else."""
        return self._value

    def __repr__(self) -> str:
        return "Secret(***)"

    __str__ = __repr__

    def __format__(self, spec: str) -> str:
        return repr(self)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and hmac.compare_digest(self._value.encode(), other._value.encode())

    def __hash__(self) -> int:
        return hash(self._value)

    def __bool__(self) -> bool:
        return bool(self._value.strip())

    def __reduce__(self) -> NoReturn:
        raise TypeError("a Secret cannot be pickled")


def clean_secret(text: str) -> str:
    """A pasted or stored secret without line breaks (also Unicode's), halves of surrogate pairs (which no request can carry)
    and outer blanks: they are never part of a credential."""
    return text.translate(_LINE_BREAKS).encode(errors="ignore").decode().strip()


def unsendable(text: str) -> str | None:
    """Why no request can carry this text as a credential, as words that follow its name and show nothing of it; None: one can.

    A header has room for visible ASCII without blanks. Those around the text are never sent (see `clean_secret`).
    """
    bare = text.strip()
    wrong = next((c for c in bare if not "!" <= c <= "~"), None)
    if wrong is None:
        return None
    if wrong == " " or (wrong.isspace() and not wrong.isascii()):
        return "holds a blank, which no request can carry"
    what = "a control character" if wrong.isascii() else "a character that is not ASCII"
    return f"holds {what}, which no request can carry"


@dataclass(frozen=True, slots=True)
class SecretRef:
    """Where a secret is kept: source `env`, `file` or `exec`, a secret provider, an id (credentials.md 3.1)."""

    source: str
    provider: str
    id: str


def fingerprint(secret: Secret, salt: bytes) -> str:
    """8 hex characters of HMAC-SHA256 under the installation's salt: tells two keys apart and says nothing of either."""
    return hmac.new(salt, secret.reveal().encode(), hashlib.sha256).hexdigest()[:8]
