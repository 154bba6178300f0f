"""Taking a credential out of a foreign sentence: by value, in the encodings that travel, and by shape."""

import base64
import re
from collections.abc import Iterable, Iterator
from itertools import groupby
from urllib.parse import quote, quote_plus

HIDDEN = "***"
_RUN = 8
"""Characters of a secret in a row that give it away: providers echo keys cut short."""
_SHORTEST = 4
_LONGEST_INPUT = 4_000
_LONGEST_DETAIL = 300
_SHAPES = re.compile(
    r"\b(?:sk|pk|rk|gsk|csk|xai|hf|nvapi|pplx)[-_][\w*.…-]{3,}"
    r"|\bAIza[\w*.…-]{6,}|\bya29\.[\w*.…-]{6,}"
    r"|\beyJ[\w-]{6,}(?:\.[\w-]+)*"
    r"|(?<=\bbearer )(?=\S*\d|\S{20})\S{8,}|(?<=\bbasic )(?=\S*\d|\S{20})[\w+/=]{8,}",
    re.IGNORECASE,
)


class Redactor:
    """Knows the secrets of one request. Its repr shows none of them."""

    __slots__ = ("_runs", "_values")

    def __init__(self, secrets: Iterable[str]) -> None:
        forms = {form for secret in secrets if len(secret) >= _SHORTEST for form in _forms(secret)}
        self._values = sorted(forms, key=len, reverse=True)
        self._runs = {form[i : i + _RUN] for form in forms for i in range(len(form) - _RUN + 1)}

    def clean(self, sentence: str) -> str:
        """One printable line of at most 300 characters without any secret. Cut last: half a key would pass unseen."""
        line = "".join(c if c.isprintable() else " " for c in sentence[:_LONGEST_INPUT])
        line = " ".join(line.split())
        for value in self._values:
            line = line.replace(value, HIDDEN)
        line = _SHAPES.sub(HIDDEN, self._without_runs(line))
        return line if len(line) <= _LONGEST_DETAIL else line[: _LONGEST_DETAIL - 1].rstrip() + "…"

    def _without_runs(self, line: str) -> str:
        hidden = bytearray(len(line))
        for start in range(len(line) - _RUN + 1):
            if line[start : start + _RUN] in self._runs:
                hidden[start : start + _RUN] = b"\1" * _RUN
        parts = groupby(zip(line, hidden, strict=True), key=lambda pair: pair[1])
        return "".join(HIDDEN if covered else "".join(char for char, _ in part) for covered, part in parts)


def _forms(secret: str) -> Iterator[str]:
    """The secret as it may travel: plain, URL-encoded, and inside base64 at each of the three alignments."""
    yield secret
    yield quote(secret, safe="")
    yield quote_plus(secret)
    raw = secret.encode()
    for shift in range(3):
        for encode in (base64.b64encode, base64.urlsafe_b64encode):
            whole = encode(b"\0" * shift + raw).decode().rstrip("=")
            inner = whole[(0, 2, 3)[shift] : -1]  # the edge characters also hold bits of what stands beside the secret
            if len(inner) >= _RUN:
                yield inner
