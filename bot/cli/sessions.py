"""`remoteclaw sessions`: which conversations there are, what serves them and what they have cost; and how to end what they hold.

Works beside a running gateway and without one. What people write is never shown.
"""

import argparse
import os
from importlib import import_module
from typing import TYPE_CHECKING, Any

from bot.cli.models_opened import opened
from bot.paths import Paths
from core.errors import BotError

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from bot.app import Inspection
    from core.sessions.overview import Overview

_MODULES = {
    "list": "bot.cli.sessions_list",
    "show": "bot.cli.sessions_show",
    "clear": "bot.cli.sessions_clear",
}
_LIMIT = 50


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """list, show, clear; without a word, list."""
    _list_flags(parser, {})
    verbs = parser.add_subparsers(dest="verb", metavar="<verb>")
    suppressed: dict[str, Any] = {"default": argparse.SUPPRESS}
    _list_flags(verbs.add_parser("list", help="show sessions, the latest first (the default)"), suppressed)
    show = verbs.add_parser("show", help="how one stands, and its last decisions")
    clear = verbs.add_parser("clear", help="begin a conversation anew, and release what was chosen in it")
    for verb in (show, clear):
        verb.add_argument("key", metavar="KEY", help="the session's key, as list shows it")
        verb.add_argument("--json", action="store_true", help="print JSON", **suppressed)
    what = clear.add_mutually_exclusive_group()
    what.add_argument("--history", dest="what", action="store_const", const="history", help="only the conversation")
    what.add_argument(
        "--choice", dest="what", action="store_const", const="choice", help="only the choice of model and credential"
    )
    what.add_argument("--all", dest="what", action="store_const", const="all", help="both (the default)")
    clear.add_argument("--yes", action="store_true", help="do not ask")


def _list_flags(parser: argparse.ArgumentParser, absent: dict[str, Any]) -> None:
    """These stand before and after the word `list`; the inner ones must not undo the outer ones."""
    parser.add_argument("--json", action="store_true", help="print JSON", **absent)
    parser.add_argument("--agent", metavar="ID", help="only those of this agent", **absent)
    parser.add_argument(
        "--platform", metavar="NAME", help="only those of this platform: telegram, discord, ...", **absent
    )
    parser.add_argument("--pinned", action="store_true", help="only those that somebody has pinned", **absent)
    parser.add_argument(
        "--limit", metavar="N", type=_count, **{"default": _LIMIT, **absent}, help=f"at most so many ({_LIMIT}); 0: all"
    )


def _count(text: str) -> int:
    if not (text.isascii() and text.isdecimal()) or len(text) > 9:
        raise argparse.ArgumentTypeError("must be a number from 0 on")
    return int(text)


def run(args: argparse.Namespace) -> int:
    """0 done. Raises BotError, for an unknown session too."""
    module: Any = import_module(_MODULES[args.verb or "list"])
    paths = Paths.of(os.environ)
    settings, inspection, _ = opened(paths)

    def database() -> "Path":
        from bot.app import database_path

        return database_path(settings, paths, inspection.credentials.environment)

    code: int = module.run(args, inspection, database)
    return code


def named_session(text: str, inspection: "Inspection") -> "Overview":
    """The session of this key. Raises BotError, with the nearest keys, where there is none."""
    found = inspection.state.overviews()
    wanted = text.strip().lower()
    known = next((one for one in found if str(one.key).lower() == wanted), None)
    if known is None:
        near = _nearest(wanted, (str(one.key) for one in found))
        hint = f"Near to it: {', '.join(near)}" if near else "`remoteclaw sessions list` shows those that there are."
        raise BotError("session_unknown", f"There is no session {text.strip()[:200]!a}.", hint)
    return known


def _nearest(wanted: str, keys: "Iterable[str]") -> list[str]:
    import difflib

    known = list(keys)
    parts = [key for key in known if wanted and wanted in key]
    return list(dict.fromkeys([*parts[:3], *difflib.get_close_matches(wanted, known, n=3, cutoff=0.6)]))[:3]
