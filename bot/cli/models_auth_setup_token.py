"""`models auth setup-token`: the token that `claude setup-token` prints, put into the store by the person who made it."""

import argparse
from collections.abc import Callable
from datetime import timedelta

from bot.cli import exit_codes, prompts
from bot.cli.models_auth import Desk, profile_named, provider_named
from bot.cli.models_auth_add import ask_secret, free_name
from bot.cli.models_auth_paste import keep, refuse_foreign
from bot.cli.output import complain
from core.errors import UserError

_ONLY = "anthropic"
_VALID = timedelta(days=365)
"""As long as such a token is made for. It was made before it is stored, so it never ends later than that."""


def run(args: argparse.Namespace, open_desk: Callable[[str | None], Desk]) -> int:
    """Tell how to make one, then take it, unseen."""
    if not prompts.can_ask():
        complain(
            "`models auth setup-token` needs a terminal. "
            "In a script, pipe the token into `remoteclaw models auth paste-token --provider anthropic`."
        )
        return exit_codes.USAGE
    try:
        if provider_named(args.provider) != _ONLY:
            raise UserError(
                "usage", f"Only {_ONLY} has setup-tokens.", "For others: `remoteclaw models auth paste-token`."
            )
        name = profile_named(args.profile_id if args.profile_id is not None else f"{_ONLY}:manual")
    except UserError as error:
        complain(str(error))
        return exit_codes.USAGE
    desk = open_desk(args.agent)
    prompts.tell("Run `claude setup-token` in another terminal, log in there, and copy the token that it prints.")
    if not args.yes and not prompts.confirm("Is the token at hand?"):
        complain("Nothing was stored. Run `claude setup-token` first.")
        return exit_codes.FAILED
    if args.yes:
        refuse_foreign(desk, name, desk.stores.writer(desk.agent).own_provider(name), _ONLY)
    else:
        name = free_name(desk, _ONLY, name)
    secret = ask_secret(True, _ONLY)
    return keep(desk, name, _ONLY, "token", secret, _VALID, as_json=args.json)
