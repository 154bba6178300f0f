"""The door that Telegram knocks at: an HTTP server for one address, which hands on what comes with the secret.

TLS is the business of a proxy before it. Strangers get a bare status, without a body, and no line in the log but the first.
"""

import asyncio
import errno
import hmac
import logging
import os
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from http import HTTPStatus
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

from core.auth.secret import Secret
from core.blotting import Redact, nothing_known
from core.errors import ConfigError

if TYPE_CHECKING:
    from aiohttp import web

_log = logging.getLogger(__name__)
_HEADER = "X-Telegram-Bot-Api-Secret-Token"
_LARGEST = 1024 * 1024
"""Bytes of one update. Telegram's are some kilobytes."""
BODY_SECONDS = 15.0
"""What an update may take to arrive, its head left out."""
IDLE_SECONDS = 75.0
"""What a connection may take for the head of its next request."""
_END_SECONDS = 2.0
"""What a stop leaves for updates that are being stored."""
_AGAIN_SECONDS = 5
"""When Telegram is to bring an update again that could not be taken."""
_NO_SUCH_PLACE = (errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT)

Take = Callable[[bytes], Awaitable[HTTPStatus]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Hook:
    """channels.telegram.webhook. `known` takes out of a text what is known to be confidential here."""

    url: str
    listen: str
    port: int
    secret: Secret
    known: Redact = nothing_known

    @property
    def host(self) -> str:
        """Where Telegram sends to, as messages name it."""
        return urlsplit(self.url).netloc


@asynccontextmanager
async def listening(
    hook: Hook, take: Take, *, body_seconds: float = BODY_SECONDS, idle_seconds: float = IDLE_SECONDS
) -> AsyncIterator[None]:
    """Hand every body that comes with the secret to `take`, whose status is the answer. Raises ConfigError where nothing can be
    listened on."""
    from aiohttp import web

    guard = _Guard(hook)

    async def answer(request: web.Request) -> web.Response:
        status = guard.refusal(request)
        if status is None:
            status, body = await _body(request, body_seconds)
            status = status or await take(body)
        response = web.Response(status=status)
        if status in (HTTPStatus.SERVICE_UNAVAILABLE, HTTPStatus.INTERNAL_SERVER_ERROR):
            response.headers["Retry-After"] = str(_AGAIN_SECONDS)
        elif status is not HTTPStatus.OK:
            response.force_close()
        return response

    async def without_a_name(request: web.Request, response: web.StreamResponse) -> None:
        response.headers.popall("Server", None)

    app = web.Application(client_max_size=_LARGEST)
    app.router.add_route("*", "/{path:.*}", answer)
    app.on_response_prepare.append(without_a_name)
    deaf = _log.getChild("connections")
    deaf.setLevel(logging.CRITICAL)
    runner = web.AppRunner(
        app,
        access_log=None,
        logger=deaf,
        keepalive_timeout=idle_seconds,
        lingering_time=1,
        auto_decompress=False,
        shutdown_timeout=_END_SECONDS,
    )
    await runner.setup()
    try:
        try:
            await web.TCPSite(runner, hook.listen, hook.port).start()
        except (OSError, UnicodeError) as error:
            raise _not_listening(hook, error) from error
        yield
    finally:
        await runner.cleanup()


class _Guard:
    """Tells Telegram from strangers, by the head of a request alone."""

    def __init__(self, hook: Hook) -> None:
        self._path = unquote(urlsplit(hook.url).path) or "/"
        self._secret = hook.secret.reveal().encode()
        self._has_refused = False

    def refusal(self, request: "web.Request") -> HTTPStatus | None:
        """Why the request is none of Telegram's."""
        if request.path != self._path or request.query_string:
            return HTTPStatus.NOT_FOUND
        if request.method != "POST":
            return HTTPStatus.METHOD_NOT_ALLOWED
        told = request.headers.getall(_HEADER, [])
        if len(told) == 1 and hmac.compare_digest(told[0].encode(errors="surrogateescape"), self._secret):
            return None
        if not self._has_refused:
            self._has_refused = True
            _log.warning(
                "Something came to the webhook of Telegram without its secret and was refused; this is said once. If no message "
                "arrives, look whether the proxy hands on the header %s.",
                _HEADER,
            )
        return HTTPStatus.FORBIDDEN


async def _body(request: "web.Request", seconds: float) -> tuple[HTTPStatus | None, bytes]:
    """What came, or why it was not waited for."""
    from aiohttp import web

    try:
        async with asyncio.timeout(seconds):
            return None, await request.read()
    except TimeoutError:
        return HTTPStatus.REQUEST_TIMEOUT, b""
    except web.HTTPRequestEntityTooLarge:
        return HTTPStatus.REQUEST_ENTITY_TOO_LARGE, b""


def _not_listening(hook: Hook, error: Exception) -> ConfigError:
    host = f"[{hook.listen}]" if ":" in hook.listen else hook.listen
    where = f"{host}:{hook.port} cannot be listened on"
    code = getattr(error, "errno", None) or 0
    # Of a name that is not known the code is none of the system's: it is negative.
    if code <= 0 or code in _NO_SUCH_PLACE:
        hint = "Write an address of this machine, such as 127.0.0.1."
        return ConfigError("channels.telegram.webhook.listen", f"{where}: this machine has no such address.", hint)
    reason = "it is taken" if code == errno.EADDRINUSE else os.strerror(code)
    return ConfigError("channels.telegram.webhook.port", f"{where} ({reason}).", "Choose a free port.")
