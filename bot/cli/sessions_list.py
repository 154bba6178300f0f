"""`sessions list`: a line for each session."""

import argparse
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bot.cli import exit_codes
from bot.cli.models_auth import agent_named
from bot.cli.output import complain, say, say_json
from core.durations import iso
from core.errors import BotError
from core.resolution import words
from core.resolution.ports import State
from core.resolution.resolver import PinSource, Resolution, resolve
from core.resolution.snapshot import Snapshot
from core.resolution.source import SnapshotSource
from core.resolution.view import model_view, pin_view
from core.sessions.key import SessionKey
from core.sessions.overview import Overview
from core.sessions.session import Session

if TYPE_CHECKING:
    from bot.app import Inspection


@dataclass(frozen=True, slots=True)
class Line:
    """A session in numbers, and how it stands; None where its agent is not configured any more."""

    seen: Overview
    session: Session
    standing: tuple[Snapshot, Resolution] | None

    @property
    def is_pinned(self) -> bool:
        """Whether somebody's pin is in force, here or in the chat above it."""
        pinned = self.standing[1].pinned if self.standing is not None else None
        return pinned is not None and pinned.source is not PinSource.AUTO


class _Known:
    """`core.resolution.ports.StateReader` over what was read at one moment."""

    def __init__(self, state: State) -> None:
        self._state = state

    def read(self, keys: Sequence[SessionKey]) -> State:
        """Of these sessions."""
        sessions = {key: self._state.sessions.get(key) or Session(key=key) for key in keys}
        return State(sessions, self._state.health, self._state.paired)


def run(args: argparse.Namespace, inspection: "Inspection", database: Callable[[], Path]) -> int:
    """0 done, also where there is none."""
    lines = look(inspection, _wanted(args, inspection))
    if args.pinned:
        lines = [line for line in lines if line.is_pinned]
    shown = lines[: args.limit] if args.limit else lines
    if args.json:
        say_json({"sessions": [view(line) for line in shown], "total": len(lines)})
        return exit_codes.OK
    if not lines:
        say("No sessions." if not (args.pinned or args.platform or args.agent) else "No such sessions.")
        return exit_codes.OK
    from bot.cli.table import say_table

    columns = ("Session", "Model", "Pin", "Served last by", "Messages", "Tokens", "Cost", "Last seen (UTC)")
    say_table(columns, map(_row, shown))
    if len(shown) < len(lines):
        complain(f"{len(shown)} of {len(lines)} sessions; --limit 0 shows all.")
    return exit_codes.OK


def _wanted(args: argparse.Namespace, inspection: "Inspection") -> list[Overview]:
    agent = agent_named(args.agent, inspection.rules.agents) if args.agent is not None else None
    platform = args.platform.strip().lower() if args.platform is not None else None
    found = inspection.state.overviews()
    return [one for one in found if agent in (None, one.key.agent) and platform in (None, one.platform)]


def look(inspection: "Inspection", seen: Sequence[Overview]) -> list[Line]:
    """How these sessions stand, all at one moment."""
    keys = [one.key for one in seen]
    parents = [key.parent for key in keys if key.parent is not None]
    state = inspection.state.read(tuple(dict.fromkeys([*keys, *parents])))
    snapshots = SnapshotSource(lambda: inspection.rules, inspection.credentials, _Known(state), inspection.clock)
    return [Line(one, state.sessions[one.key], _standing(snapshots, one.key)) for one in seen]


def _standing(snapshots: SnapshotSource, key: SessionKey) -> tuple[Snapshot, Resolution] | None:
    try:
        snapshot = snapshots.take(key)
        return snapshot, resolve(snapshot)
    except BotError as error:
        if error.code != "unknown_agent":
            raise
        return None


def view(line: Line) -> dict[str, Any]:
    """A session of `sessions list --json`, and the beginning of `sessions show --json`."""
    seen, served = line.seen, line.session.served
    return {
        "session": str(seen.key),
        "agent": seen.key.agent,
        "platform": seen.platform or None,
        "model": model_view(*line.standing) if line.standing is not None else None,
        "pin": pin_view(line.standing[1].pinned) if line.standing is not None else None,
        "served": {"model": str(served.model), "profile": served.profile, "at": iso(served.at)} if served else None,
        "messages": seen.messages,
        "answers": seen.answers,
        "input_tokens": seen.input_tokens,
        "output_tokens": seen.output_tokens,
        "cost_usd": seen.cost / 1_000_000,
        "unpriced": seen.unpriced,
        "last_seen": iso(seen.last_seen),
    }


def _row(line: Line) -> tuple[str, ...]:
    seen, served = line.seen, line.session.served
    model, pin = "(agent not configured)", ""
    if line.standing is not None:
        snapshot, resolution = line.standing
        model = words.model_name(snapshot, resolution.selected.ref)
        if resolution.pinned is not None and line.is_pinned:
            pin = f"{resolution.pinned.profile} · {words.pin_words(resolution.pinned, snapshot.now)}"
    return (
        str(seen.key),
        model,
        pin,
        f"{served.profile or 'no credential'} with {served.model}" if served is not None else "",
        str(seen.messages),
        f"{seen.input_tokens + seen.output_tokens:,}",
        price(seen),
        f"{seen.last_seen:%Y-%m-%d %H:%M}" if seen.last_seen is not None else "",
    )


def price(seen: Overview) -> str:
    """What is known of the cost; nothing where no price is known."""
    if seen.unpriced == seen.answers:
        return ""
    return f"{'at least ' if seen.unpriced else ''}${seen.cost / 1_000_000:.4f}"
