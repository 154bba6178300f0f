"""The one connection pool for all providers. A call goes to the origin of its own URL and nowhere else.

No redirects, no proxy, netrc or certificates from the environment, no cookies: nothing of one credential's calls reaches the
next. httpx over aiohttp, because it costs a third of the processor time (docs/decisions/0004-provider-http.md).
"""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from http.cookiejar import CookieJar, DefaultCookiePolicy

import aiohttp
import httpx
from httpx_aiohttp import AiohttpTransport

from adapters.providers.endpoint import origin
from adapters.providers.error_body import read_refusal, refusal
from adapters.providers.guarded_body import GuardedBody
from adapters.providers.inflate import ENCODINGS
from adapters.providers.transport_error import TRANSPORT_ERRORS, too_slow, transport_error
from core.chat.completion import Timeouts
from core.clock import Clock
from core.errors import Failure, FailureReason, ProviderError

LONGEST_ERROR_BODY = 64 * 1024
ERROR_BODY_SECONDS = 10.0
_KEEP_ALIVE_SECONDS = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """One request. Headers and body are kept out of the repr: the former hold the credential, the latter what people said."""

    url: httpx.URL
    headers: Mapping[str, str] = field(repr=False)
    body: bytes = field(repr=False)
    timeouts: Timeouts
    method: str = "POST"
    provider: str = ""
    """Its id: some words of a refusal mean something at one provider only."""


class HttpClient:
    """Opens calls. `transport` replaces the network in tests."""

    def __init__(self, clock: Clock, transport: httpx.AsyncBaseTransport | None = None) -> None:
        self._clock = clock
        self._transport = transport
        self._client: httpx.AsyncClient | None = None

    @asynccontextmanager
    async def open(self, call: Call) -> AsyncIterator[GuardedBody]:
        """The body of a successful answer. Leaving the block, by cancellation too, gives the connection back or closes it.

        Raises ProviderError for every refusal and for every trouble on the way.
        """
        place = origin(call.url)
        first_byte_at = asyncio.get_running_loop().time() + call.timeouts.first_byte.total_seconds()
        response = await self._send(call, place, first_byte_at)
        body = GuardedBody(response, place, first_byte_at, call.timeouts.silence.total_seconds())
        try:
            await self._check(response, body, call)
            yield body
        finally:
            await body.aclose()

    async def _send(self, call: Call, place: str, first_byte_at: float) -> httpx.Response:
        client = self._client = self._client or _client(self._transport)
        connect = call.timeouts.connect.total_seconds()
        limits = httpx.Timeout(None, connect=connect, pool=connect)
        try:
            async with asyncio.timeout_at(first_byte_at):
                request = client.build_request(
                    call.method, call.url, headers=dict(call.headers), content=call.body, timeout=limits
                )
                return await client.send(request, stream=True)
        except TimeoutError:
            failure = too_slow("no answer", call.timeouts.first_byte.total_seconds(), place)
        except TRANSPORT_ERRORS as error:
            failure = transport_error(error, place)
        raise failure

    async def _check(self, response: httpx.Response, body: GuardedBody, call: Call) -> None:
        status, place = response.status_code, origin(call.url)
        if 300 <= status < 400:
            raise _misconfigured(status, f"{place} redirects elsewhere, and a credential is not sent after it.")
        encoding = response.headers.get("content-encoding", "").lower() or "identity"
        is_readable = encoding in ("identity", *ENCODINGS)
        if status >= 400:
            body.end_within(ERROR_BODY_SECONDS)
            raw = b""
            with suppress(ProviderError):  # a refusal stands, whether or not its explanation arrives
                raw = await body.read(LONGEST_ERROR_BODY) if is_readable else b""
            headers = {name.lower(): value for name, value in response.headers.items()}
            raise refusal(status, headers, read_refusal(raw), self._clock.now(), place, call.provider)
        if not is_readable:
            raise _misconfigured(status, f"{place} sent a compressed answer ({encoding[:20]}) that was not asked for.")

    async def close(self) -> None:
        """Close every connection. A call after this opens a new pool."""
        client, self._client = self._client, None
        if client is not None:
            await client.aclose()


def _client(transport: httpx.AsyncBaseTransport | None) -> httpx.AsyncClient:
    return httpx.AsyncClient(
        transport=transport or _network(),
        trust_env=False,
        follow_redirects=False,
        cookies=CookieJar(policy=DefaultCookiePolicy(allowed_domains=())),
        headers={"user-agent": "remoteclaw", "accept-encoding": "identity"},
    )


def _network() -> AiohttpTransport:
    """Without a limit of its own: how many calls run at once is for the gateway to say, not for a queue of sockets."""
    tls = httpx.create_ssl_context(trust_env=False)

    def session() -> aiohttp.ClientSession:
        return aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(ssl=tls, limit=0, keepalive_timeout=_KEEP_ALIVE_SECONDS),
            cookie_jar=aiohttp.DummyCookieJar(),
            trust_env=False,
        )

    return AiohttpTransport(verify=tls, client=session)


def _misconfigured(status: int, detail: str) -> ProviderError:
    return ProviderError(Failure(reason=FailureReason.FORMAT, status=status, detail=f"{detail} Correct base_url."))
