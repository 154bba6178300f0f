"""Getting what was sent: attachments are read from Discord's file server, without any credential.

Only https, or the very server that the API is configured at; no redirect is followed. A URL that has expired (403, 404) is asked
for anew, once a message, through the API.
"""

import asyncio
import random
from collections.abc import Mapping
from typing import Any

import aiohttp
import discord
import yarl

from adapters.discord.attached import offers, stored_urls, told_urls
from adapters.discord.rest import session_of
from core.attachments import FETCH_SECONDS, NotFetched, Offer, collect
from core.clock import Clock
from core.messages import File

_TRIES = 3
_EXPIRED = (403, 404)
_PIECE = 65_536
_FLOOD_FALLBACK = 5.0
_dice = random.SystemRandom()


class _Passing(Exception):
    """It may work in `seconds`. Its text is the rest of a sentence."""

    def __init__(self, reason: str, seconds: float | None = None) -> None:
        super().__init__(reason)
        self.seconds = seconds


class _Expired(Exception):
    """The URL is not, or no longer, that of a file."""


class Downloads:
    """Fetches the files of one stored message over a logged-in client."""

    def __init__(self, client: discord.Client, payload: Mapping[str, Any], api_base_url: str, clock: Clock) -> None:
        self._client = client
        self._payload = payload
        self._clock = clock
        self._urls = stored_urls(payload)
        self._own_server = yarl.URL(api_base_url).origin()
        self._renewing = asyncio.Lock()
        self._renewed = False

    async def fetch(self) -> tuple[File, ...]:
        """Everything that was sent with the message, under the limits of `collect`."""
        return await collect(offers(self._payload), self._get, self._clock)

    async def _get(self, offer: Offer, limit: int) -> bytes:
        """Fetch one, three times if need be. A rate limit is kept, unless it is longer than all files may take."""
        for attempt in range(_TRIES):
            try:
                return await self._current(offer.source, limit)
            except _Passing as error:
                failure = str(error)
                wait = _dice.uniform(0, 0.5 * 2**attempt) if error.seconds is None else error.seconds
            if attempt == _TRIES - 1 or wait > FETCH_SECONDS:
                break
            await self._clock.sleep(wait)
        raise NotFetched(f"could not be fetched, {failure}")

    async def _current(self, source: str, limit: int) -> bytes:
        """Read it at the URL that is known, or at a new one."""
        tried = self._urls.get(source)
        if tried is not None:
            try:
                return await self._read(tried, limit)
            except _Expired:
                pass
        await self._renew()
        url = self._urls.get(source)
        if url is None or url == tried:
            raise NotFetched("Discord does not have it any more")
        try:
            return await self._read(url, limit)
        except _Expired:
            raise NotFetched("Discord does not have it any more") from None

    async def _renew(self) -> None:
        """Ask for the message once more. What asks at the same time, or later, gets the same answer."""
        async with self._renewing:
            if self._renewed:
                return
            try:
                message: Any = await self._client.http.get_message(
                    int(self._payload["channel"]), int(self._payload["id"])
                )
            except discord.HTTPException as error:
                if error.status >= 500 or error.status == 429:
                    raise _Passing(f"Discord is out of order ({error.status})") from None
                raise NotFetched(f"Discord does not have it any more ({error.status}, code {error.code})") from None
            except (aiohttp.ClientError, OSError, TimeoutError) as error:
                raise _Passing(f"no answer from Discord ({type(error).__name__})") from None
            self._urls = told_urls(message)
            self._renewed = True

    async def _read(self, url: str, limit: int) -> bytes:
        """Raises _Expired, _Passing and NotFetched."""
        place = self._allowed(url)
        try:
            async with session_of(self._client).get(place, allow_redirects=False) as answer:
                if answer.status == 200:
                    return await _content(answer, limit)
                status, asked = answer.status, answer.headers.get("Retry-After")
        except (aiohttp.ClientError, OSError, TimeoutError) as error:
            raise _Passing(f"no answer from Discord's file server ({type(error).__name__})") from None
        if status in _EXPIRED:
            raise _Expired
        if status == 429:
            seconds = _seconds(asked)
            raise _Passing(f"Discord asks to wait {seconds:g} s", seconds)
        if status >= 500:
            raise _Passing(f"Discord's file server is out of order ({status})")
        raise NotFetched(f"could not be fetched, Discord's file server answers with status {status}")

    def _allowed(self, url: str) -> yarl.URL:
        """The URL as it is, its signature untouched. Raises NotFetched for one that no file of Discord's has."""
        try:
            place = yarl.URL(url, encoded=True)
            fine = place.scheme == "https" or (place.scheme == "http" and place.origin() == self._own_server)
        except ValueError:
            fine = False
        if not fine or place.user is not None or place.password is not None:
            raise NotFetched("it does not lie on a server of Discord's that can be trusted")
        return place


async def _content(answer: aiohttp.ClientResponse, limit: int) -> bytes:
    """The body, with at most one piece more than the limit."""
    content = bytearray()
    async for piece in answer.content.iter_chunked(_PIECE):
        content += piece
        if len(content) > limit:
            break
    return bytes(content)


def _seconds(asked: str | None) -> float:
    try:
        return max(0.0, float(asked or ""))
    except ValueError:
        return _FLOOD_FALLBACK
