"""`remoteclaw models auth`: put credentials in, log in, take them out, order them, see them, put them back into service.

A secret comes from a prompt without echo or from standard input, never from an argument: other users see those, and shells
keep them. Argparse repeats what it does not understand, so where somebody may try one there is an argument to refuse it.
"""

import argparse
import os
import re
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING, Any

from bot.cli import exit_codes
from bot.cli.output import complain
from core.errors import BotError, UserError

if TYPE_CHECKING:
    from bot.app import StoreAccess
    from bot.config.settings import Settings
    from bot.paths import Paths
    from core.auth.profiles import AuthProfile, ProfileSet

_PROVIDER = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}")
_LONGEST_ID = 256
_STORED = ("api_key", "token", "oauth")
_TAKES_SECRET = {
    "add": "bot.cli.models_auth_add",
    "login": "bot.cli.models_auth_login",
    "setup-token": "bot.cli.models_auth_setup_token",
    "paste-api-key": "bot.cli.models_auth_paste",
    "paste-token": "bot.cli.models_auth_paste",
}

_LOOKS_AT_STORES = {
    "list": "bot.cli.models_auth_stored",
    "logout": "bot.cli.models_auth_logout",
    "order": "bot.cli.models_auth_order",
}


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

    def of_provider(self, provider: str, agent: str | None = None) -> list[str]:
        """The ids of those that are this provider's."""
        from core.auth.provider_names import credential_provider

        wanted = credential_provider(provider)
        return [name for name, p in self.stored(agent).items() if credential_provider(p.provider) == wanted]

    def forget_refreshes(self, name: str) -> None:
        """Put away what refreshes have left beside the stores of a login that has just been removed or replaced. Raises
        BotError."""
        from bot.app import open_logins

        try:
            open_logins(self.settings, self.paths, self.stores.source.environment).files().forget(name)
        except BotError as error:
            told = f"Tokens that an earlier refresh of {name} has left are still there: {error.message}"
            raise BotError(error.code, told, "Remove that file by hand.") from error


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The words after `models auth`."""
    parser.set_defaults(auth_parser=parser, auth_what=None)
    _shared_flags(parser)
    kinds = parser.add_subparsers(metavar="<what>", dest="auth_what")
    shown = _command(kinds, "list", "the stored credentials and how they stand")
    shown.add_argument("--provider", metavar="P", help="only those of this provider")
    added = _command(kinds, "add", "store a credential, question by question")
    added.add_argument("--provider", metavar="P", help="whose it is")
    added.add_argument("--profile-id", metavar="ID", help="how it is to be called (default: <provider>:manual)")
    _refused(added)
    _add_login(kinds)
    setup = _command(kinds, "setup-token", "store the token that `claude setup-token` prints")
    setup.add_argument("--provider", metavar="P", default="anthropic", help="whose it is (default: anthropic)")
    setup.add_argument("--profile-id", metavar="ID", help="how it is to be called (default: anthropic:manual)")
    setup.add_argument("--yes", action="store_true", help="do not ask whether one is at hand or may be replaced")
    _refused(setup)
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
    clear = _command(kinds, "clear", "put a credential that is out back into service, once its provider accepts it")
    clear.add_argument("profile", metavar="<profile>", help="its id")
    clear.add_argument("--model", metavar="M", help="only what keeps it from serving this model")
    clear.add_argument("--no-probe", action="store_true", help="do not ask the provider")
    clear.add_argument(
        "--yes", action="store_true", help="ask for a completion of 8 tokens where a list proves nothing"
    )
    order = kinds.add_parser("order", help="in which order an agent tries the credentials of a provider")
    _shared_flags(order)
    verbs = order.add_subparsers(metavar="<verb>", dest="verb", required=True)
    for verb, purpose in (("get", "show it"), ("set", "these, in this order, and no others"), ("clear", "remove it")):
        command = _command(verbs, verb, purpose)
        command.add_argument("--provider", metavar="P", required=True, help="the provider")
        if verb == "set":
            command.add_argument("profiles", metavar="<profile>", nargs="*", help="ids, the first to be tried first")


def _add_login(kinds: Any) -> None:
    login = _command(kinds, "login", "log in at a provider, in a browser or with a code on another device")
    login.add_argument("--provider", metavar="P", help="where")
    login.add_argument(
        "--method",
        choices=("pkce", "device", "paste"),
        help="pkce: a browser on this machine; device: a code to enter elsewhere; paste: a browser elsewhere, whose last address "
        "you paste",
    )
    login.add_argument("--device-code", action="store_true", help="the same as --method device")
    login.add_argument("--no-browser", action="store_true", help="open none, only say where to go")
    login.add_argument("--profile-id", metavar="ID", help="how it is to be called (default: <provider>:<e-mail>)")
    login.add_argument("--set-default", action="store_true", help="make a model of the provider the default")
    _refused(login)


def _command(kinds: Any, name: str, purpose: str) -> argparse.ArgumentParser:
    text = f"{purpose[0].upper()}{purpose[1:]}."
    parser: argparse.ArgumentParser = kinds.add_parser(name, help=purpose, description=text)
    _shared_flags(parser)
    return parser


def _shared_flags(parser: argparse.ArgumentParser) -> None:
    """They may stand before the word `auth`, after it and after the last word; the inner ones do not undo the outer ones."""
    parser.add_argument("--agent", metavar="ID", default=argparse.SUPPRESS, help="the agent (default: main)")
    parser.add_argument("--json", action="store_true", default=argparse.SUPPRESS, help="print JSON")


def _pasted(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--provider", metavar="P", required=True, help="whose it is")
    parser.add_argument("--profile-id", metavar="ID", help="how it is called (default: <provider>:manual)")
    _refused(parser)


def _refused(parser: argparse.ArgumentParser) -> None:
    """Where somebody may try to write the secret itself."""
    parser.add_argument("refused", nargs="*", help=argparse.SUPPRESS)
    for flag in ("--token", "--api-key", "--key", "--secret"):
        parser.add_argument(flag, dest="refused_flag", help=argparse.SUPPRESS)


def run(args: argparse.Namespace) -> int:
    """0 done, 1 failed, 2 wrong usage."""
    if args.auth_what is None:
        args.auth_parser.print_help(sys.stdout)
        return exit_codes.OK
    if args.auth_what in _TAKES_SECRET:
        if args.refused or args.refused_flag is not None:
            return _refuse_secret(args.auth_what)
        module = import_module(_TAKES_SECRET[args.auth_what])
        code: int = module.run(args, open_desk)
        return code
    if args.auth_what == "clear":
        from bot.cli import models_auth_clear

        return models_auth_clear.run(args)
    kind: Any = import_module(_LOOKS_AT_STORES[args.auth_what])
    done: int = kind.run(args, open_desk(args.agent))
    return done


def _refuse_secret(command: str) -> int:
    asks = command in ("add", "login", "setup-token")
    how = f"Run `remoteclaw models auth {command}`" if asks else f"Pipe it in, or run `remoteclaw models auth {command}"
    complain(
        "A secret is never taken from the command line, where other users and the shell's history would have it. "
        f"{how}{'' if asks else ' --provider <provider>`'} and paste it when asked."
    )
    return exit_codes.USAGE


def open_desk(agent: str | None) -> Desk:
    """Open the installation for one agent. Without a config file it is one that says nothing. Raises BotError."""
    from bot.app import open_stores
    from bot.environment import read_environment
    from bot.paths import Paths
    from bot.settings_wiring import open_settings
    from core.sessions.key import DEFAULT_AGENT

    paths = Paths.of(os.environ)
    settings, environ = open_settings(paths, read_environment(), required=False)
    agents = tuple(sorted({DEFAULT_AGENT, *settings.agents.list}))
    return Desk(paths, settings, open_stores(settings, paths, environ), agent_named(agent, agents), agents)


def agent_named(text: str | None, known: Iterable[str]) -> str:
    """The agent that `--agent` means; without it `main`. Raises BotError for one that is not configured: what is no id at all
    must not be taken for another one."""
    from core.sessions.key import DEFAULT_AGENT

    wanted = DEFAULT_AGENT if text is None else text.strip().lower()
    agents = sorted(known)
    if wanted not in agents:
        raise BotError("unknown_agent", f'Unknown agent id "{wanted}".', f"Configured agents: {', '.join(agents)}.")
    return wanted


def provider_named(text: str) -> str:
    """The provider that `--provider` means. Raises UserError for what cannot be one, without repeating it."""
    from core.auth.provider_names import provider_id

    provider = provider_id(text)
    _refuse_secret_as_name(text, "--provider")
    if not _PROVIDER.fullmatch(provider):
        raise UserError("usage", "--provider must be a provider id: letters, digits and . _ -")
    return provider


def profile_named(text: str) -> str:
    """A profile id as it may be stored. Raises UserError, without repeating it."""
    name = text.strip()
    _refuse_secret_as_name(name, "--profile-id")
    if not name or len(name) > _LONGEST_ID or not name.isprintable() or any(c.isspace() for c in name):
        raise UserError("usage", "--profile-id must be one word of at most 256 characters, such as acme:work.")
    return name


def _refuse_secret_as_name(text: str, flag: str) -> None:
    """Names are printed, logged and written into the config."""
    from bot.log import redact

    if redact(text) != text or redact(text.lower()) != text.lower():
        raise UserError(
            "usage",
            f"{flag} looks like a secret, so it is not taken.",
            "If it is one, revoke it: others see command lines, and shells keep them.",
        )


def missing_profile(name: str, desk: Desk) -> BotError:
    """For an id that the agent does not have."""
    known = ", ".join(sorted(desk.stored())) or "none"
    folder = desk.paths.agent(desk.agent)
    return BotError("profile_missing", f'Auth profile "{name}" not found in {folder}.', f"Stored are: {known}.")


def foreign_profile(name: str, owner: str, wanted: str) -> BotError:
    """For an id that is taken by another provider."""
    return BotError("provider_mismatch", f'Auth profile "{name}" is for {owner}, not {wanted}.')
