"""`/new` (`/reset`), the Keep button that goes with it, `/stop`, and `/whoami`."""

from dataclasses import replace

from core.commands.command import Change, CommandContext, Outcome
from core.commands.visibility import is_owner
from core.errors import UserError
from core.messages import Button, Reply, ReplyKind
from core.resolution import words
from core.resolution.resolver import resolve
from core.resolution.rules import OnReset
from core.resolution.snapshot import Snapshot
from core.sessions.session import Choice, Decision, Session


async def new(context: CommandContext, argument: str) -> Outcome:
    """A new conversation. The reply names what was released, with a way to keep it; or says that it was kept."""
    snapshot = context.snapshot
    session, now = snapshot.session, snapshot.now
    held = session.current(now)
    keep = snapshot.rules.on_reset is OnReset.KEEP
    after = session.reset(keep, now)
    name = words.choice_name(held, snapshot.agent.default)
    buttons: tuple[Button, ...] = ()
    if held is None:
        text = f"New conversation. The history is gone. Model as before: {_stands(snapshot, after)}."
    elif keep:
        text = f"New conversation. The history is gone; {name} is kept (session.on_reset)."
    else:
        text = f"New conversation. The history is gone, and {name} is released; now {_stands(snapshot, after)}."
        buttons = (Button(n=1, label=f"Keep {name}", command=f"/restore {_stamp(held)}", group="action"),)
        text += f"\n  1. Keep {name}\nAnswer with /model 1 to keep it."
    reply = Reply(kind=ReplyKind.NOTICE, text=text, buttons=buttons)
    return Outcome((reply,), _change(context, after, "reset", "/new"))


async def fresh(context: CommandContext, argument: str) -> Outcome:
    """A new conversation with the same model and credential: what a card offers when the old one is too long."""
    after = context.snapshot.session.reset(True, context.snapshot.now)
    text = f"New conversation. The history is gone; still {_stands(context.snapshot, after)}."
    return Outcome((Reply(kind=ReplyKind.NOTICE, text=text),), _change(context, after, "reset", "too long"))


async def restore(context: CommandContext, argument: str) -> Outcome:
    """What the Keep button does: the selection and pin that `/new` released, if nothing was chosen since."""
    session, now = context.snapshot.session, context.snapshot.now
    released = session.undo[-1] if session.undo else None
    if released is None or _stamp(released) != argument.strip() or session.standing(now):
        raise UserError("usage", "Something else was chosen since then. Nothing was changed.", "Look with /model.")
    after = session.undone(now)
    reply = Reply(kind=ReplyKind.NOTICE, text=f"Kept: {_stands(context.snapshot, after)}.")
    return Outcome((reply,), _change(context, after, "keep", "Keep after /new"))


def _stamp(choice: Choice) -> str:
    """Names a choice by when it was made."""
    return choice.set_at.isoformat()


def _stands(snapshot: Snapshot, session: Session) -> str:
    """What serves then: its own choice, its chat's, or the default."""
    resolution = resolve(replace(snapshot, session=session))
    return words.choice_name(resolution.selected.choice, snapshot.agent.default)


def _change(context: CommandContext, after: Session, action: str, reason: str) -> Change:
    snapshot = context.snapshot
    decision = Decision(
        at=snapshot.now,
        actor=context.sender.key,
        action=action,
        before=_stands(snapshot, snapshot.session),
        after=_stands(snapshot, after),
        reason=reason,
    )
    return Change(after, (decision,))


async def stop(context: CommandContext, argument: str) -> Outcome:
    """End the answer that is being given. What waits behind it is answered next."""
    if context.stop is None:
        return Outcome((Reply(kind=ReplyKind.NOTICE, text="Nothing is being answered here.", private=True),))
    context.stop()
    return Outcome((Reply(kind=ReplyKind.NOTICE, text="Stopping the answer.", private=True),))


async def whoami(context: CommandContext, argument: str) -> Outcome:
    """Who the sender is to us: the id for access lists, the session, the rights."""
    key = context.snapshot.session.key
    rights = "owner" if is_owner(context.sender, context.snapshot.rules.access) else "allowed"
    lines = [f"You are {context.sender.key} ({rights}).", f"Session: {key}"]
    data = {"sender": context.sender.key, "session": str(key), "rights": rights}
    return Outcome((Reply(kind=ReplyKind.NOTICE, text="\n".join(lines), data=data, private=True),))
