"""`sessions show`: how one session stands, what it has used, and its last decisions."""

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bot.cli import exit_codes
from bot.cli.models_status import explained
from bot.cli.output import on_one_line, say_json
from bot.cli.sessions import named_session
from bot.cli.sessions_list import Line, look, price, view
from core.durations import iso
from core.resolution.view import session_view
from core.sessions.session import Decision

if TYPE_CHECKING:
    from bot.app import Inspection

_DECISIONS = 10


def run(args: argparse.Namespace, inspection: "Inspection", database: Callable[[], Path]) -> int:
    """Raises BotError for a session that there is not."""
    (line,) = look(inspection, [named_session(args.key, inspection)])
    decisions = inspection.state.decisions(line.seen.key, _DECISIONS)
    if args.json:
        status = session_view(*line.standing) if line.standing is not None else None
        say_json({**view(line), "status": status, "decisions": [_view(decision) for decision in decisions]})
        return exit_codes.OK
    from bot.cli.colour import say_states

    say_states("\n".join(_lines(line, decisions)))
    return exit_codes.OK


def _lines(line: Line, decisions: tuple[Decision, ...]) -> list[str]:
    seen, served = line.seen, line.session.served
    if line.standing is None:
        found = [f"Session: {seen.key}", f"The agent {seen.key.agent} is not configured any more."]
    else:
        found = explained(line.standing[0])
    spent = f"{seen.input_tokens:,} tokens in, {seen.output_tokens:,} out"
    cost = price(seen)
    found += [
        "",
        f"Conversation: {seen.messages} messages",
        f"Used: {seen.answers} answers, {spent}{f', {cost}' if cost else ''}",
        f"Last seen: {iso(seen.last_seen) or 'not known'}",
    ]
    if served is not None:
        found.append(f"Served last by: {served.profile or 'no credential'} with {served.model}, {iso(served.at)}")
    found += ["", "Last decisions:"]
    found += [
        on_one_line(f"  {iso(d.at)} · {d.actor} · {d.action}: {d.before} → {d.after} · {d.reason}") for d in decisions
    ]
    return found if decisions else [*found, "  none"]


def _view(decision: Decision) -> dict[str, Any]:
    return {
        "at": iso(decision.at),
        "actor": decision.actor,
        "action": decision.action,
        "from": decision.before,
        "to": decision.after,
        "reason": decision.reason,
    }
