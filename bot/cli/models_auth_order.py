"""`models auth order get|set|clear`: an agent's own order of a provider's credentials, kept in its store."""

import argparse
from collections.abc import Sequence

from bot.cli import exit_codes
from bot.cli.models_auth import Desk, foreign_profile, missing_profile, provider_named
from bot.cli.output import complain, say, say_json
from core.auth.eligibility import serves
from core.auth.order import explicit_order
from core.errors import UserError


def run(args: argparse.Namespace, desk: Desk) -> int:
    """What each verb changed is shown as `get` would show it."""
    try:
        provider = provider_named(args.provider)
    except UserError as error:
        complain(str(error))
        return exit_codes.USAGE
    writer = desk.stores.writer(desk.agent)
    if args.verb == "set":
        ids = list(dict.fromkeys(text.strip() for text in args.profiles if text.strip()))
        if not ids:
            complain("Missing profile ids. Name them in the order in which they are to be tried.")
            return exit_codes.USAGE
        _refuse_unusable(ids, provider, desk)
        writer.set_order(provider, ids)
    elif args.verb == "clear":
        writer.set_order(provider, None)
    order = explicit_order(provider, desk.credentials().order)
    inherited = order is not None and not writer.has_order(provider)
    if args.json:
        say_json({
            "agent": desk.agent, "agent_dir": str(writer.folder), "provider": provider,
            "auth_store_path": str(writer.path), "order": None if order is None else list(order),
            "inherited": inherited,
        })  # fmt: skip
        return exit_codes.OK
    if args.verb == "clear":
        say("Cleared per-agent order override.")
        if not inherited:
            return exit_codes.OK
    say(f"Agent: {desk.agent}")
    say(f"Provider: {provider}")
    say(f"Auth store: {writer.path}")
    words = "(none)" if order is None else ", ".join(order)
    say(f"Order override: {words}{' (from main)' if inherited else ''}")
    return exit_codes.OK


def _refuse_unusable(ids: Sequence[str], provider: str, desk: Desk) -> None:
    """Every id must be one that this agent has: of its store or main's, of the environment or of the config."""
    known = desk.credentials().profiles
    for name in ids:
        if name not in known:
            raise missing_profile(name, desk)
        if not serves(known[name], provider):
            raise foreign_profile(name, known[name].provider, provider)
