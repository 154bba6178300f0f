"""`/model status`: everything that decides the next message (product.md 4.3), and `/status`: the same in five lines."""

from core.commands.clear import with_checks
from core.commands.command import CommandContext, Outcome
from core.commands.visibility import is_owner, sees
from core.messages import Reply, ReplyKind
from core.resolution import words
from core.resolution.resolver import resolve
from core.resolution.summary import status_lines, summary
from core.resolution.view import session_view


def show_status(context: CommandContext) -> Outcome:
    """The full view."""
    snapshot = context.snapshot
    owner = is_owner(context.sender, snapshot.rules.access)
    may_see = sees(context.sender, snapshot.rules.access)
    resolution = resolve(snapshot)
    data = session_view(snapshot, resolution, may_see, owner)
    lines = [*summary(snapshot, resolution), ""]
    for provider in [p["provider"] for p in data["providers"]]:
        lines += [*status_lines(snapshot, resolution, provider, may_see, owner), ""]
    if owner:
        lines += [f"Note: {problem}" for problem in snapshot.credentials.problems]
    reply = Reply(kind=ReplyKind.STATUS, text="\n".join(lines).strip(), data=data)
    return Outcome((with_checks(reply, snapshot) if owner else reply,))


async def show_short(context: CommandContext, argument: str) -> Outcome:
    """`/status`: the session in a few lines."""
    snapshot = context.snapshot
    resolution = resolve(snapshot)
    owner = is_owner(context.sender, snapshot.rules.access)
    data = session_view(snapshot, resolution, sees(context.sender, snapshot.rules.access), owner)
    lines = [f"Session: {snapshot.session.key}", *summary(snapshot, resolution)]
    if snapshot.session.served is not None:
        served = snapshot.session.served
        lines.append(f"Last answer: {served.model} with {served.profile}, {words.ago(served.at, snapshot.now)}")
    if context.busy:
        lines.append("A message is being answered now.")
    return Outcome((Reply(kind=ReplyKind.STATUS, text="\n".join(lines), data=data),))
