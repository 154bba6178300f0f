"""`remoteclaw onboard`: from nothing to a working chat in a few questions, or by flags where nobody is there to answer.

Nothing is written before everything is answered and checked. A secret comes from a prompt without echo or from standard input,
never from an argument.
"""

import argparse
from typing import TYPE_CHECKING, Any

from bot.cli import exit_codes
from bot.cli.output import complain, say, say_json
from core.errors import UserError

if TYPE_CHECKING:
    from bot.onboard.draft import Draft
    from bot.onboard.keeping import Kept

_SECRETS = ("--api-key", "--token", "--key", "--secret", "--telegram-token", "--discord-token")
"""Where somebody may try to write the secret itself."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Every answer as a flag."""
    from bot.onboard.wish import APIS, AUTHS

    parser.add_argument("--non-interactive", action="store_true", help="ask nothing: the flags say everything")
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.add_argument("--skip-checks", action="store_true", help="ask neither the provider nor the platforms")
    model = parser.add_argument_group("models")
    model.add_argument("--provider", metavar="P", help="whose models answer")
    model.add_argument("--auth", choices=AUTHS, help="how it knows who you are")
    model.add_argument("--api-key-stdin", action="store_true", help="the API key is a line of standard input")
    model.add_argument("--token-stdin", action="store_true", help="a token is a line of standard input")
    model.add_argument("--env", metavar="NAME", help="the variable that holds the key")
    model.add_argument("--ref", metavar="SOURCE:PROVIDER:ID", help="a reference to the key (env, file, exec)")
    model.add_argument("--profile-id", metavar="ID", help="how the credential is called (default: <provider>:manual)")
    model.add_argument("--base-url", metavar="URL", help="the address of the provider's API")
    model.add_argument("--api", choices=APIS, help=f"how it speaks (default: {APIS[0]})")
    model.add_argument("--model", metavar="M", help="the default model")
    for name, title in (("telegram", "Telegram"), ("discord", "Discord")):
        group = parser.add_argument_group(title)
        group.add_argument(f"--{name}-token-stdin", action="store_true", help="the token is a line of standard input")
        group.add_argument(f"--{name}-token-env", metavar="NAME", help="the variable that holds the bot's token")
        group.add_argument(f"--{name}-api-url", metavar="URL", help="a server of one's own instead of the usual one")
    rest = parser.add_argument_group("people and service")
    rest.add_argument(
        "--owner", metavar="PLATFORM:ID", action="append", default=[], help="who owns the bot; may be repeated"
    )
    rest.add_argument(
        "--service", action=argparse.BooleanOptionalAction, default=None, help="run the gateway as a service, or do not"
    )
    parser.add_argument("refused", nargs="*", help=argparse.SUPPRESS)
    for flag in _SECRETS:
        parser.add_argument(flag, dest="refused_flag", help=argparse.SUPPRESS)


def run(args: argparse.Namespace) -> int:
    """0 done, 1 something failed, 2 wrong usage, 130 broken off. Raises BotError, and then nothing was written, unless it says
    which file could not be."""
    from bot.cli import prompts
    from bot.onboard.wish import read_wish

    if args.refused or args.refused_flag is not None:
        complain(
            "A secret is never taken from the command line, where other users and the shell's history would have it. "
            "Pipe it in with --api-key-stdin or --telegram-token-stdin, or run `remoteclaw onboard` and paste it when asked."
        )
        return exit_codes.USAGE
    if not args.non_interactive and not prompts.can_ask():
        complain(
            "`remoteclaw onboard` asks questions, so it needs a terminal. In a script, add --non-interactive and say the rest "
            "by flags: remoteclaw onboard --help"
        )
        return exit_codes.USAGE
    from bot.onboard.collect import collect
    from bot.onboard.draft import open_draft
    from bot.onboard.keeping import keep, tell_notes

    try:
        wish = read_wish(args)
        draft = open_draft()
        collect(draft, wish)
    except UserError as error:
        complain(str(error))
        return exit_codes.USAGE
    kept = keep(draft)
    if args.json:
        say_json(_view(draft, kept))
    else:
        for line in _lines(draft, kept):
            say(line)
    tell_notes(draft)
    if kept.trouble is not None:
        raise kept.trouble
    return exit_codes.OK


def _lines(draft: "Draft", kept: "Kept") -> list[str]:
    """What was done, and what comes next."""
    lines = [f"Updated {path}" for path in kept.changed] or ["Nothing had to be changed."]
    if draft.credential is not None:
        name = draft.credential.name
        lines.append(f"Credential: {name} ({draft.credential.words})")
    if draft.model is not None:
        lines.append(f"Default model: {draft.model}")
    lines += [f"{name.capitalize()}: {bot}" for name, bot in draft.bots.items()]
    lines += [f"Owner: {owner}" for owner in draft.owners]
    lines += kept.service
    return [*lines, "", "Next:", *(f"  {command:<27}{about}" for command, about in _next(draft, kept))]


def _next(draft: "Draft", kept: "Kept") -> list[tuple[str, str]]:
    """Commands, and what they are for."""
    from bot.onboard.channels import CHANNELS, is_served

    steps = [("remoteclaw chat", "chat here")]
    if any(is_served(draft, channel) for channel in CHANNELS):
        if not kept.service:
            steps.append(("remoteclaw gateway", "serve the chat platforms"))
        else:
            steps.append(("remoteclaw service status", "see whether it runs"))
        if not (draft.owners or draft.desk.settings.access.owners):
            steps.append(("remoteclaw pairing", "let yourself in, once you have written to the bot"))
    return [*steps, ("remoteclaw doctor", "see whether everything is right")]


def _view(draft: "Draft", kept: "Kept") -> dict[str, Any]:
    credential = draft.credential
    return {
        "config_path": str(draft.desk.paths.config),
        "changed": [str(path) for path in kept.changed],
        "provider": credential.provider if credential is not None else None,
        "profile": credential.name if credential is not None else None,
        "model": draft.model,
        "bots": draft.bots,
        "owners": list(draft.owners),
        "service": bool(kept.service),
        "notes": list(dict.fromkeys(draft.notes)),
        "next": [command for command, _ in _next(draft, kept)],
    }
