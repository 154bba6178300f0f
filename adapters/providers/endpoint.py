"""From a configured base URL to the URL of a call, and the origin that a credential is bound to."""

import httpx

from core.errors import Failure, FailureReason, ProviderError


def call_url(base_url: str, path: str, *, not_doubled: str = "") -> httpx.URL:
    """`base_url` + `path`, a query of the base kept. `not_doubled` (`/v1`) is left out of `path` where the base ends in it.

    Raises ProviderError (format) for what is not a plain http(s) address: the credential goes nowhere then.
    """
    try:
        url = httpx.URL(base_url.strip())
    except (httpx.InvalidURL, ValueError) as error:
        raise _wrong("is not a URL") from error
    if url.scheme not in ("http", "https") or not url.host:
        raise _wrong("is not an http or https address")
    if not 0 < (url.port or 1) < 65536:
        raise _wrong("has a port that does not exist")
    if url.userinfo:
        raise _wrong("holds a user name or password; a credential belongs into a profile")
    raw_path, mark, query = url.raw_path.partition(b"?")
    base = raw_path.rstrip(b"/")
    if not_doubled and base.endswith(not_doubled.encode()):
        path = path.removeprefix(not_doubled)
    return url.copy_with(raw_path=base + path.encode() + mark + query, fragment=None)


def origin(url: httpx.URL) -> str:
    """`scheme://host[:port]`: what a credential is bound to, and how a place is named in an error."""
    host = f"[{url.host}]" if ":" in url.host else url.host
    return f"{url.scheme}://{host}" + (f":{url.port}" if url.port is not None else "")


def _wrong(what: str) -> ProviderError:
    return ProviderError(
        Failure(reason=FailureReason.FORMAT, detail=f"The provider's base_url {what}. Correct base_url.")
    )
