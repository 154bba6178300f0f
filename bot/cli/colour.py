"""States in colour, on a terminal that can and whose user wants it; everywhere else the plain text."""

import os
import sys

from bot.cli.output import harmless, say

_STYLES = (
    (r"(?m)^(Auth overview|OAuth/token status|Would be tried, in order:)$|^\[[^\]]+\]", "bold"),
    (r"(?m)^Missing auth$", "bold red"),
    (r"(?<![\w-])(ready|ok|static|next)(?![\w-])", "green"),
    (r"(?<![\w-])(cooling|cooldown|expiring|refreshable)(?![\w-])", "yellow"),
    (r"(?<![\w-])(disabled|expired|unknown|missing|\w+_ref|missing_credential|invalid_expires)(?![\w-])", "red"),
    (r"(?<![\w-])(excluded_by_auth_order)(?![\w-])", "dim"),
)


def is_for_people() -> bool:
    """Whether standard output is a terminal that draws more than lines."""
    drawn = os.environ.get("TERM", "dumb") not in ("dumb", "unknown")
    return drawn and sys.stdout is not None and sys.stdout.isatty()


def say_states(text: str) -> None:
    """Lines of the result, their states coloured where that helps. The characters are the same everywhere."""
    if os.environ.get("NO_COLOR") or not is_for_people():
        say(text)
        return
    from rich.console import Console
    from rich.text import Text

    coloured = Text(harmless(text))
    for pattern, style in _STYLES:
        coloured.highlight_regex(pattern, style)
    Console(highlight=False, markup=False, emoji=False).print(coloured, soft_wrap=True)
