"""Telegram and Discord: the bot's token, whose it is, and where it is kept: in `.env`, which the config names a variable of."""

import re
import tomllib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from bot import doctor_wiring
from bot.cli import prompts
from bot.cli.models_auth_paste import learnt
from bot.config.edit_models import together
from bot.config.edit_value import set_value
from bot.config.substitution import variables
from bot.onboard.draft import Draft
from bot.onboard.wish import ChannelWish, Wish
from bot.secret_values import revealed
from core.auth.secret import Secret, clean_secret
from core.auth.variables import Origin
from core.errors import BotError

if TYPE_CHECKING:
    from bot.config.settings import Discord, Telegram

_SENDABLE = re.compile(r"[A-Za-z0-9._:+/=~-]{20,512}")
"""What a line of `.env` holds as it is. Both platforms make their tokens of fewer characters than these."""


@dataclass(frozen=True, slots=True)
class Channel:
    """A chat platform, as people are asked about it."""

    name: str
    title: str
    variable: str
    api_url: str
    where: str


TELEGRAM = Channel(
    "telegram",
    "Telegram",
    "TELEGRAM_BOT_TOKEN",
    "https://api.telegram.org",
    "Write /newbot to @BotFather in Telegram: it makes a bot and gives you its token.",
)
DISCORD = Channel(
    "discord",
    "Discord",
    "DISCORD_BOT_TOKEN",
    "https://discord.com/api/v10",
    "Make an application at discord.com/developers; under Bot: Reset Token, and switch on Message Content Intent.",
)
CHANNELS = (TELEGRAM, DISCORD)


def present(draft: Draft, channel: Channel) -> "Telegram | Discord | None":
    """What the config says of a platform that is switched on; None: it is not used."""
    channels = draft.desk.settings.channels
    found = channels.telegram if channel is TELEGRAM else channels.discord
    return found if found is not None and found.enabled and found.token is not None else None


def is_served(draft: Draft, channel: Channel) -> bool:
    """Whether the platform will be used."""
    return channel.name in draft.plans or present(draft, channel) is not None


def token_and_url(draft: Draft, channel: Channel) -> tuple[Secret, str]:
    """The token and the address that will be used. Raises ConfigError for a reference that gives nothing."""
    from bot import onboard_wiring as wiring

    settings = draft.settings
    found = settings.channels.telegram if channel is TELEGRAM else settings.channels.discord
    if found is None or found.token is None:
        raise BotError("no_token", f"There is no token for {channel.title}.")
    sources = wiring.sources(settings, draft.desk.paths, draft.environment)
    return revealed(found.token, f"channels.{channel.name}.token", sources), found.api_base_url


def choose_channel(draft: Draft, wish: Wish, channel: Channel) -> None:
    """The token of a platform, checked and in the draft. Raises BotError."""
    said = wish.channels[channel.name]
    while True:
        if said.token is None and said.variable is None and wish.asks:
            _ask_token(draft, channel, said.api_url)
        else:
            _take(draft, channel, said)
        trouble = _trouble(draft, channel) if wish.checks else None
        if trouble is None:
            return
        if not wish.asks:
            raise BotError("check", trouble, "Nothing was changed. --skip-checks stores it without asking.")
        prompts.tell(trouble)
        choices = (
            ("again", "give another token"),
            ("keep", "keep it all the same"),
            ("leave", f"leave {channel.title} out"),
        )
        what = prompts.choose("What now?", choices)
        if what == "keep":
            draft.notes.append(trouble)
            return
        draft.plan(channel.name, None)
        draft.variables.pop(_variable(draft, channel), None)
        if what == "leave":
            return
        said = ChannelWish(api_url=said.api_url)


def _ask_token(draft: Draft, channel: Channel, api_url: str | None) -> None:
    if draft.environment.trusted.get(channel.variable, "").strip():
        use = prompts.confirm(f"{channel.variable} is set. Shall its token be used?")
        if use:
            _take(draft, channel, ChannelWish(variable=channel.variable, api_url=api_url))
            return
    prompts.tell(channel.where)
    text = prompts.ask_secret(f"Token of the bot for {channel.title} (it is not shown): ", _no_token)
    learnt(text)
    _take(draft, channel, ChannelWish(token=Secret(clean_secret(text)), api_url=api_url))


def _no_token(text: str) -> str | None:
    return None if _SENDABLE.fullmatch(clean_secret(text)) else "That is no bot token: paste the whole of it."


def _take(draft: Draft, channel: Channel, said: ChannelWish) -> None:
    """Put a token into the draft: the variable that holds it into the config, and what was pasted into that variable."""
    place = ("channels", channel.name)
    changes = [set_value((*place, "enabled"), True)] if _is_off(draft, channel) else []
    if said.token is not None or said.variable is not None:
        variable = said.variable or _variable(draft, channel)
        if said.token is not None:
            text = said.token.reveal()
            if not _SENDABLE.fullmatch(text):
                raise BotError("secret", f"That is no bot token of {channel.title}.", "Paste the whole of it.")
            draft.variables[variable] = said.token
            _tell_covered(draft, variable, text)
        elif not draft.environment.trusted.get(variable, "").strip():
            raise BotError(
                "no_variable", f"The variable {variable} is not set here.", f"Write it into {draft.desk.paths.dotenv}."
            )
        elif draft.environment.trusted.origins[variable] is Origin.PROCESS:
            path = draft.desk.paths.dotenv
            draft.notes.append(f"{variable} is set in this shell. A service does not see that: put it into {path} too.")
        changes.append(set_value((*place, "token"), f"${{{variable}}}"))
    if said.api_url is not None:
        changes.append(set_value((*place, "api_base_url"), said.api_url))
    draft.plan(channel.name, (lambda _: together(changes)) if changes else None)


def _tell_covered(draft: Draft, variable: str, text: str) -> None:
    """A variable of the shell wins over the file."""
    set_here = draft.environment.process.get(variable)
    if set_here is not None and set_here != text:
        draft.notes.append(f"{variable} is set to something else in this shell, where that counts. Unset it.")


def _is_off(draft: Draft, channel: Channel) -> bool:
    channels = draft.desk.settings.channels
    found = channels.telegram if channel is TELEGRAM else channels.discord
    return found is not None and not found.enabled


def _variable(draft: Draft, channel: Channel) -> str:
    """The variable that the config names for the token already, else the usual one."""
    try:
        tree: Any = tomllib.loads(draft.desk.paths.config.read_text("utf-8-sig"))
        named = variables(tree["channels"][channel.name]["token"])
    except (OSError, ValueError, KeyError, TypeError):
        return channel.variable
    return next(iter(named), channel.variable) if len(named) == 1 else channel.variable


def _trouble(draft: Draft, channel: Channel) -> str | None:
    """Ask whose token it is. What is wrong, in a sentence; None: the bot has a name."""
    try:
        token, api_url = token_and_url(draft, channel)
        name = doctor_wiring.bot_of(channel.name, api_url, token).name
    except BotError as error:
        return str(error)
    draft.bots[channel.name] = name
    return None
