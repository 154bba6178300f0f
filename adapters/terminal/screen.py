"""Answers on a real terminal: Markdown that grows while it is written, notices dim, errors red.

While an answer grows only its last lines are drawn, in place; when it is over the whole of it is printed once. So the
scroll-back holds every answer exactly once, however long it is and however small the window.
"""

from typing import TextIO

from rich.console import Console, ConsoleOptions, RenderResult
from rich.live import Live
from rich.markdown import Markdown
from rich.segment import Segment
from rich.spinner import Spinner
from rich.text import Text

from adapters.terminal.safe_text import printable
from core.messages import Delta, Event, Reply, ReplyKind, Working

_STYLES = {ReplyKind.NOTICE: "dim", ReplyKind.ERROR: "red"}
_FRAMES_A_SECOND = 8
_LINES_KEPT_FREE = 2
"""So that drawing in place never scrolls the window."""


class ScreenDisplay:
    """Draws the events of answers on a terminal that understands cursor movement and colour."""

    def __init__(self, out: TextIO) -> None:
        self._console = Console(file=out, force_terminal=True, highlight=False, markup=False, emoji=False)
        self._live: Live | None = None
        self._growing = _Growing()

    def show(self, event: Event) -> None:
        match event:
            case Working():
                self._draw()
            case Delta():
                self._draw()
                self._growing.text += event.text
            case Reply():
                self._print(event)
            case _:
                return

    def end(self, interrupted: bool = False) -> None:
        """Stop drawing. What was shown of an answer that was cut off stays on the screen."""
        self._print_unfinished()
        if interrupted:
            self.remark("Stopped.")

    def remark(self, text: str) -> None:
        """A remark of the terminal itself, not of the gateway."""
        self._console.print(Text(text, style="dim"))
        self._console.print()

    def _draw(self) -> None:
        if self._live is None:
            self._live = Live(self._growing, console=self._console, transient=True, refresh_per_second=_FRAMES_A_SECOND)
            self._live.start()

    def _stop_drawing(self) -> None:
        if self._live is not None:
            self._live.stop()
            self._live = None

    def _print(self, reply: Reply) -> None:
        text = printable(reply.text)
        self._stop_drawing()
        if reply.kind is ReplyKind.TEXT:
            self._growing.text = ""
            self._console.print(_markdown(text))
            if reply.footer:
                self._console.print(Text(printable(reply.footer), style="dim"))
        else:
            if reply.kind is ReplyKind.ERROR:
                self._print_unfinished()
            self._console.print(Text(text, style=_STYLES.get(reply.kind, "")))
        self._console.print()

    def _print_unfinished(self) -> None:
        self._stop_drawing()
        text, self._growing.text = self._growing.text, ""
        if text:
            self._console.print(_markdown(text))
            self._console.print()


def _markdown(text: str) -> Markdown:
    """Links are written out: a label must not hide where it leads."""
    return Markdown(printable(text), hyperlinks=False)


class _Growing:
    """The end of an unfinished answer, as much as the window holds; a spinner until there is any."""

    def __init__(self) -> None:
        self.text = ""
        self._spinner = Spinner("dots", style="dim")

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        if not self.text:
            yield self._spinner
            return
        lines = console.render_lines(_markdown(self.text), options, pad=False)
        for line in lines[-max(1, console.size.height - _LINES_KEPT_FREE) :]:
            yield from line
            yield Segment.line()
