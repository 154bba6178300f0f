"""`sessions clear`: a conversation begins anew, and what was chosen in it is released.

A choice is not taken away without a word: it is given an end that has come, so that its chat is told by whoever watches over
choices that end, within half a minute, or with its next message.
"""

import argparse
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from bot.cli import exit_codes
from bot.cli.host_person import host_person
from bot.cli.output import complain, say, say_json
from bot.cli.sessions import named_session
from core.errors import LostRace
from core.resolution import words
from core.sessions.key import SessionKey
from core.sessions.session import Decision, Session

if TYPE_CHECKING:
    from bot.app import Inspection

_TRIES = 5
"""A session that somebody changes at the same time is read again so often."""
_RELEASED = "its choice is released, and its chat is told within half a minute, or with its next message"
_ASKED = {
    "history": "Erase the conversation of {key} ({messages} messages)?",
    "choice": "Release what was chosen in {key}? Its chat is told.",
    "all": "Erase the conversation of {key} ({messages} messages), and release what was chosen there?",
}


def run(args: argparse.Namespace, inspection: "Inspection", database: Callable[[], Path]) -> int:
    """0 done, also where there was nothing to clear; 1 after a no; 2 where nobody can be asked and --yes is missing."""
    seen = named_session(args.key, inspection)
    what = args.what or "all"
    if not args.yes:
        from bot.cli.prompts import can_ask, confirm

        if not can_ask():
            complain("Nobody can be asked here. Say --yes to clear it. Nothing was changed.")
            return exit_codes.USAGE
        if not confirm(_ASKED[what].format(key=seen.key, messages=seen.messages), default=False):
            complain("Nothing was changed.")
            return exit_codes.FAILED
    released = _clear(inspection, database(), seen.key, what)
    erased = seen.messages if what != "choice" else 0
    if args.json:
        say_json({"session": str(seen.key), "cleared": what, "messages_erased": erased, "choice_released": released})
        return exit_codes.OK
    if what != "choice":
        say(f"{seen.key}: the conversation begins anew ({erased} messages erased).")
    if what != "history":
        told = _RELEASED if released else "nothing was chosen there"
        say(f"{seen.key}: {told}.")
    return exit_codes.OK


def _clear(inspection: "Inspection", database: Path, key: SessionKey, what: str) -> bool:
    """Clear it; whether a choice was released. Raises StorageError."""
    import asyncio

    from bot.sessions_wiring import open_sessions

    with open_sessions(database) as store:
        for left in reversed(range(_TRIES)):
            now = inspection.clock.now()
            before = inspection.state.read((key,)).sessions[key]
            releases = what != "history" and before.current(now) is not None
            if what == "choice" and not releases:
                return False
            after = cleared(before, what, now)
            try:
                asyncio.run(store.save_choice(after, (_decision(inspection, before, what, now),)))
                return releases
            except LostRace:
                if not left:
                    raise
    raise AssertionError("the last try returns or raises")


def cleared(session: Session, what: str, now: datetime) -> Session:
    """The session without its conversation (`history`), with an end to its choices (`choice`), or both (`all`). What was chosen
    can be brought back in the chat by `/model undo`."""
    fresh = session.reset(keep=True, now=now) if what != "choice" else session
    standing = session.standing(now)
    if what == "history" or not standing:
        return fresh
    ended = tuple(choice if choice.ended(now) else choice.cleared(now) for choice in fresh.choices)
    return replace(fresh, choices=ended, undo=standing, served=None)


def _decision(inspection: "Inspection", before: Session, what: str, now: datetime) -> Decision:
    agent = inspection.rules.agents.get(before.key.agent)
    name = words.choice_name(before.current(now), agent.default) if agent is not None else "(agent not configured)"
    default = words.choice_name(None, agent.default) if agent is not None else name
    return Decision(
        at=now,
        actor=host_person(),
        action="release" if what == "choice" else "reset",
        before=name,
        after=name if what == "history" else default,
        reason="cleared on the host",
    )
