"""`models auth paste-api-key` and `paste-token`: a static credential into the store, and its name into the config."""

import argparse
import re
import sys
from collections.abc import Callable
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from bot.cli import exit_codes
from bot.cli.models_auth import Desk, foreign_profile, profile_named, provider_named
from bot.cli.output import complain, on_one_line, say, say_json
from core.auth.provider_names import credential_provider
from core.errors import BotError, UserError

if TYPE_CHECKING:
    from bot.config.edit import Plan, TreeChange
    from bot.config.settings import Settings

_LONGEST = 16 * 1024
_SETUP_TOKEN = "sk-ant-oat01-"
_SHORTEST_SETUP_TOKEN = 80
_MAKE_ONE = "`claude setup-token` makes one."
_OPENAI_KEY = re.compile(r"sk-(?:proj|svcacct|admin)-")
_OPENAI = ("openai", "openai-codex")


def run(args: argparse.Namespace, open_desk: Callable[[str | None], Desk]) -> int:
    """Checks everything that can be checked before it asks for the secret, and the secret before anything is stored."""
    is_token = args.auth_what == "paste-token"
    try:
        provider = provider_named(args.provider)
        name = profile_named(args.profile_id if args.profile_id is not None else f"{provider}:manual")
        span = span_named(args.expires_in) if is_token and args.expires_in is not None else None
    except UserError as error:
        complain(str(error))
        return exit_codes.USAGE
    desk = open_desk(args.agent)
    refuse_foreign(desk, name, desk.stores.writer(desk.agent).own_provider(name), provider)
    secret = checked(_read_secret("token" if is_token else "API key", provider), provider, is_token)
    return keep(desk, name, provider, "token" if is_token else "api_key", secret, span, as_json=args.json)


def keep(desk: Desk, name: str, provider: str, kind: str, secret: str, span: timedelta | None, *, as_json: bool) -> int:
    """Store a credential of kind `api_key` or `token`, name it in the config, and say so. `span`: how long it is valid from
    now on. Raises BotError."""
    entry: dict[str, Any] = {"type": kind, "provider": provider, "key" if kind == "api_key" else "token": secret}
    if span is not None:
        entry["expires"] = int((desk.stores.clock.now() + span).timestamp() * 1000)
    desk.stores.writer(desk.agent).put(name, entry)
    code = kept(desk, name, entry, as_json=as_json)
    desk.forget_refreshes(name)
    return code


def kept(desk: Desk, name: str, entry: dict[str, Any], *, as_json: bool) -> int:
    """Name a credential in the config that has just been stored with this entry, and say so. Raises BotError."""
    is_updated, settings = _into_config(desk, name, entry["provider"], entry["type"])
    _tell(as_json, desk, name, entry, is_updated)
    tell_left_out(desk, name, entry["provider"], settings)
    return exit_codes.OK


def span_named(text: str) -> timedelta:
    """How long `--expires-in` means; a bare number is in days. Raises UserError."""
    from core.durations import parse_duration

    compact = text.strip()
    try:
        return parse_duration(f"{compact}d" if re.fullmatch(r"\d+(\.\d+)?", compact) else compact)
    except ValueError:
        raise UserError("usage", f"invalid duration: {text[:40]!r}.", "Write it as 365d or 1h30m.") from None


def refuse_foreign(desk: Desk, name: str, stored: str | None, provider: str) -> None:
    """Raises BotError where the id belongs to another provider: in the store (`stored`), or in the config."""
    configured = desk.settings.auth.profiles.get(name)
    for owner in (stored, configured.provider if configured is not None else None):
        if owner and credential_provider(owner) != credential_provider(provider):
            raise foreign_profile(name, owner, provider)


def _read_secret(what: str, provider: str) -> str:
    """From a prompt without echo on a terminal, else all of standard input. Known to the redactor from here on."""
    if sys.stdin is None:
        text = ""
    elif sys.stdin.isatty():
        from bot.cli.prompts import ask_secret

        text = ask_secret(f"{what} of {provider} (it is not shown): ")
    else:
        try:
            text = sys.stdin.buffer.read(_LONGEST + 1).decode("utf-8-sig")
        except UnicodeDecodeError:
            raise BotError("secret", "What came from standard input is not UTF-8 text; nothing was stored.") from None
    learnt(text)
    return text


def learnt(text: str) -> None:
    """Hide what was given from now on, as it is and as it is stored."""
    from bot.log import learn_secrets
    from core.auth.secret import clean_secret

    learn_secrets([text, clean_secret(text), "".join(text.split())])


def checked(text: str, provider: str, is_token: bool) -> str:
    """The secret as it is stored. Raises BotError for what cannot be one, or one of the other kind; never shows it."""
    from core.auth.secret import clean_secret, unsendable

    what = "token" if is_token else "API key"
    if len(text) > _LONGEST:
        raise BotError("secret", f"That is longer than {_LONGEST // 1024} KiB and no {what}; nothing was stored.")
    if not text.strip():
        raise BotError("secret", f"No {what} was given; nothing was stored.", "Pipe it in, or paste it when asked.")
    if any(
        "\ud800" <= sign <= "\udfff" for sign in text
    ):  # bytes that are no text: what is left would not be the secret
        raise BotError("secret", f"The {what} is damaged; nothing was stored.", "Paste it again.")
    secret = clean_secret(text)
    if provider == "anthropic":
        secret = "".join(secret.split())
    if (reason := unsendable(secret)) is not None:
        raise BotError("secret", f"The {what} {reason}; nothing was stored.", "Paste it again.")
    if not is_token:
        if secret.startswith(_SETUP_TOKEN):
            raise BotError(
                "secret", "That is a setup-token and no API key.", "Use `remoteclaw models auth paste-token`."
            )
        return secret
    if _OPENAI_KEY.match(secret) or (provider in _OPENAI and secret.startswith("sk-")):
        raise BotError(
            "secret", "That is an OpenAI API key and no token.", "Use `remoteclaw models auth paste-api-key`."
        )
    if provider == "anthropic":
        if not secret.startswith(_SETUP_TOKEN):
            # Written in one word it would be taken for a key, and hidden.
            raise BotError("secret", 'Expected a setup-token, starting with "sk-ant-" and "oat01-".', _MAKE_ONE)
        if len(secret) < _SHORTEST_SETUP_TOKEN:
            raise BotError("secret", "Token looks too short; paste the full setup-token.")
    return secret


def _into_config(desk: Desk, name: str, provider: str, mode: str) -> "tuple[bool, Settings]":
    """Name the profile in the config; whether that differs now, and what it says."""
    return change_config(desk, naming(desk, name, provider, mode), "The credential is stored")


def naming(desk: Desk, name: str, provider: str, mode: str) -> "Plan":
    """How the config comes to name a profile. Naming the first one of a provider would take all others out of service, so where
    there are others in the stores and the config names none, it stays as it is.

    That is decided while nobody else can change the config, by what the stores hold then. Everybody stores first, so of several
    credentials that come at once either all are named or none.
    """
    from bot.config.edit import add_profile, no_change
    from core.auth.order import explicit_order

    def others() -> set[str]:
        return {known for agent in desk.agents for known in desk.of_provider(provider, agent)} - {name}

    def plan(settings: "Settings") -> "TreeChange":
        profiles = settings.auth.profiles.values()
        is_named = any(credential_provider(p.provider) == credential_provider(provider) for p in profiles)
        has_order = explicit_order(provider, settings.auth.order) is not None
        return add_profile(name, provider, mode) if is_named or has_order or not others() else no_change

    others()  # references are asked for at the first look, which may take longer than a lock should be held
    return plan


def change_config(desk: Desk, plan: "Plan", done: str) -> "tuple[bool, Settings]":
    """Change the config as `plan` decides by what it says once it is locked; whether anything differs, and what it says then.
    `done` is what has been done already, for the error."""
    from bot.config.edit import edited_as_planned, settings_of

    path, environ = desk.paths.config, desk.stores.source.environment
    said: list[Settings] = []

    def edit(content: bytes) -> bytes:
        result = edited_as_planned(content, plan, lambda _: (), environ, str(path))
        said.append(settings_of(result, environ, str(path)))
        return result

    try:
        is_updated = desk.stores.edit_file(path, edit)
    except BotError as error:
        raise BotError(
            error.code, f"{done}, but the configuration was not updated: {error.message}", error.hint
        ) from None
    return is_updated, said[-1]


def _tell(as_json: bool, desk: Desk, name: str, entry: dict[str, Any], is_updated: bool) -> None:
    from core.auth.eligibility import expiry_moment
    from core.durations import iso

    provider, kind = entry["provider"], entry["type"]
    expires = iso(expiry_moment(entry.get("expires")))
    store = desk.stores.writer(desk.agent).path
    if as_json:
        say_json({
            "agent": desk.agent, "agent_dir": str(store.parent), "auth_store_path": str(store), "profile": name,
            "provider": provider, "type": kind, "expires_at": expires,
            "config_path": str(desk.paths.config), "config_updated": is_updated,
        })  # fmt: skip
    else:
        if is_updated:
            say(f"Updated {desk.paths.config}")
        say(f"Auth profile: {name} ({provider}/{kind})" + (f", expires {expires}" if expires else ""))
    if provider not in desk.stores.providers:
        complain(f"Note: no provider {provider} is known. Configure it as [models.providers.{provider}].")


def tell_left_out(desk: Desk, name: str, provider: str, settings: "Settings") -> None:
    """Name what is stored for this agent and not tried: left out on purpose, or by a command that was cut off in the middle."""
    from bot.cli.models_auth_line import line_of
    from core.auth.order import explicit_order

    credentials = desk.credentials()
    base = line_of(provider, credentials, settings, desk.stores.clock.now()).base
    left_out = sorted((known for known in desk.of_provider(provider) if known not in base), key=lambda i: i != name)
    if not left_out:
        return
    names = ", ".join(map(on_one_line, left_out))
    so = "so it is not tried" if len(left_out) == 1 else "so they are not tried"
    if explicit_order(provider, credentials.order) is not None:
        see = f"See `remoteclaw models auth order get --provider {provider}`."
        complain(f"Note: the order of {provider} does not name {names}, {so}. {see}")
    elif explicit_order(provider, settings.auth.order) is not None:
        complain(f"Note: the order of {provider} does not name {names}, {so}. See auth.order in {desk.paths.config}.")
    else:
        complain(
            f"Note: {desk.paths.config} names other profiles of {provider} and not {names}, {so}. "
            "Store it again, or name it there in auth.profiles."
        )
