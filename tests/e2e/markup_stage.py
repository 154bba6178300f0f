"""One gateway on both platforms whose every name is hostile."""

import json

from tests.e2e.hostile import NAMES, UNPRINTABLE
from tests.e2e.installation import Gateway, Installation
from tests.fakes.discord_server import DiscordServer
from tests.fakes.provider_server import ThreadedProviderServer
from tests.fakes.telegram_server import TelegramServer

KEY = "sk-acme-key-of-{}"


class MarkupStage:
    """Ada owns it and Bob is allowed, in both places; their names are hostile too."""

    def __init__(
        self, house: Installation, telegram: TelegramServer, discord: DiscordServer, provider: ThreadedProviderServer
    ) -> None:
        self.house, self.telegram, self.discord, self.provider = house, telegram, discord, provider
        self.ada = telegram.person(1001, UNPRINTABLE[3])
        self.bob = telegram.person(1002, NAMES[3])
        self.stranger = telegram.person(1003, NAMES[9])
        self.alice = discord.user(NAMES[10])
        self.bert = discord.user(UNPRINTABLE[1])
        self.guest = discord.user(NAMES[15])
        self.guild = discord.guild(NAMES[11])
        self.channel = discord.channel(self.guild, NAMES[0])
        self.private = telegram.private(self.ada)
        self.group = telegram.group(NAMES[9])
        self.profiles = {f"acme:{name}": KEY.format(f"{n:04}") for n, name in enumerate(NAMES)}
        house.keep(self.profiles)
        (house.state / "config.toml").write_text("\n".join(self._config()))

    def _config(self) -> list[str]:
        models = ", ".join(f"{{ id = {_toml(name)} }}" for name in NAMES)
        labels = [
            line
            for name, label in zip(self.profiles, reversed(NAMES), strict=True)
            for line in (f"[auth.profiles.{_toml(name)}]", 'provider = "acme"', f"label = {_toml(label)}")
        ]
        return [
            "[models.providers.acme]",
            f'base_url = "{self.provider.base_url}/v1"',
            'api = "openai-completions"',
            f'models = ["small", {{ id = "a__b__c", alias = "x__y__z" }}, {models}]',
            "[agents.defaults]",
            'model = "acme/small"',
            "[channels.telegram]",
            f'token = "{self.telegram.token}"',
            f'api_base_url = "{self.telegram.url}"',
            "[channels.discord]",
            f'token = "{self.discord.token}"',
            f'api_base_url = "{self.discord.api_base_url}"',
            f'gateway_url = "{self.discord.gateway_url}"',
            "[access]",
            f'owners = ["telegram:{self.ada.id}", "discord:{self.alice.id}"]',
            f'allow = ["telegram:{self.bob.id}", "discord:{self.bert.id}"]',
            *labels,
        ]

    def gateway(self) -> Gateway:
        """A gateway that listens on both."""
        gateway = Gateway(self.house)
        gateway.says("telegram (default): connected")
        gateway.says("discord (default): connected")
        return gateway


def _toml(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)
