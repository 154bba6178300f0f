"""Calls to authorisation servers: each to the origin of its own URL and nowhere else, small answers, little time.

No redirects, proxies, cookies or certificates of the environment, as for providers. Errors are translated here once; the foreign
one is not kept, for its frames hold the tokens.
"""

import asyncio
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import urlencode, urlsplit

import httpx

from core.errors import Failure, FailureReason, ProviderError

SECONDS = 30.0
"""How long one call may take altogether."""
_CONNECT_SECONDS = 10.0
_LARGEST = 256 * 1024


@dataclass(frozen=True, slots=True)
class Answer:
    """What a server said: its status and the fields of its JSON object, empty where there is none."""

    status: int
    fields: Mapping[str, object] = field(repr=False)

    @property
    def is_ok(self) -> bool:
        """Whether the server did what it was asked for. Some servers refuse with 200 and an `error`."""
        return self.status == 200 and bool(self.fields) and not self.fields.get("error")


class OAuthHttp:
    """Opens a connection for each call: they are minutes apart."""

    def __init__(self, seconds: float = SECONDS) -> None:
        self._seconds = seconds

    async def post(self, url: str, form: Mapping[str, str], headers: Mapping[str, str]) -> Answer:
        """A form to a server. Raises ProviderError, network or timeout, where it gives no answer that can be read."""
        sent = {"content-type": "application/x-www-form-urlencoded", **headers}
        return await self._call("POST", url, sent, urlencode(form).encode())

    async def get(self, url: str, headers: Mapping[str, str]) -> Answer:
        """The same without a form."""
        return await self._call("GET", url, headers, b"")

    async def _call(self, method: str, url: str, headers: Mapping[str, str], body: bytes) -> Answer:
        place = origin(url)
        failure: Failure
        try:
            async with asyncio.timeout(self._seconds):
                status, raw = await self._exchange(method, url, headers, body)
            return _read(status, raw, place)
        except ProviderError as error:
            failure = error.failure
        except (TimeoutError, httpx.TimeoutException):
            failure = Failure(reason=FailureReason.TIMEOUT, detail=f"{place} gave no answer in time.")
        except httpx.ConnectError:
            failure = Failure(reason=FailureReason.NETWORK, detail=f"No connection to {place}.")
        except (httpx.HTTPError, httpx.StreamError, httpx.InvalidURL, OSError, ValueError):
            failure = Failure(reason=FailureReason.NETWORK, detail=f"{place} broke the connection off.")
        raise ProviderError(failure)

    async def _exchange(self, method: str, url: str, headers: Mapping[str, str], body: bytes) -> tuple[int, bytes]:
        limits = httpx.Timeout(self._seconds, connect=min(_CONNECT_SECONDS, self._seconds))
        # Without TLS (this machine alone) there is nothing to verify, and reading every certificate takes its time.
        tls = httpx.create_ssl_context(trust_env=False) if url.startswith("https:") else False
        own = {"user-agent": "remoteclaw", "accept": "application/json", "accept-encoding": "identity"}
        async with (
            httpx.AsyncClient(trust_env=False, follow_redirects=False, timeout=limits, verify=tls) as client,
            client.stream(method, url, headers={**own, **headers}, content=body) as response,
        ):
            raw = bytearray()
            async for chunk in response.aiter_raw():
                raw += chunk
                if len(raw) > _LARGEST:
                    raise _odd(f"{origin(url)} sent more than an answer can be.")
            return response.status_code, bytes(raw)


def origin(url: str) -> str:
    """A server as errors name it: scheme, host and port, nothing that could be confidential."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}"


def _read(status: int, raw: bytes, place: str) -> Answer:
    if 300 <= status < 400:
        raise _odd(f"{place} redirects elsewhere, and nothing confidential is sent after it.")
    try:
        fields = json.loads(raw) if raw.strip() else {}
    except (ValueError, RecursionError):
        fields = None
    if isinstance(fields, dict):
        return Answer(status, fields)
    if status >= 400:
        return Answer(status, {})
    raise _odd(f"{place} answered with something that is not JSON.")


def _odd(detail: str) -> ProviderError:
    return ProviderError(Failure(reason=FailureReason.NETWORK, detail=detail))
