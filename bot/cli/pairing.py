"""`remoteclaw pairing`: who asks to be let in, and who is. Works beside a running gateway and without one.

A gateway on the same database goes by a decision with its very next message, and tells the person that they are let in.
"""

import argparse
import os
from datetime import datetime
from typing import TYPE_CHECKING

from bot.cli.exit_codes import OK
from bot.cli.host_person import host_person
from bot.cli.output import complain, on_one_line, say, say_json
from bot.cli.table import say_table
from core.durations import iso

if TYPE_CHECKING:
    from pathlib import Path

    from bot.paths import Paths
    from core.clock import Clock
    from core.pairing import Pairing, PairingRequest
    from core.resolution.rules import AccessRules

_DONE = {
    "approve": "{who} is let in, in private chats.\nTo make them an owner: remoteclaw pairing approve {id} --owner",
    "deny": "{who} is turned away.",
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """list, approve, deny, revoke; without a word, list."""
    parser.add_argument("--json", action="store_true", help="print JSON")
    verbs = parser.add_subparsers(dest="verb", metavar="<verb>")
    listed = verbs.add_parser("list", help="show open requests and who is paired (the default)")
    approve = verbs.add_parser("approve", help="let somebody in")
    approve.add_argument("named", metavar="CODE", help="the code that they were given, or their id after a denial")
    approve.add_argument("--owner", action="store_true", help="make them an owner, who may everything")
    deny = verbs.add_parser("deny", help="turn somebody away, for a day")
    deny.add_argument("named", metavar="CODE", help="the code that they were given")
    revoke = verbs.add_parser("revoke", help="put somebody out who was let in")
    revoke.add_argument("named", metavar="ID", help="the person, as platform:id")
    for verb in (listed, approve, deny, revoke):
        verb.add_argument("--json", action="store_true", default=argparse.SUPPRESS, help="print JSON")


def run(args: argparse.Namespace) -> int:
    """0 done, also where it was done before. Raises BotError for what there is not, or what somebody else decided."""
    from bot.paths import Paths
    from bot.system_clock import SystemClock
    from core.pairing import NO_CODES, put_out, request_view
    from core.sessions.key import ONE_FOR_ALL

    paths = Paths.of(os.environ)
    database, access, dm_scope = _installation(paths, make=args.verb not in (None, "list"))
    clock = SystemClock()
    if args.verb in (None, "list"):
        if dm_scope == ONE_FOR_ALL:
            complain(NO_CODES)
        _say_list(database, access, clock.now(), args.json)
        return OK
    if args.verb == "approve" and args.owner:
        from bot.cli.pairing_owner import make_owner

        return make_owner(args.named, paths, database, access, clock.now(), args.json)
    request = _decided(args.verb, args.named, database, access, clock)
    if args.json:
        say_json(request_view(request))
    elif args.verb == "revoke":
        say(on_one_line(put_out(request, access)))
    else:
        say(_DONE[args.verb].format(who=on_one_line(request.title), id=request.person))
    return OK


def _installation(paths: "Paths", make: bool) -> "tuple[Path, AccessRules, str]":
    """The database, who owns the installation, and how wide private sessions are. Without a configuration nobody owns it."""
    from bot.app import database_path
    from bot.environment import read_environment
    from bot.settings_wiring import open_settings
    from core.errors import BotError
    from core.resolution.rules import AccessRules

    if make:
        paths.create()
    try:
        settings, environ = open_settings(paths, read_environment())
    except BotError as error:
        if error.code != "no_config":
            raise
        return paths.database, AccessRules(), ""
    access = AccessRules(owners=frozenset(settings.access.owners))
    return database_path(settings, paths, environ), access, settings.session.dm_scope


def _decided(verb: str, named: str, database: "Path", access: "AccessRules", clock: "Clock") -> "PairingRequest":
    import asyncio

    from bot.pairing_wiring import open_pairing

    async def decide(pairing: "Pairing") -> "PairingRequest":
        act = {"approve": pairing.approve, "deny": pairing.deny, "revoke": pairing.revoke}[verb]
        return await act(named, host_person(), access)

    with open_pairing(database, clock) as pairing:
        return asyncio.run(decide(pairing))


def _say_list(database: "Path", access: "AccessRules", now: datetime, as_json: bool) -> None:
    from bot.pairing_wiring import read_pairings
    from core.pairing import PairingState, request_view, undecided

    found = read_pairings(database)
    waiting = undecided([one for one in found if one.state is PairingState.WAITING and one.expires_at > now], access)
    paired = [one for one in found if one.state is PairingState.APPROVED]
    if as_json:
        say_json({"waiting": [request_view(one) for one in waiting], "paired": [request_view(one) for one in paired]})
        return
    if waiting:
        rows = [(one.code, one.person, one.name, iso(one.asked_at) or "", iso(one.expires_at) or "") for one in waiting]
        say_table(("Code", "Asks to be let in", "Name", "Asked", "Until"), rows)
        if not access.owners:
            say("This bot has no owner yet. To make somebody one: remoteclaw pairing approve CODE --owner")
    else:
        say("Nobody asks to be let in.")
    say("")
    if paired:
        people = [(one.person, one.name, iso(one.decided_at) or "", one.decided_by or "") for one in paired]
        say_table(("Paired", "Name", "Since", "Let in by"), people)
    else:
        say("Nobody is paired.")
