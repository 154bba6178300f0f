"""Server-sent events from bytes, as they come: any line end, any cut, and what sloppy senders make of the format.

Source: html.spec.whatwg.org/multipage/server-sent-events.html. Taken beyond it: the last event without its empty line, where it
is whole, and an object on a line of its own, without the `data:` before it, which is how some servers send an error.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from adapters.providers import json_fields

_LINE_END = re.compile(rb"\r\n|\r|\n")
BOM = b"\xef\xbb\xbf"


@dataclass(frozen=True, slots=True, repr=False)
class Event:
    """`name` is empty where the sender gave none. No repr: it holds what was said."""

    name: str
    data: str


class EventParser:
    """Give it the bytes in their order, then `end`. `pending` is how long the line is that has begun."""

    def __init__(self) -> None:
        self._name = b""
        self._data: list[bytes] = []
        self._line: list[bytes] = []
        self._after_cr = False
        self.pending = 0

    def feed(self, chunk: bytes) -> Iterator[Event]:
        """The events that these bytes complete."""
        if self._after_cr and chunk.startswith(b"\n"):
            chunk, self._after_cr = chunk[1:], False
        if not chunk:
            return
        self._after_cr = chunk.endswith(b"\r")
        first, *others = _LINE_END.split(chunk)
        self._line.append(first)
        self.pending += len(first)
        for line in others:
            yield from self._take(b"".join(self._line))
            self._line = [line]
            self.pending = len(line)

    def end(self) -> Iterator[Event]:
        """What is left when no more bytes come, if it is whole."""
        yield from self._take(b"".join(self._line))
        if len(self._data) == 1 and (
            self._data[0].strip() == b"[DONE]" or json_fields.parse(self._data[0]) is not None
        ):
            yield from self._take(b"")

    def _take(self, line: bytes) -> Iterator[Event]:
        if not line:
            if self._data:
                yield Event(_text(self._name), _text(b"\n".join(self._data)))
            self._name, self._data = b"", []
            return
        name, _, value = line.partition(b":")
        value = value.removeprefix(b" ")
        if name == b"data":
            self._data.append(value)
        elif name == b"event":
            self._name = value
        elif line.startswith(b"{"):
            yield from self._take(b"")
            yield Event("", _text(line))


def _text(raw: bytes) -> str:
    return raw.decode("utf-8", "replace")
