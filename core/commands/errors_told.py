"""An expected error as a reply: its sentence, its next step, and the commands that would be right."""

from core.errors import BotError, Suggestion, UserError
from core.messages import Button, Reply, ReplyKind

ANEW = Suggestion("/model", "Open a new one")
"""Offered where a picker cannot be used (any more). It leads on only, so it has no number: those are the picker's."""


def error_reply(error: BotError) -> Reply:
    """What a sender sees of an error."""
    choices = error.choices if isinstance(error, UserError) else ()
    buttons = tuple(_button(n, choice) for n, choice in enumerate(choices, start=1))
    numbered = [button for button in buttons if button.command]
    lines = [str(error), *(f"{b.n:>3}. {b.label}" for b in numbered)]
    listed = [{"n": b.n, "label": b.label, "command": b.command} for b in numbered]
    data = {"choices": listed} if listed else {}
    return Reply(kind=ReplyKind.ERROR, code=error.code, text="\n".join(lines), data=data, buttons=buttons)


def _button(n: int, choice: Suggestion) -> Button:
    if choice == ANEW:
        return Button(n=n, label=choice.label, command="", press=choice.command, group="action")
    return Button(n=n, label=choice.label, command=choice.command)
