"""What the flags of `remoteclaw onboard` say. A secret is in none of them: they say where it comes from."""

import argparse
import re
from dataclasses import dataclass, field

from bot.onboard.secret_lines import read_secrets
from core.auth.refs import read_ref
from core.auth.secret import Secret, SecretRef
from core.errors import UserError

AUTHS = ("api-key", "token", "env", "ref", "login", "claude-cli", "none")
"""The ways to prove who one is at a provider."""
APIS = ("openai-completions", "openai-responses", "anthropic-messages", "google-generative-ai")
_VARIABLE = re.compile(r"[A-Z][A-Z0-9_]{0,127}")


@dataclass(frozen=True, slots=True, kw_only=True)
class ChannelWish:
    """One chat platform. `token` came from standard input; `variable` is the one that holds it."""

    token: Secret | None = None
    variable: str | None = None
    api_url: str | None = None

    @property
    def is_made(self) -> bool:
        """Whether a flag says anything of it."""
        return any(part is not None for part in (self.token, self.variable, self.api_url))


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """Every answer that was given by a flag. `asks`: what is missing is asked for. `auth` is one of `AUTHS`."""

    asks: bool
    provider: str | None = None
    auth: str | None = None
    secret: Secret | None = None
    variable: str | None = None
    ref: SecretRef | None = None
    profile: str | None = None
    base_url: str | None = None
    api: str | None = None
    model: str | None = None
    channels: dict[str, ChannelWish] = field(default_factory=dict)
    owners: tuple[str, ...] = ()
    service: bool | None = None
    checks: bool = True

    @property
    def is_about_models(self) -> bool:
        """Whether a flag says anything of provider, credential or model."""
        said = (self.provider, self.auth, self.base_url, self.api, self.model, self.profile)
        return any(part is not None for part in said)

    @property
    def is_made(self) -> bool:
        """Whether any flag says what is to be."""
        channels = any(channel.is_made for channel in self.channels.values())
        return self.is_about_models or channels or bool(self.owners) or self.service is not None


def read_wish(args: argparse.Namespace) -> Wish:
    """The flags as one wish. Raises UserError for what contradicts itself or cannot be, without repeating what may be a secret,
    and BotError for a standard input that lacks a line."""
    from bot.cli.models_auth import profile_named, provider_named

    provider = provider_named(args.provider) if args.provider is not None else None
    profile = profile_named(args.profile_id) if args.profile_id is not None else None
    auth = _auth(args)
    if (args.base_url is not None or args.api is not None) and provider is None:
        raise UserError("usage", "--base-url and --api need --provider: the name that this provider is to have.")
    for channel in ("telegram", "discord"):
        if getattr(args, f"{channel}_token_stdin") and getattr(args, f"{channel}_token_env") is not None:
            raise UserError("usage", f"--{channel}-token-stdin and --{channel}-token-env exclude each other.")
    variable, ref = _variable(args.env, "--env"), _reference(args.ref)
    tokens_of = {name: _variable(getattr(args, f"{name}_token_env"), f"--{name}-token-env") for name in _CHANNELS}
    owners = tuple(dict.fromkeys(_owner(text) for text in args.owner))
    for flag in ("base_url", "model", "telegram_api_url", "discord_api_url"):
        _refuse_secret(getattr(args, flag), f"--{flag.replace('_', '-')}")
    given = read_secrets(args)
    return Wish(
        asks=not args.non_interactive,
        provider=provider,
        auth=auth,
        secret=given.get("api_key_stdin") or given.get("token_stdin"),
        variable=variable,
        ref=ref,
        profile=profile,
        base_url=args.base_url,
        api=args.api,
        model=args.model,
        channels={
            name: ChannelWish(
                token=given.get(f"{name}_token_stdin"),
                variable=tokens_of[name],
                api_url=getattr(args, f"{name}_api_url"),
            )
            for name in _CHANNELS
        },
        owners=owners,
        service=args.service,
        checks=not args.skip_checks,
    )


_CHANNELS = ("telegram", "discord")


def _auth(args: argparse.Namespace) -> str | None:
    """What `--auth` says, or what the other flags can only mean."""
    meant = {"api-key": args.api_key_stdin, "token": args.token_stdin, "env": args.env, "ref": args.ref}
    said = [name for name, value in meant.items() if value]
    if len(said) > 1 or (said and args.auth not in (None, said[0])):
        raise UserError(
            "usage", "--auth, --api-key-stdin, --token-stdin, --env and --ref do not agree on one credential."
        )
    auth: str | None = args.auth or (said[0] if said else None)
    if auth == "ref" and not args.ref:
        raise UserError("usage", "--auth ref needs --ref SOURCE:PROVIDER:ID.")
    if args.non_interactive and auth in ("api-key", "token") and not said:
        raise UserError("usage", f"--auth {auth} needs --{auth}-stdin where nobody can be asked.")
    if args.non_interactive and auth == "login":
        raise UserError(
            "usage",
            "--auth login needs somebody to log in.",
            "Run `remoteclaw models auth login` first; then the stored login is used.",
        )
    if auth is not None and auth not in ("claude-cli", "login") and args.provider is None and args.non_interactive:
        raise UserError("usage", f"--auth {auth} needs --provider.")
    return auth


def _refuse_secret(text: str | None, flag: str) -> None:
    """What is written into the config and printed."""
    from bot.log import redact

    if text is not None and redact(text) != text:
        raise UserError("usage", f"{flag} looks like a secret, so it is not taken.", "If it is one, revoke it.")


def _variable(text: str | None, flag: str) -> str | None:
    if text is not None and not _VARIABLE.fullmatch(text):
        raise UserError("usage", f"{flag} takes the name of a variable: A to Z, digits and _.")
    return text


def _reference(text: str | None) -> SecretRef | None:
    if text is None:
        return None
    source, _, rest = text.partition(":")
    provider, colon, name = rest.partition(":")
    try:
        return read_ref({"source": source, "provider": provider, "id": name if colon else None})
    except ValueError as error:
        raise UserError(
            "usage", f"--ref: {error}.", "Write it as SOURCE:PROVIDER:ID, such as env:default:KEY."
        ) from None


def _owner(text: str) -> str:
    platform, _, number = text.partition(":")
    if platform not in _CHANNELS or not (number.isascii() and number.isdigit() and 0 < int(number[:25]) < 2**63):
        raise UserError(
            "usage", "--owner takes platform:id with the numeric id, such as telegram:1001 or discord:2002."
        )
    return f"{platform}:{int(number)}"
