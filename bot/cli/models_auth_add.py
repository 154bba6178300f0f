"""`models auth add`: a credential, question by question. Nothing is stored before the last one is answered."""

import argparse
from collections.abc import Callable
from datetime import timedelta

from bot.cli import exit_codes, prompts
from bot.cli.models_auth import Desk, profile_named, provider_named
from bot.cli.models_auth_paste import checked, keep, learnt, refuse_foreign, span_named
from bot.cli.output import complain
from core.errors import BotError, UserError

_OTHER = ""
_KINDS = (("api_key", "API key"), ("token", "Token"))
_ANTHROPIC_KINDS = (("api_key", "API key"), ("token", "Setup-token, as `claude setup-token` prints it"))


def run(args: argparse.Namespace, open_desk: Callable[[str | None], Desk]) -> int:
    """Ask for what the flags do not say: provider, kind, id, end, and the secret."""
    if not prompts.can_ask():
        complain(
            "`models auth add` asks questions, so it needs a terminal. "
            "In a script, pipe the secret into `remoteclaw models auth paste-api-key --provider <provider>` or `paste-token`."
        )
        return exit_codes.USAGE
    try:
        given = provider_named(args.provider) if args.provider is not None else None
        name = profile_named(args.profile_id) if args.profile_id is not None else None
    except UserError as error:
        complain(str(error))
        return exit_codes.USAGE
    desk = open_desk(args.agent)
    provider = given or _provider(desk)
    kind = prompts.choose(f"What is it for {provider}?", _ANTHROPIC_KINDS if provider == "anthropic" else _KINDS)
    name = free_name(desk, provider, name or _name(desk, provider))
    span = _span() if kind == "token" else None
    secret = ask_secret(kind == "token", provider)
    return keep(desk, name, provider, kind, secret, span, as_json=args.json)


def free_name(desk: Desk, provider: str, name: str) -> str:
    """The id, or another one where it is taken and must not be replaced. Raises BotError for one of another provider."""
    while True:
        stored = desk.stores.writer(desk.agent).own_provider(name)
        refuse_foreign(desk, name, stored, provider)
        if stored is None:
            return name
        replace, other = ("replace", f"Replace the credential of {name}"), ("other", "Store it under another id")
        if prompts.choose(f"{name} is there already.", (replace, other)) == "replace":
            return name
        name = _name(desk, provider)


def ask_secret(is_token: bool, provider: str) -> str:
    """The secret, unseen and as it is stored. Raises BotError for what cannot be one."""
    what = "Token" if is_token else "API key"
    text = prompts.ask_secret(f"{what} of {provider} (it is not shown): ", lambda t: _problem(t, provider, is_token))
    learnt(text)
    return checked(text, provider, is_token)


def _provider(desk: Desk) -> str:
    configured = list(desk.settings.models.providers)
    names = [*configured, *sorted(desk.stores.providers.difference(configured))]
    found = prompts.choose("Whose credential is it?", [*((n, n) for n in names), (_OTHER, "another provider")])
    return found if found != _OTHER else provider_named(prompts.ask_line("The provider's id:", check=_no_provider))


def _name(desk: Desk, provider: str) -> str:
    def problem(text: str) -> str | None:
        try:
            refuse_foreign(
                desk, profile_named(text), desk.stores.writer(desk.agent).own_provider(text.strip()), provider
            )
        except BotError as error:
            return str(error).replace("--profile-id", "It", 1)
        return None

    return profile_named(prompts.ask_line("Its id:", f"{provider}:manual", problem))


def _span() -> timedelta | None:
    text = prompts.ask_line("How long is it valid? (nothing: it has no end)", "365d", _no_span)
    return span_named(text) if text else None


def _no_provider(text: str) -> str | None:
    try:
        provider_named(text)
    except UserError as error:
        return str(error).replace("--provider", "It", 1)
    return None


def _no_span(text: str) -> str | None:
    try:
        if text.strip():
            span_named(text)
    except UserError as error:
        return str(error)
    return None


def _problem(text: str, provider: str, is_token: bool) -> str | None:
    try:
        checked(text, provider, is_token)
    except BotError as error:
        return str(error)
    return None
