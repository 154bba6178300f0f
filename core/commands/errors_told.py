"""An expected error as a reply: its sentence, its next step, and the commands that would be right."""

from core.errors import BotError, UserError
from core.messages import Button, Reply, ReplyKind


def error_reply(error: BotError) -> Reply:
    """What a sender sees of an error."""
    choices = error.choices if isinstance(error, UserError) else ()
    buttons = tuple(Button(n=n, label=c.label, command=c.command) for n, c in enumerate(choices, start=1))
    lines = [str(error), *(f"{b.n:>3}. {b.label}" for b in buttons)]
    listed = [{"n": b.n, "label": b.label, "command": b.command} for b in buttons]
    data = {"choices": listed} if listed else {}
    return Reply(kind=ReplyKind.ERROR, code=error.code, text="\n".join(lines), data=data, buttons=buttons)
