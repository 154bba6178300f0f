"""`remoteclaw models auth`: put static credentials in, take them out, order them, see them.

A secret comes from a prompt without echo or from standard input, never from an argument: other users see those, and shells
keep them. Argparse repeats what it does not understand, so where somebody may try one there is an argument to refuse it.
"""

import argparse
import os
import re
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from bot.cli import exit_codes
from core.errors import BotError, UserError

if TYPE_CHECKING:
    from bot.app import StoreAccess
    from bot.config.settings import Settings
    from bot.paths import Paths
    from core.auth.profiles import AuthProfile, ProfileSet

_PROVIDER = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}")
_LONGEST_ID = 256
_STORED = ("api_key", "token", "oauth")


@dataclass(frozen=True, slots=True)
class Desk:
    """What a command of `models auth` works with: one agent of an installation."""

    paths: "Paths"
    settings: "Settings"
    stores: "StoreAccess"
    agent: str
    agents: tuple[str, ...]

    def credentials(self, agent: str | None = None) -> "ProfileSet":
        """What an agent may use now."""
        return self.stores.source.load(agent or self.agent)

    def stored(self, agent: str | None = None) -> dict[str, "AuthProfile"]:
        """Those of them that lie in a store; the others come from the environment or the config."""
        return {name: p for name, p in self.credentials(agent).profiles.items() if p.kind in _STORED}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The words after `models auth`."""
    parser.set_defaults(auth_parser=parser, auth_what=None)
    kinds = parser.add_subparsers(metavar="<what>", dest="auth_what")
    shown = _command(kinds, "list", "the stored credentials and how they stand")
    shown.add_argument("--provider", metavar="P", help="only those of this provider")
    key = _command(kinds, "paste-api-key", "store an API key, typed unseen or from standard input")
    _pasted(key)
    token = _command(kinds, "paste-token", "store a token, typed unseen or from standard input")
    _pasted(token)
    token.add_argument(
        "--expires-in", metavar="SPAN", help="how long it is valid, such as 365d; a bare number is in days"
    )
    out = _command(kinds, "logout", "remove a stored credential")
    out.add_argument("profile", metavar="<profile>", help="its id")
    out.add_argument("--yes", action="store_true", help="do not ask")
    order = kinds.add_parser("order", help="in which order an agent tries the credentials of a provider")
    verbs = order.add_subparsers(metavar="<verb>", dest="verb", required=True)
    for verb, purpose in (("get", "show it"), ("set", "these, in this order, and no others"), ("clear", "remove it")):
        command = _command(verbs, verb, purpose)
        command.add_argument("--provider", metavar="P", required=True, help="the provider")
        if verb == "set":
            command.add_argument("profiles", metavar="<profile>", nargs="*", help="ids, the first to be tried first")


def _command(kinds: Any, name: str, purpose: str) -> argparse.ArgumentParser:
    parser: argparse.ArgumentParser = kinds.add_parser(name, help=purpose, description=f"{purpose.capitalize()}.")
    # What stands before the word `auth` holds too.
    parser.add_argument("--agent", metavar="ID", default=argparse.SUPPRESS, help="the agent (default: main)")
    parser.add_argument("--json", action="store_true", default=argparse.SUPPRESS, help="print JSON")
    return parser


def _pasted(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--provider", metavar="P", required=True, help="whose it is")
    parser.add_argument("--profile-id", metavar="ID", help="how it is called (default: <provider>:manual)")
    parser.add_argument("refused", nargs="*", help=argparse.SUPPRESS)
    for flag in ("--token", "--api-key", "--key", "--secret"):
        parser.add_argument(flag, dest="refused_flag", help=argparse.SUPPRESS)


def run(args: argparse.Namespace) -> int:
    """0 done, 1 failed, 2 wrong usage."""
    if args.auth_what is None:
        args.auth_parser.print_help(sys.stderr)
        return exit_codes.USAGE
    if args.auth_what in ("paste-api-key", "paste-token"):
        from bot.cli import models_auth_paste

        return models_auth_paste.run(args, open_desk)
    from bot.cli import models_auth_order, models_auth_stored

    desk = open_desk(args.agent)
    if args.auth_what == "order":
        return models_auth_order.run(args, desk)
    return models_auth_stored.show(args, desk) if args.auth_what == "list" else models_auth_stored.logout(args, desk)


def open_desk(agent: str | None) -> Desk:
    """Open the installation for one agent. Without a config file it is one that says nothing. Raises BotError."""
    from bot.app import open_stores
    from bot.config import load_settings
    from bot.config.load import settings_from
    from bot.paths import Paths
    from core.sessions.key import DEFAULT_AGENT, agent_id

    paths = Paths.of(os.environ)
    try:
        settings = load_settings(paths.config, os.environ)
    except BotError as error:
        if error.code != "no_config":
            raise
        settings = settings_from({}, os.environ)
    wanted = agent_id(agent) if agent else DEFAULT_AGENT
    agents = tuple(sorted({DEFAULT_AGENT, *settings.agents.list}))
    if wanted not in agents:
        raise BotError("unknown_agent", f'Unknown agent id "{wanted}".', f"Configured agents: {', '.join(agents)}.")
    return Desk(paths, settings, open_stores(settings, paths, os.environ), wanted, agents)


def provider_named(text: str) -> str:
    """The provider that `--provider` means. Raises UserError for what cannot be one, without repeating it."""
    from core.auth.provider_names import provider_id

    provider = provider_id(text)
    if not _PROVIDER.fullmatch(provider):
        raise UserError("usage", "--provider must be a provider id: letters, digits and . _ -")
    return provider


def profile_named(text: str) -> str:
    """A profile id as it may be stored. Raises UserError, without repeating it."""
    name = text.strip()
    if not name or len(name) > _LONGEST_ID or not name.isprintable() or any(c.isspace() for c in name):
        raise UserError("usage", "--profile-id must be one word of at most 256 characters, such as acme:work.")
    return name


def missing_profile(name: str, desk: Desk) -> BotError:
    """For an id that the agent does not have."""
    known = ", ".join(sorted(desk.stored())) or "none"
    folder = desk.paths.agent(desk.agent)
    return BotError("profile_missing", f'Auth profile "{name}" not found in {folder}.', f"Stored are: {known}.")


def foreign_profile(name: str, owner: str, wanted: str) -> BotError:
    """For an id that is taken by another provider."""
    return BotError("provider_mismatch", f'Auth profile "{name}" is for {owner}, not {wanted}.')
