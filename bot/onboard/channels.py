"""The chat platforms: what people are asked for them, and what of them is there already or will be."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from bot.onboard.draft import Draft
from bot.secret_values import revealed
from core.auth.secret import Secret
from core.errors import BotError

if TYPE_CHECKING:
    from bot.config.settings import Discord, Settings, Telegram


@dataclass(frozen=True, slots=True)
class Channel:
    """A chat platform, as people are asked about it."""

    name: str
    title: str
    variable: str
    where: str


TELEGRAM = Channel(
    "telegram",
    "Telegram",
    "TELEGRAM_BOT_TOKEN",
    "Write /newbot to @BotFather in Telegram: it makes a bot and gives you its token.",
)
DISCORD = Channel(
    "discord",
    "Discord",
    "DISCORD_BOT_TOKEN",
    "Make an application at discord.com/developers/applications. Under Bot: switch on Message Content Intent, without which "
    "Discord lets it read nothing, and press Reset Token, which shows the token once.",
)
CHANNELS = (TELEGRAM, DISCORD)


def table(settings: "Settings", channel: Channel) -> "Telegram | Discord | None":
    """What a config says of a platform."""
    return settings.channels.telegram if channel is TELEGRAM else settings.channels.discord


def present(draft: Draft, channel: Channel) -> "Telegram | Discord | None":
    """What the config says of a platform that is switched on; None: it is not used."""
    found = table(draft.desk.settings, channel)
    return found if found is not None and found.enabled and found.token is not None else None


def is_served(draft: Draft, channel: Channel) -> bool:
    """Whether the platform will be used."""
    return channel.name in draft.plans or present(draft, channel) is not None


def needs_restart(draft: Draft) -> bool:
    """Whether a gateway that runs goes on without what was answered: it takes over settings and tokens, and neither platforms
    that it does not serve yet nor other addresses of theirs."""
    before, after = draft.desk.settings, draft.settings
    for channel in CHANNELS:
        was, will = present(draft, channel), table(after, channel)
        if (
            will is not None
            and will != table(before, channel)
            and (was is None or was.api_base_url != will.api_base_url)
        ):
            return True
    return False


def token_and_url(draft: Draft, channel: Channel) -> tuple[Secret, str]:
    """The token and the address that will be used. Raises ConfigError for a setting that cannot be, UnresolvedRef for a reference
    that gives nothing."""
    from bot import onboard_wiring as wiring

    settings = draft.settings
    found = table(settings, channel)
    if found is None or found.token is None:
        raise BotError("no_token", f"There is no token for {channel.title}.")
    sources = wiring.sources(settings, draft.desk.paths, draft.environment)
    return revealed(found.token, f"channels.{channel.name}.token", sources), found.api_base_url
