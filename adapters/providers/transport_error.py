"""Errors of the way to a provider, translated once. Nothing of the foreign error is kept: its frames hold the headers."""

import os
import ssl
from collections.abc import Iterator

import aiohttp
import httpx

from core.errors import Failure, FailureReason, ProviderError

TRANSPORT_ERRORS = (httpx.HTTPError, httpx.StreamError, httpx.InvalidURL, aiohttp.ClientError, OSError, ValueError)
"""All that httpx and the aiohttp transport raise for a call, the latter's own unmapped errors included."""


def transport_error(error: BaseException, place: str) -> ProviderError:
    """The classified error. Judged by the innermost cause, because the transport calls a lost connection a time-out."""
    chain = tuple(_causes(error))
    if any(isinstance(e, ssl.SSLError | ssl.CertificateError | aiohttp.ClientSSLError) for e in chain):
        return _failed(FailureReason.NETWORK, f"No secure connection to {place}: its certificate was not accepted.")
    if any(isinstance(e, aiohttp.ClientConnectorDNSError) for e in chain):
        return _failed(FailureReason.NETWORK, f"The host of {place} was not found.")
    if any(isinstance(e, TimeoutError | aiohttp.ServerTimeoutError) for e in chain):
        return _failed(FailureReason.TIMEOUT, f"No connection to {place} in time.")
    if any(isinstance(e, aiohttp.ClientConnectorError | httpx.ConnectError) for e in chain):
        why = next((os.strerror(e.errno) for e in chain if isinstance(e, OSError) and e.errno and e.errno > 0), "")
        return _failed(FailureReason.NETWORK, f"No connection to {place}" + (f" ({why})." if why else "."))
    if any(isinstance(e, httpx.TimeoutException) for e in chain[-1:]):
        return _failed(FailureReason.TIMEOUT, f"{place} took too long.")
    if any(isinstance(e, httpx.TransportError | aiohttp.ClientError | OSError) for e in chain):
        return _failed(FailureReason.NETWORK, f"{place} broke the connection off.")
    return _failed(
        FailureReason.FORMAT, f"The call to {place} cannot be sent as it is configured. Check base_url and headers."
    )


def too_slow(what: str, seconds: float, place: str) -> ProviderError:
    """`what` (an answer, the next piece) did not come in time."""
    return _failed(FailureReason.TIMEOUT, f"{place} sent {what} within {seconds:g} s.")


def _failed(reason: FailureReason, detail: str) -> ProviderError:
    return ProviderError(Failure(reason=reason, detail=detail))


def _causes(error: BaseException) -> Iterator[BaseException]:
    seen: set[int] = set()
    current: BaseException | None = error
    while current is not None and id(current) not in seen:
        seen.add(id(current))
        yield current
        current = current.__cause__
