"""What the process tells discord.py once: where Discord is, what to listen for, what not to log; and what its refusals mean."""

import logging

import aiohttp
import discord
import yarl
from discord.gateway import DiscordWebSocket
from discord.http import HTTPClient, Route

from adapters.discord.pacing import Pace
from core.errors import BotError, ConfigError

DEFAULT_API = "https://discord.com/api/v10"
PORTAL = "https://discord.com/developers/applications"
NO_MENTIONS = {"parse": [], "replied_user": False}
"""The wire's `allowed_mentions` of everything we send: nobody can be pinged, whatever the text says."""

_BAD_TOKEN, _MISSING_INTENT = 4004, 4014


def point_at(api_base_url: str, gateway_url: str) -> None:
    """Set the REST base and, if given, the gateway. Both are discord.py's class attributes: one pair for the process."""
    Route.BASE = (api_base_url or DEFAULT_API).rstrip("/")
    if gateway_url:
        DiscordWebSocket.DEFAULT_GATEWAY = yarl.URL(gateway_url)


def keep_quiet() -> None:
    """Keep discord.py at INFO unless somebody chose its level: at DEBUG it writes whole events, people's messages and
    interaction tokens included. Its warnings that voice is missing are of no use to anybody here, nor is a traceback for every
    try to connect: that the connection is lost is said once."""
    discord.VoiceClient.warn_nacl = False
    discord.VoiceClient.warn_dave = False
    library = logging.getLogger("discord")
    if library.level == logging.NOTSET:
        library.setLevel(logging.INFO)
    logging.getLogger("discord.client").addFilter(_is_no_retry)


def _is_no_retry(record: logging.LogRecord) -> bool:
    return not str(record.msg).startswith("Attempting a reconnect")


def paced(http: HTTPClient, pace: Pace) -> None:
    """Let every gateway connection of this client wait for its turn. discord.py connects anew without a pause whenever a websocket
    that was opened is closed, so that one which is closed at once is opened a thousand times a second."""
    connect = http.ws_connect

    async def in_turn(url: str, *, compress: int = 0) -> aiohttp.ClientWebSocketResponse:
        await pace.keep()
        return await connect(url, compress=compress)

    http.ws_connect = in_turn  # type: ignore[method-assign]


def intents() -> discord.Intents:
    """Guilds, messages in guilds and private chats, and their content (the one that has to be switched on in the portal)."""
    wanted = discord.Intents.none()
    wanted.guilds = True
    wanted.guild_messages = True
    wanted.dm_messages = True
    wanted.message_content = True
    return wanted


def no_token() -> ConfigError:
    """The text cannot be a token; Discord was not asked."""
    return ConfigError(
        "channels.discord.token",
        "This is not a bot token (letters, digits, dots, dashes and underscores).",
        f"Copy it again, or make a new one at {PORTAL} (the application, Bot, Reset Token), and put it there.",
    )


def bad_token() -> ConfigError:
    """Discord does not know the token."""
    return ConfigError(
        "channels.discord.token",
        "Discord refused the bot token.",
        f"Make a new one at {PORTAL} (the application, Bot, Reset Token) and put it there.",
    )


def missing_intent() -> ConfigError:
    """The application may not read messages."""
    return ConfigError(
        "channels.discord",
        "Discord does not let this bot read messages.",
        f"Turn on Message Content Intent at {PORTAL} (the application, Bot, Privileged Gateway Intents), then start again.",
    )


def fatal(error: BaseException) -> BotError | None:
    """The error of ours for a refusal that no retry can mend, or None for one that passes."""
    if isinstance(error, discord.LoginFailure) or (isinstance(error, discord.HTTPException) and error.status == 401):
        return bad_token()
    if isinstance(error, discord.PrivilegedIntentsRequired):
        return missing_intent()
    if isinstance(error, discord.ConnectionClosed):
        if error.code == _BAD_TOKEN:
            return bad_token()
        if error.code == _MISSING_INTENT:
            return missing_intent()
        return BotError("discord_closed", f"Discord closed the gateway connection for good (code {error.code}).")
    return None
