"""Parsers whose arguments are only made once their command is given.

argparse wants every command of the tree before it reads the first word, and a look at `models` would spend more time on the
arguments of `models auth` than on the credentials.
"""

import argparse
import re
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

Fill = Callable[[argparse.ArgumentParser], None]
_FLAG = re.compile(r"--[a-z][a-z-]*")


class Parser(argparse.ArgumentParser):
    """A parser that `fill_later` may leave empty. Those of its commands are of this kind too."""

    fill: Fill | None = None
    takes_flags_anywhere = False

    def __init__(self, **settings: Any) -> None:
        # argparse lays out every argument when it is added, only to see that it can; the terminal's width does not matter then.
        super().__init__(formatter_class=partial(argparse.HelpFormatter, width=80), **settings)

    def format_help(self) -> str:
        """The help, as wide as the terminal."""
        self.formatter_class = argparse.HelpFormatter
        return super().format_help()

    def format_usage(self) -> str:
        """The first lines of the help, as wide as the terminal."""
        self.formatter_class = argparse.HelpFormatter
        return super().format_usage()

    def parse_known_args(self, args: Sequence[str] | None = None, namespace: Any = None) -> Any:  # type: ignore[override]
        """As argparse does it, with the arguments made first."""
        if self.fill is not None:
            fill, self.fill = self.fill, None
            fill(self)
        if self.takes_flags_anywhere and args is not None:
            args = _flags_first(args)
        return super().parse_known_args(args, namespace)


def fill_later(parser: argparse.ArgumentParser, fill: Fill) -> None:
    """Have the arguments made by `fill` when the command is given; at once where the parser cannot wait."""
    if isinstance(parser, Parser):
        parser.fill = fill
    else:
        fill(parser)


def take_flags_anywhere(parser: argparse.ArgumentParser) -> None:
    """Let flags stand between and behind the words of a command, of which the last may be left out: argparse takes it for left out
    as soon as a flag follows the one before. Only for a command whose flags have no values."""
    if isinstance(parser, Parser):
        parser.takes_flags_anywhere = True


def _flags_first(words: Sequence[str]) -> list[str]:
    end = words.index("--") if "--" in words else len(words)
    return [*sorted(words[:end], key=lambda word: _FLAG.fullmatch(word) is None), *words[end:]]
