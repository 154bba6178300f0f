"""What `/new` leads to besides itself (a card's new conversation, the Keep button), `/stop`, and `/whoami`."""

from core.commands.choose import check_pins
from core.commands.command import CommandContext, Outcome
from core.commands.new import changed, stamp, stands
from core.commands.visibility import is_owner
from core.errors import UserError
from core.messages import Reply, ReplyKind


async def fresh(context: CommandContext, argument: str) -> Outcome:
    """A new conversation with the same model and credential: what a card offers when the old one is too long."""
    after = context.snapshot.session.reset(True, context.snapshot.now)
    text = f"New conversation. The history is gone; still {stands(context.snapshot, after)}."
    return Outcome((Reply(kind=ReplyKind.NOTICE, text=text),), changed(context, after, "reset", "too long"))


async def restore(context: CommandContext, argument: str) -> Outcome:
    """What the Keep button does: the selection and pin that `/new` released, if nothing was chosen since."""
    session, now = context.snapshot.session, context.snapshot.now
    released = session.undo[-1] if session.undo else None
    if released is None or stamp(released) != argument.strip() or session.standing(now):
        raise UserError("usage", "Something else was chosen since then. Nothing was changed.", "Look with /model.")
    after = session.undone(now)
    check_pins(context, after)
    reply = Reply(kind=ReplyKind.NOTICE, text=f"Kept: {stands(context.snapshot, after)}.")
    return Outcome((reply,), changed(context, after, "keep", "Keep after /new"))


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
