"""`/model why`: the last ten decisions of this session."""

from core.commands.command import CommandContext, Outcome
from core.durations import iso
from core.messages import Reply, ReplyKind

SHOWN = 10


async def show_why(context: CommandContext) -> Outcome:
    """When, who or what, from, to, reason; newest first."""
    decisions = await context.sessions.decisions(context.snapshot.session.key, SHOWN)
    lines = [
        f"{d.at:%d %b %H:%M:%S} UTC · {d.actor} · {d.action}: {d.before} → {d.after} · {d.reason}" for d in decisions
    ]
    data = {
        "decisions": [
            {"at": iso(d.at), "actor": d.actor, "action": d.action, "from": d.before, "to": d.after, "reason": d.reason}
            for d in decisions
        ]
    }
    text = "\n".join(lines) or "Nothing was decided in this session yet: it follows the default."
    return Outcome((Reply(kind=ReplyKind.NOTICE, text=text, data=data),))
