"""`remoteclaw onboard`: from nothing to a working chat in a few questions, or by flags where nobody is there to answer.

Nothing is written before everything is answered and checked. A secret comes from a prompt without echo or from standard input,
never from an argument.
"""

import argparse

from bot.cli import exit_codes
from bot.cli.output import complain, say, say_json
from core.errors import UserError

_SECRETS = ("--api-key", "--token", "--key", "--secret", "--telegram-token", "--discord-token")
"""Where somebody may try to write the secret itself."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Every answer as a flag."""
    from bot.onboard.wish import APIS, AUTHS

    parser.add_argument("--non-interactive", action="store_true", help="ask nothing: the flags say everything")
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.add_argument(
        "--agent", metavar="ID", help="whose credential and model they are (default: main, for all agents)"
    )
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

    try:
        wish = read_wish(args)
        draft = open_draft(args.agent)
        collect(draft, wish)
    except UserError as error:
        complain(str(error))
        return exit_codes.USAGE
    from bot.cli.onboard_report import lines, view
    from bot.onboard.finishing import finish

    done = finish(draft)
    if args.json:
        say_json(view(draft, done))
    else:
        for line in lines(draft, done):
            say(line)
    for note in dict.fromkeys(draft.notes):
        complain(f"Note: {note}")
    if done.trouble is not None:
        raise done.trouble
    return exit_codes.OK
