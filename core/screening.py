"""What may leave: every text on its way to a person goes through here, before it is stored or sent.

Secrets are removed by value, whoever wrote them: a provider's error can hold another provider's key, and a model can repeat
one. Profiles that the viewer may not pin are not named (product.md 4.3, 8).
"""

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from typing import Any

from core.messages import Block, Reply
from core.resolution.labels import one_line

HIDDEN = "hidden"
_LONGEST_WORD = 400
"""Characters of one unbroken word that a stream may hold back: longer than any secret worth the name."""
_WORD = re.compile(r"[!-~]+\Z")


class Screen:
    """Removes secrets, and the names of `hidden` profiles."""

    def __init__(self, redact: Callable[[str], str], hidden: Iterable[str] = ()) -> None:
        self._redact = redact
        names = "|".join(re.escape(name) for name in sorted(hidden, key=len, reverse=True))
        self._hidden = re.compile(rf"(?<![\w:.-])(?:{names})(?![\w-]|[:.@]\w)") if names else None

    def text(self, text: str) -> str:
        """The text as it may be shown."""
        clean = self._redact(text)
        return clean if self._hidden is None else self._hidden.sub(HIDDEN, clean)

    def reply(self, reply: Reply) -> Reply:
        """The reply as it may be shown. What its buttons do is kept on our side and stays as it is."""
        buttons = tuple(
            replace(button, label=self._line(button.label), detail=self._line(button.detail))
            for button in reply.buttons
        )
        return replace(
            reply,
            text=self.text(reply.text),
            data=self._value(reply.data),
            buttons=buttons,
            blocks=tuple(self._block(block) for block in reply.blocks),
            footer=self._line(reply.footer),
        )

    def _block(self, block: Block) -> Block:
        rows = tuple(replace(row, head=self._line(row.head), text=self._line(row.text)) for row in block.rows)
        return Block(self._line(block.title), rows)

    def _line(self, text: str) -> str:
        # Brought into one line last: a name is found only as it is written.
        return one_line(self.text(text))

    def _value(self, value: Any) -> Any:
        if isinstance(value, str):
            return self.text(value)
        if isinstance(value, Mapping):
            return {key: self._value(inner) for key, inner in value.items()}
        if isinstance(value, list | tuple):
            return [self._value(inner) for inner in value]
        return value


class ScreenedStream:
    """A growing text: the word that is being written is held back until it is whole, for half a secret is one too."""

    def __init__(self, screen: Screen) -> None:
        self._screen = screen
        self._held = ""

    def feed(self, piece: str) -> str:
        """What may be shown now; may be empty."""
        self._held += piece
        word = _WORD.search(self._held)
        start = word.start() if word is not None else len(self._held)
        if len(self._held) - start > _LONGEST_WORD:
            start = len(self._held)
        ready, self._held = self._held[:start], self._held[start:]
        return self._screen.text(ready) if ready else ""

    def rest(self) -> str:
        """What was held back, at the end."""
        ready, self._held = self._held, ""
        return self._screen.text(ready) if ready else ""
