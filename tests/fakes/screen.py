"""A command on a pseudo-terminal, seen as a person sees it: what stands on the screen now, whatever was drawn over what."""

import os
import re
import sys
import time
from pathlib import Path
from typing import Any

import pexpect

ROOT = Path(__file__).parents[2]
_PATIENCE = 30.0
_TOKEN = re.compile(r"\x1b\[([0-9;?]*)([A-Za-z])|\x1b[^\[]|[\r\n\b]|[^\x1b\r\n\b]+")


class Screen:
    """`remoteclaw` with these arguments. The screen never scrolls, it grows."""

    def __init__(self, *arguments: str, **environment: str) -> None:
        # A real terminal says where its cursor is; this one does not, and would be waited for at every question.
        quiet = {"TERM": "xterm-256color", "PROMPT_TOOLKIT_NO_CPR": "1"}
        self._terminal: Any = pexpect.spawn(
            sys.executable, ["-m", "bot", *arguments],
            env={**os.environ, "PYTHONPATH": str(ROOT), **quiet, **environment},
            encoding="utf-8", timeout=_PATIENCE, dimensions=(60, 160),
        )  # fmt: skip
        self._terminal.delaybeforesend = None
        self._rows = [""]
        self._row = self._column = 0
        self._answered = 0
        self._rest = ""

    def sees(self, words: str) -> None:
        """Wait until the words stand on the screen, below the last question that was seen."""
        deadline = time.monotonic() + _PATIENCE
        while (row := self._find(words)) is None:
            assert time.monotonic() < deadline, f"{words!r} is not on the screen:\n{self.text}"
            try:
                self._feed(self._terminal.read_nonblocking(4096, timeout=0.1))
            except pexpect.TIMEOUT:
                continue
            except pexpect.EOF:
                raise AssertionError(f"the command ended before {words!r}:\n{self.text}") from None
        if self._rows[row].startswith("? "):
            self._answered = row + 1

    def asked(self, words: str, answer: str) -> None:
        """Answer a question once it stands there."""
        self.sees(words)
        self._terminal.send(answer)

    def ended(self) -> tuple[int, str]:
        """The exit code, and all that stands on the screen at the end."""
        try:
            while True:
                self._feed(self._terminal.read_nonblocking(4096, timeout=_PATIENCE))
        except pexpect.EOF:
            self._terminal.close()
        return self._terminal.exitstatus, self.text

    def close(self) -> None:
        self._terminal.close(force=True)

    @property
    def text(self) -> str:
        return "\n".join(row.rstrip() for row in self._rows)

    def _find(self, words: str) -> int | None:
        rows = range(self._answered, len(self._rows))
        return next((n for n in rows if words in self._rows[n]), None)

    def _feed(self, text: str) -> None:
        text = self._rest + text
        # A sequence may have come in part.
        cut = text.rfind("\x1b", max(0, len(text) - 20))
        self._rest = (
            text[cut:] if cut >= 0 and not _TOKEN.fullmatch(text[cut:]) and "\x1b[" not in text[cut + 1 :] else ""
        )
        for found in _TOKEN.finditer(text[: len(text) - len(self._rest)]):
            if found[2] is not None:
                self._control(found[1], found[2])
            elif found[0] == "\r":
                self._column = 0
            elif found[0] == "\n":
                self._move(self._row + 1)
            elif found[0] == "\b":
                self._column = max(0, self._column - 1)
            elif not found[0].startswith("\x1b"):
                self._write(found[0])

    def _control(self, given: str, name: str) -> None:
        count = int(given) if given.isdigit() and int(given) else 1
        line = self._rows[self._row]
        if name in "AB":
            self._move(max(0, self._row + (count if name == "B" else -count)))
        elif name in "CD":
            self._column = max(0, self._column + (count if name == "C" else -count))
        elif name in "JK":
            self._rows[self._row] = line[: self._column]
            if name == "J":
                self._rows[self._row + 1 :] = []

    def _move(self, row: int) -> None:
        self._rows += [""] * (row + 1 - len(self._rows))
        self._row = row

    def _write(self, text: str) -> None:
        line = self._rows[self._row].ljust(self._column)
        self._rows[self._row] = line[: self._column] + text + line[self._column + len(text) :]
        self._column += len(text)
