"""Questions that nobody has to answer: Enter alone goes back to what was asked before."""

import os
import select
import sys

from bot.cli import prompts

_BACK = "Enter alone goes back"


class Back(Exception):
    """There was no answer: what was asked before is asked again."""


def ask_line(about: str, usual: str = "", check: prompts.Check = lambda _: None, *, begun: str = "") -> str:
    """A line, trimmed. `usual` stands there already, as does `begun`, which alone is no answer. Raises Back."""

    def problem(text: str) -> str | None:
        return None if text.strip() in ("", begun) else check(text)

    text = prompts.ask_line(f"{about} ({_BACK}):", usual or begun, problem)
    if text in ("", begun):
        raise Back
    return text


def ask_secret(about: str, check: prompts.Check) -> str:
    """A secret, as it was pasted. Raises Back. Whoever calls hides it from logs."""

    def problem(text: str) -> str | None:
        return check(text) if text.strip() else None

    text = prompts.ask_secret(f"{about} (it is not shown; {_BACK}): ", problem)
    if not text.strip():
        raise Back
    return text


def has_pressed_enter() -> bool:
    """Whether somebody has ended a line since this was asked last; does not wait. Raises KeyboardInterrupt at the end of input."""
    if not select.select([sys.stdin], [], [], 0)[0]:
        return False
    if not os.read(sys.stdin.fileno(), 1024):
        raise KeyboardInterrupt
    return True
