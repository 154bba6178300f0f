"""The way to the Bot API: one HTTP client that keeps the token to itself and says what a failure means.

The library above it never learns the token: it builds its URLs with PLACEHOLDER, and the true one is put in here, where the
request is made. So no `repr`, log line or traceback of the library can show it. httpx logs whole URLs at INFO and the library
what it sends at DEBUG, the webhook's secret included; their loggers get a filter that takes both out by value.

TelegramError (the library's)
  BadRequest, Forbidden, Conflict, InvalidToken   Telegram's own refusals, as the library names them
  Flooded        429: nothing was done, come back after `seconds`
  Unreachable    nothing was done: no connection, or Telegram is out of order (5xx). Safe to repeat
  Unconfirmed    the request went out and its answer was lost: it may have been carried out
"""

import json
import logging
import re
from typing import Any
from urllib.parse import quote

import httpx
from telegram.error import BadRequest, TelegramError
from telegram.request import HTTPXRequest, RequestData

from core.auth.secret import Secret
from core.errors import ConfigError

PLACEHOLDER = "hidden"
_TOKEN = re.compile(r"[A-Za-z0-9:_-]+")
_NOT_SENT = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout, httpx.ProxyError, httpx.UnsupportedProtocol)
_FLOOD_FALLBACK = 5.0
_LONGEST_REFUSAL = 65_536


class Flooded(TelegramError):
    """Telegram asks to wait `seconds` before the next request of this kind."""

    def __init__(self, seconds: float) -> None:
        super().__init__(f"Telegram asks to wait {seconds:g} s")
        self.seconds = seconds


class Unreachable(TelegramError):
    """The request was not carried out; the same one may be made again."""


class Unconfirmed(TelegramError):
    """The request went out, its answer did not come back. Repeat it only if doing it twice does no harm."""


class Endpoint:
    """Where the Bot API is and by which token. Raises ConfigError, naming the setting, for values that cannot be meant."""

    def __init__(self, api_base_url: str, token: Secret) -> None:
        base = api_base_url.rstrip("/")
        if not re.match(r"https?://[^/\s]+", base):
            raise ConfigError(
                "channels.telegram.api_base_url",
                f"{api_base_url!r} is no http(s) URL.",
                "Telegram's own is https://api.telegram.org.",
            )
        self.base_url = f"{base}/bot"
        self.base_file_url = f"{base}/file/bot"
        self.token = token
        self.hidden: tuple[Secret, ...] = ()
        """What no log line may show: all tokens that there were, and the secret of the webhook."""
        self.take(token)

    def take(self, token: Secret) -> None:
        """Go by this token from the next request on. Raises ConfigError for a text that cannot be one."""
        if not _TOKEN.fullmatch(token.reveal()):
            raise ConfigError(
                "channels.telegram.token",
                "This is not a bot token (digits, a colon, then letters and digits).",
                "Ask @BotFather for it: /mybots, the bot, API Token.",
            )
        self.token = token
        self.hide(token)

    def hide(self, secret: Secret) -> None:
        """Keep this out of the libraries' log lines too."""
        self.hidden = (*(known for known in self.hidden if known != secret), secret)

    @property
    def bot(self) -> str:
        """The number of the bot: what its token begins with, and stays when another one is made."""
        return self.token.reveal().partition(":")[0]

    def true_url(self, url: str) -> str:
        """The URL that the library built, with the token in the place of its placeholder."""
        for base in (self.base_url, self.base_file_url):
            if url.startswith(f"{base}{PLACEHOLDER}/"):
                return f"{base}{self.token.reveal()}{url.removeprefix(base + PLACEHOLDER)}"
        raise Unreachable("a URL that is not the Bot API's was asked for")


class SecretFilter(logging.Filter):
    """Takes the tokens and the webhook's secret out of the libraries' log lines. Levels are not enough: whoever debugs turns them
    up."""

    def __init__(self, endpoint: Endpoint) -> None:
        super().__init__()
        self._endpoint = endpoint

    def filter(self, record: logging.LogRecord) -> bool:
        """Let every record pass, its text without a secret."""
        text = record.getMessage()
        for secret in self._endpoint.hidden:
            if secret.reveal() in text:
                text = text.replace(secret.reveal(), "***")
                record.msg, record.args = text, ()
        return True


class Transport(HTTPXRequest):
    """The library's HTTP client with the token put in and the failures sorted. Timeouts are in seconds."""

    __slots__ = ("_endpoint",)

    def __init__(self, endpoint: Endpoint, *, connections: int, read_timeout: float) -> None:
        super().__init__(
            connection_pool_size=connections,
            read_timeout=read_timeout,
            write_timeout=20,
            connect_timeout=10,
            pool_timeout=30,
        )
        self._endpoint = endpoint

    async def do_request(
        self, url: str, method: str, request_data: RequestData | None = None, *args: Any, **kwargs: Any
    ) -> tuple[int, bytes]:
        """Make the request. Raises Flooded, Unreachable or Unconfirmed; every other answer is handed up as it came."""
        failure: TelegramError
        try:
            code, payload = await super().do_request(
                self._endpoint.true_url(url), method, request_data, *args, **kwargs
            )
        except Exception as error:
            failure = _transport_failure(error)
        else:
            verdict = _answer_failure(code, payload)
            if verdict is None:
                return code, payload
            failure = verdict
        # Raised outside the handler: httpx's exceptions carry the request with its URL, and must not hang on ours.
        raise failure

    async def download(self, path: str, limit: int) -> bytes:
        """A file by its path at the Bot API; what comes after `limit` bytes is left there. Redirects are not followed.

        Raises Flooded, Unreachable or Unconfirmed, and BadRequest for what Telegram will not give.
        """
        failure: TelegramError
        url = f"{self._endpoint.base_file_url}{PLACEHOLDER}/{quote(path)}"
        try:
            async with self._client.stream("GET", self._endpoint.true_url(url), follow_redirects=False) as answer:
                if answer.status_code == httpx.codes.OK:
                    return await _content(answer, limit)
                refused = await _content(answer, _LONGEST_REFUSAL)
        except Exception as error:
            failure = _transport_failure(error)
        else:
            code = answer.status_code
            failure = _answer_failure(code, refused) or BadRequest(f"it answers with status {code}")
        # Raised outside the handler, as above: the URL of a file holds the token.
        raise failure


async def _content(answer: httpx.Response, limit: int) -> bytes:
    """The body, with at most one piece more than the limit."""
    content = bytearray()
    async for piece in answer.aiter_bytes():
        content += piece
        if len(content) > limit:
            break
    return bytes(content)


def token_refused(error: TelegramError) -> ConfigError:
    """What the operator has to know when Telegram does not accept the token (any more). `error` is Telegram's sentence."""
    return ConfigError(
        "channels.telegram.token",
        f"Telegram does not accept this bot token ({error.message}); it was revoked or mistyped.",
        "Ask @BotFather for the present one (/mybots, the bot, API Token) and set it; a gateway that runs takes it over. "
        "With a server of your own, check channels.telegram.api_base_url too.",
    )


def quiet_libraries() -> None:
    """Keep the libraries' chatter out of the log: httpx's URLs, and message texts, which the bot library logs at DEBUG."""
    for name in ("httpx", "httpcore", "telegram"):
        logging.getLogger(name).setLevel(logging.WARNING)


def _transport_failure(error: Exception) -> TelegramError:
    if isinstance(error, (Unreachable, Unconfirmed)):
        return error
    cause = error if isinstance(error, httpx.HTTPError) else error.__cause__ or error
    name = type(cause).__name__
    if isinstance(cause, _NOT_SENT):
        return Unreachable(f"no connection to Telegram ({name})")
    return Unconfirmed(f"no answer from Telegram ({name})")


def _answer_failure(code: int, payload: bytes) -> TelegramError | None:
    if code == 429:
        return Flooded(_retry_after(payload))
    if code == 504:
        return Unconfirmed("Telegram's gateway timed out (504)")
    if code >= 500:
        return Unreachable(f"Telegram is out of order ({code})")
    if code < 300 and b'"result"' not in payload:
        return Unconfirmed("the answer is not one of the Bot API")
    return None


def _retry_after(payload: bytes) -> float:
    try:
        return max(0.0, float(json.loads(payload)["parameters"]["retry_after"]))
    except (ValueError, KeyError, TypeError):
        return _FLOOD_FALLBACK
