"""What one setting demands of another."""

import ipaddress
import re
from collections.abc import Iterator
from urllib.parse import urlsplit

from bot.config.problems import Problem, dotted
from bot.config.settings import Settings, Webhook
from core.auth.provider_names import provider_id
from core.auth.secret import Secret
from core.models.ref import ModelRef

_WEBHOOK_SECRET = re.compile(r"[A-Za-z0-9_-]{1,256}")


def check(settings: Settings) -> Iterator[Problem]:
    """Every contradiction between settings that are each right by themselves."""
    yield from _channels(settings)
    for name, provider in settings.models.providers.items():
        if provider.auth == "none" and provider.api_key is not None:
            yield Problem(dotted(("models", "providers", name, "api_key")), 'must not be set where auth = "none"')
    yield from _aliases(settings)


def _channels(settings: Settings) -> Iterator[Problem]:
    telegram, discord = settings.channels.telegram, settings.channels.discord
    if discord is not None and discord.enabled and discord.token is None:
        yield Problem("channels.discord.token", "is missing (or set enabled = false)")
    if telegram is None or not telegram.enabled:
        return
    if telegram.token is None:
        yield Problem("channels.telegram.token", "is missing (or set enabled = false)")
    if telegram.mode == "webhook" and telegram.webhook is None:
        yield Problem("channels.telegram.webhook", 'is missing, and mode is "webhook"')
    if telegram.webhook is not None:
        yield from _webhook(telegram.webhook)


def _webhook(webhook: Webhook) -> Iterator[Problem]:
    url, secret = urlsplit(webhook.url), webhook.secret_token
    if url.scheme != "https" and not _is_loopback(url.hostname or ""):
        yield Problem(
            "channels.telegram.webhook.url", "must begin with https:// (http:// only for a server on this machine)"
        )
    if secret is None:
        yield Problem("channels.telegram.webhook.secret_token", "is missing: it proves that Telegram is the caller")
    elif isinstance(secret, Secret) and (reason := unusable_webhook_secret(secret)):
        yield Problem("channels.telegram.webhook.secret_token", reason)


def unusable_webhook_secret(secret: Secret) -> str | None:
    """Why Telegram takes no such secret, as words that follow its name; None: it does."""
    if _WEBHOOK_SECRET.fullmatch(secret.reveal()):
        return None
    return "must be 1 to 256 letters (a to z), digits, _ and -: Telegram takes nothing else"


def _is_loopback(host: str) -> bool:
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _aliases(settings: Settings) -> Iterator[Problem]:
    taken: dict[str, tuple[ModelRef, str]] = {}
    for alias, ref, path in configured_aliases(settings):
        first, first_path = taken.setdefault(alias, (ref, path))
        if first != ref:
            yield Problem(path, f"this alias already means {first} (by {first_path})")


def configured_aliases(settings: Settings) -> Iterator[tuple[str, ModelRef, str]]:
    """(alias, model, path) of every alias in the config."""
    for name, provider in settings.models.providers.items():
        for n, model in enumerate(provider.models):
            if model.alias is not None:
                path = dotted(("models", "providers", name, "models", n, "alias"))
                yield model.alias, ModelRef(provider_id(name), model.id), path
    for text, notes in settings.agents.defaults.models.items():
        left, slash, right = text.partition("/")
        if notes.alias is not None and slash and right:
            path = dotted(("agents", "defaults", "models", text, "alias"))
            yield notes.alias, ModelRef(provider_id(left), right.strip()), path
