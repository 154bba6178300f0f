"""`/model why`: the last ten decisions of this session."""

from core.commands.command import CommandContext, Outcome
from core.commands.picker_choices import Choices
from core.commands.picker_page import screen_of
from core.durations import iso
from core.messages import Block, Reply, ReplyKind, Row
from core.resolution.labels import one_line
from core.sessions.session import Decision

SHOWN = 10


async def show_why(context: CommandContext) -> Outcome:
    """When, who or what, from, to, reason; newest first."""
    decisions = await context.sessions.decisions(context.snapshot.session.key, SHOWN)
    data = {
        "decisions": [
            {"at": iso(d.at), "actor": d.actor, "action": d.action, "from": d.before, "to": d.after, "reason": d.reason}
            for d in decisions
        ]
    }
    text = "\n".join(f"{_when(d)} · {d.actor} · {_what(d)}" for d in decisions)
    if not decisions:
        text = "Nothing was decided in this session yet: it follows the default."
        return Outcome((Reply(kind=ReplyKind.NOTICE, text=text, data=data),))
    screen = screen_of(Choices(context))
    rows = (Row(f"{_when(d)} · {d.actor}", one_line(screen.text(_what(d)))) for d in decisions)
    block = Block("Last decisions", tuple(rows))
    return Outcome((Reply(kind=ReplyKind.NOTICE, text=text, data=data, blocks=(block,)),))


def _when(decision: Decision) -> str:
    return f"{decision.at:%d %b %H:%M:%S} UTC"


def _what(decision: Decision) -> str:
    return f"{decision.action}: {decision.before} → {decision.after} · {decision.reason}"
