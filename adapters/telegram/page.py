"""A text that is put together with its formats, which Telegram places in UTF-16 code units."""

from collections.abc import Sequence
from dataclasses import replace

from adapters.telegram.spelling import utf16_length
from adapters.telegram.splitting import Entity


class Page:
    """Grows at its end. `units` is its length as Telegram counts."""

    def __init__(self) -> None:
        self.text = ""
        self.entities: list[Entity] = []
        self.units = 0

    def add(self, text: str, entities: Sequence[Entity] = ()) -> None:
        """Append words, with formats counted from their beginning."""
        self.entities += [replace(entity, offset=entity.offset + self.units) for entity in entities]
        self.text += text
        self.units += utf16_length(text)
