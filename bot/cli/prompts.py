"""Questions to the person at the terminal: a list to choose from, a line, a secret that is not shown, yes or no.

They stand on standard error, so that standard output holds the result alone. Whoever breaks off (Ctrl-C, end of input) raises
KeyboardInterrupt: nothing may have been stored before the last question is answered.
"""

import os
import sys
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from bot.cli.output import harmless

if TYPE_CHECKING:
    from prompt_toolkit.key_binding.key_processor import KeyPressEvent
    from questionary import Question

Check = Callable[[str], str | None]
"""What is wrong with an answer, in a sentence without the answer; None: nothing."""


def can_ask() -> bool:
    """Whether there is somebody to ask, at a terminal that can draw a question."""
    both = all(stream is not None and stream.isatty() for stream in (sys.stdin, sys.stderr))
    return both and os.environ.get("TERM", "dumb") not in ("dumb", "unknown")


def tell(text: str) -> None:
    """Something to know before the next question."""
    sys.stderr.write(f"{harmless(text)}\n")
    sys.stderr.flush()


def choose(message: str, choices: Sequence[tuple[str, str]]) -> str:
    """One of (value, words). Typing narrows the list."""
    import questionary

    shown = [questionary.Choice(words, value) for value, words in choices]
    question = questionary.select(message, shown, use_search_filter=True, use_jk_keys=False, **_where())
    return str(_asked(_ended_by_end_of_input(question)))


def choose_many(message: str, choices: Sequence[tuple[str, str]]) -> list[str]:
    """Any number of (value, words), in their order."""
    import questionary

    shown = [questionary.Choice(words, value) for value, words in choices]
    question = questionary.checkbox(message, shown, use_jk_keys=False, **_where())
    return [str(value) for value in _asked(_ended_by_end_of_input(question))]


def ask_line(message: str, default: str = "", check: Check = lambda _: None) -> str:
    """A line, trimmed."""
    import questionary

    question = questionary.text(message, default, validate=_validate(check), **_where())
    return str(_asked(question)).strip()


def ask_secret(message: str, check: Check = lambda _: None) -> str:
    """A secret, as it was pasted: a terminal that can tell hands over all of its lines. Also where `can_ask` says no, but then
    unchecked. Whoever calls hides it from logs."""
    if not can_ask():
        from getpass import getpass

        try:
            return getpass(message, stream=sys.stderr)
        except EOFError:
            raise KeyboardInterrupt from None
    import questionary

    return str(_asked(questionary.password(message.strip(), validate=_validate(check), **_where())))


def confirm(message: str, default: bool = True) -> bool:
    """Yes or no; `default` if only Enter is pressed."""
    import questionary

    return bool(_asked(questionary.confirm(message, default, **_where())))


def _asked(question: "Question") -> Any:
    try:
        return question.unsafe_ask()
    except EOFError:
        raise KeyboardInterrupt from None


def _ended_by_end_of_input(question: "Question") -> "Question":
    """Ctrl-D ends a list too, which has no such key of its own."""
    from prompt_toolkit.key_binding import KeyBindings, merge_key_bindings

    keys = KeyBindings()

    @keys.add("c-d", eager=True)
    def end(event: "KeyPressEvent") -> None:
        event.app.exit(exception=EOFError)

    application = question.application
    application.key_bindings = merge_key_bindings([*filter(None, [application.key_bindings]), keys])
    return question


def _where() -> dict[str, Any]:
    from prompt_toolkit.output import create_output

    return {"output": create_output(stdout=sys.stderr)}


def _validate(check: Check) -> Callable[[str], bool | str]:
    def verdict(text: str) -> bool | str:
        problem = check(text)
        return True if problem is None else problem

    return verdict
