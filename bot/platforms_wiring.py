"""The chat platforms that a config enables, with their tokens."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from bot.secret_values import revealed
from core.auth.refs import SecretSource
from core.auth.secret import Secret, SecretRef
from core.clock import Clock
from core.errors import ConfigError
from core.resolution.rules import Rules
from core.sessions.key import DEFAULT_AGENT

if TYPE_CHECKING:
    from bot.config.settings import Settings
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

        if telegram.mode != "polling":
            raise ConfigError("channels.telegram.mode", "webhooks are not served.", 'Set mode = "polling".')
        token = _token(telegram.token, "channels.telegram.token", sources)
        platforms.append(TelegramPlatform(token, api_base_url=telegram.api_base_url, **common))
    if discord is not None and discord.enabled:
        from adapters.discord.client import DiscordPlatform

        token = _token(discord.token, "channels.discord.token", sources)
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


def _token(value: Secret | SecretRef | None, path: str, sources: Mapping[str, SecretSource]) -> Secret:
    secret = revealed(value, path, sources) if value is not None else None
    if not secret:
        raise ConfigError(path, "is missing.", "Set it, or set enabled = false.")
    return secret
