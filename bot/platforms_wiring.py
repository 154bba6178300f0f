"""The chat platforms that a config enables, with their tokens."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from bot.config.checks import unusable_webhook_secret
from bot.log import redact_known
from bot.secret_values import revealed
from core.auth.refs import SecretSource
from core.auth.secret import Secret, SecretRef
from core.clock import Clock
from core.errors import ConfigError
from core.resolution.rules import Rules
from core.sessions.key import DEFAULT_AGENT

if TYPE_CHECKING:
    from adapters.telegram.webhook_http import Hook
    from bot.config.settings import Settings, Webhook
    from bot.served import ServedPlatform
    from core.gateway import Gateway
    from core.ports import Inbox


def enabled_platforms(
    settings: "Settings",
    sources: Mapping[str, SecretSource],
    rules: Rules,
    inbox: "Inbox",
    gateway: "Gateway",
    clock: Clock,
) -> list["ServedPlatform"]:
    """The enabled chat platforms. Raises ConfigError for one that is enabled and cannot be run."""
    from core.commands.registry import COMMANDS

    menu = tuple((command.name, command.summary) for command in COMMANDS if not command.hidden)
    common: dict[str, Any] = {
        "agent": DEFAULT_AGENT,
        "dm_scope": rules.dm_scope,
        "inbox": inbox,
        "clock": clock,
        "commands": menu,
    }
    platforms: list[ServedPlatform] = []
    telegram, discord = settings.channels.telegram, settings.channels.discord
    if telegram is not None and telegram.enabled:
        from adapters.telegram.client import TelegramPlatform

        token = _secret(telegram.token, "channels.telegram.token", sources)
        hook = _hook(telegram.webhook, sources) if telegram.mode == "webhook" and telegram.webhook else None
        platforms.append(TelegramPlatform(token, api_base_url=telegram.api_base_url, webhook=hook, **common))
    if discord is not None and discord.enabled:
        from adapters.discord.client import DiscordPlatform

        token = _secret(discord.token, "channels.discord.token", sources)
        platforms.append(
            DiscordPlatform(
                token,
                api_base_url=discord.api_base_url,
                gateway_url=discord.gateway_url,
                suggest=gateway.suggest,
                arguments={c.name: c.argument for c in COMMANDS if c.argument and not c.hidden},
                may_answer=gateway.may_command,
                **common,
            )
        )
    return platforms


def _hook(webhook: "Webhook", sources: Mapping[str, SecretSource]) -> "Hook":
    from adapters.telegram.webhook_http import Hook

    path = "channels.telegram.webhook.secret_token"
    secret = _secret(webhook.secret_token, path, sources)
    reason = unusable_webhook_secret(secret)
    if reason is not None:
        raise ConfigError(path, f"{reason}.", "Change what its reference leads to.")
    return Hook(url=webhook.url, listen=webhook.listen, port=webhook.port, secret=secret, known=redact_known)


def _secret(value: Secret | SecretRef | None, path: str, sources: Mapping[str, SecretSource]) -> Secret:
    secret = revealed(value, path, sources) if value is not None else None
    if not secret:
        raise ConfigError(path, "is missing.", "Set it, or set enabled = false.")
    return secret
