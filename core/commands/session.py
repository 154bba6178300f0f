"""`/new` (`/reset`), the Keep button that goes with it, and `/whoami`."""

from core.commands.command import Change, CommandContext, Outcome
from core.commands.visibility import is_owner
from core.errors import UserError
from core.messages import Button, Reply, ReplyKind
from core.resolution import words
from core.resolution.rules import OnReset
from core.sessions.session import Decision


async def new(context: CommandContext, argument: str) -> Outcome:
    """A new conversation. The reply names what was released, with a way to keep it; or says that it was kept."""
    snapshot = context.snapshot
    session, now, default = snapshot.session, snapshot.now, snapshot.agent.default
    held = session.current(now)
    keep = snapshot.rules.on_reset is OnReset.KEEP
    after = session.reset(keep, now)
    name = words.choice_name(held, default)
    buttons: tuple[Button, ...] = ()
    if held is None:
        text = "New conversation. The history is gone; model and credential are as before."
    elif keep:
        text = f"New conversation. The history is gone; {name} is kept (session.on_reset)."
    else:
        text = f"New conversation. The history is gone, and {name} is released; now {words.choice_name(None, default)}."
        buttons = (Button(n=1, label=f"Keep {name}", command=f"/restore {session.version + 1}", group="action"),)
        text += f"\n  1. Keep {name}\nAnswer with /model 1 to keep it."
    decision = Decision(
        at=now,
        actor=context.sender.key,
        action="reset",
        before=name,
        after=words.choice_name(after.current(now), default),
        reason="/new",
    )
    reply = Reply(kind=ReplyKind.NOTICE, text=text, buttons=buttons)
    return Outcome((reply,), Change(after, (decision,)))


async def restore(context: CommandContext, argument: str) -> Outcome:
    """What the Keep button does: the selection and pin that `/new` released, if nothing was chosen since."""
    snapshot = context.snapshot
    session, now = snapshot.session, snapshot.now
    if argument.strip() != str(session.version) or session.undo is None:
        raise UserError("usage", "Something else was chosen since then. Nothing was changed.", "Look with /model.")
    after = session.undone(now)
    name = words.choice_name(after.current(now), snapshot.agent.default)
    decision = Decision(
        at=now,
        actor=context.sender.key,
        action="keep",
        before=words.choice_name(session.current(now), snapshot.agent.default),
        after=name,
        reason="Keep after /new",
    )
    return Outcome((Reply(kind=ReplyKind.NOTICE, text=f"Kept: {name}."),), Change(after, (decision,)))


async def whoami(context: CommandContext, argument: str) -> Outcome:
    """Who the sender is to us: the id for access lists, the session, the rights."""
    key = context.snapshot.session.key
    rights = "owner" if is_owner(context.sender, context.snapshot.rules.access) else "allowed"
    lines = [f"You are {context.sender.key} ({rights}).", f"Session: {key}"]
    data = {"sender": context.sender.key, "session": str(key), "rights": rights}
    return Outcome((Reply(kind=ReplyKind.NOTICE, text="\n".join(lines), data=data, private=True),))
