"""What every way of showing an answer has in common, and the two that need no terminal: JSON lines and plain text."""

import json
import re
from collections.abc import Mapping
from typing import Any, Protocol, TextIO

from adapters.terminal.safe_text import printable
from core.messages import Delta, Event, Reply, ReplyKind, TurnReport

_UNSAFE_IN_A_LINE = re.compile(r"[\x7f-\x9f\u2028\u2029\ud800-\udfff]")
"""Valid inside JSON, yet read by some programs as the end of a line, by terminals as a command, or not encodable."""


class Display(Protocol):
    """Shows the events of one answer after the other."""

    def show(self, event: Event) -> None: ...

    def end(self, interrupted: bool = False) -> None:
        """The answer is over. `interrupted`: the person stopped it, and what is shown of it may be half of it."""
        ...


class JsonDisplay:
    """One JSON object a line (interfaces.md), written and flushed as soon as it is known."""

    def __init__(self, out: TextIO, stream: bool) -> None:
        self._out = out
        self._stream = stream

    def show(self, event: Event) -> None:
        match event:
            case Delta() if self._stream:
                self._write({"event": "delta", "text": printable(event.text)})
            case Reply():
                line = {"event": "reply", "kind": event.kind.value, "code": event.code, "text": printable(event.text)}
                self._write({**line, "data": event.data})
            case TurnReport():
                self._write({"event": "turn", **event.data})
            case _:
                return

    def end(self, interrupted: bool = False) -> None:
        """Nothing to finish: every line is whole."""

    def _write(self, line: Mapping[str, Any]) -> None:
        text = json.dumps(line, ensure_ascii=False, default=_as_dict)
        self._out.write(_UNSAFE_IN_A_LINE.sub(lambda found: f"\\u{ord(found[0]):04x}", text) + "\n")
        self._out.flush()


def _as_dict(value: object) -> dict[str, Any]:
    if isinstance(value, Mapping):
        return dict(value)
    raise TypeError(f"{type(value).__name__} has no JSON form")


class PlainDisplay:
    """The text of each reply, a blank line between messages; no colour, no cursor movement.

    With `stream` the pieces of an answer are written as they come, and the whole answer only where they did not show it.
    A notice may come between the pieces and the whole.
    """

    def __init__(self, out: TextIO, stream: bool) -> None:
        self._out = out
        self._stream = stream
        self._begun = False
        self._shown = ""
        self._line_is_open = False

    def show(self, event: Event) -> None:
        match event:
            case Delta() if self._stream:
                self._piece(printable(event.text))
            case Reply(kind=ReplyKind.TEXT):
                is_last = self._whole(printable(event.text))
                if event.footer and is_last:
                    self._out.write(printable(event.footer) + "\n")
                elif event.footer:
                    self.remark(printable(event.footer))
            case Reply():
                self.remark(printable(event.text))
            case _:
                return
        self._out.flush()

    def end(self, interrupted: bool = False) -> None:
        """Close a line that was left open, and say so if it was left by the person's wish."""
        self._close_line()
        self._shown = ""
        if interrupted:
            self.remark("Stopped.")
        self._out.flush()

    def remark(self, text: str) -> None:
        """A message of its own: a reply, or a remark of the terminal itself."""
        self._close_line()
        self._separate()
        self._out.write(text + "\n")
        self._out.flush()

    def _piece(self, text: str) -> None:
        if not self._line_is_open:
            self._separate()
            self._line_is_open = True
        self._shown += text
        self._out.write(text)

    def _whole(self, text: str) -> bool:
        """Write what is missing of the answer. False if all of it was shown before, and something else after it."""
        shown, self._shown = self._shown, ""
        if self._line_is_open and text.startswith(shown):
            self._out.write(text[len(shown) :])
            self._close_line()
        elif not shown or text != shown:
            self.remark(text)
        else:
            return False
        return True

    def _close_line(self) -> None:
        if self._line_is_open:
            self._out.write("\n")
            self._line_is_open = False

    def _separate(self) -> None:
        if self._begun:
            self._out.write("\n")
        self._begun = True
