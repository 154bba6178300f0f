"""What one setting demands of another."""

from collections.abc import Iterator

from bot.config.problems import Problem, dotted
from bot.config.settings import Settings
from core.auth.provider_names import provider_id
from core.models.ref import ModelRef


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
    if telegram.webhook is not None and telegram.webhook.secret_token is None:
        yield Problem("channels.telegram.webhook.secret_token", "is missing: it proves that Telegram is the caller")


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
