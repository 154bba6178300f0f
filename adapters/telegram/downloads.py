"""Getting what was sent: asked for by its file id, then read from Telegram's file server, whose URLs hold the bot's token.

That URL is made in the transport and nowhere else; what is told of a failure is Telegram's own word or ours, never a URL.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from telegram import Bot
from telegram.error import InvalidToken, TelegramError

from adapters.telegram.patience import full_jitter
from adapters.telegram.transport import Flooded, Transport, Unconfirmed, Unreachable
from core.attachments import FETCH_SECONDS, NotFetched, Offer, collect
from core.clock import Clock
from core.messages import File

_TRIES = 3
_TOO_BIG = "file is too big"


@dataclass(frozen=True, slots=True)
class Downloads:
    """Fetches the files of messages. `bot` and `transport` share one client."""

    bot: Bot
    transport: Transport
    clock: Clock

    async def fetch(self, offers: Sequence[Offer]) -> tuple[File, ...]:
        """Everything that was sent with one message, under the limits of `collect`."""
        return await collect(offers, self._get, self.clock)

    async def _get(self, offer: Offer, limit: int) -> bytes:
        """Fetch one, three times if need be. A flood wait is kept, unless it is longer than all files may take."""
        for attempt in range(_TRIES):
            try:
                return await self._once(offer, limit)
            except Flooded as flood:
                failure, wait = flood.message, flood.seconds
            except (Unreachable, Unconfirmed) as error:
                failure, wait = error.message, full_jitter(attempt)
            if attempt == _TRIES - 1 or wait > FETCH_SECONDS:
                break
            await self.clock.sleep(wait)
        raise NotFetched(f"could not be fetched, {failure}")

    async def _once(self, offer: Offer, limit: int) -> bytes:
        """Raises Flooded, Unreachable and Unconfirmed, which may pass, and NotFetched."""
        try:
            found = await self.bot.get_file(offer.source)
            path = (found.file_path or "").removeprefix(f"{self.bot.base_file_url}/")
            if not path or path.startswith("/"):
                # A Bot API server in local mode tells where the file lies on its own machine and does not serve it.
                raise NotFetched("the Bot API server does not hand files over (it runs in local mode)")
            return await self.transport.download(path, limit)
        except (Flooded, Unreachable, Unconfirmed):
            raise
        except InvalidToken:
            raise NotFetched("could not be fetched, Telegram refuses the bot's token") from None
        except TelegramError as error:
            if _TOO_BIG in error.message.lower():
                raise NotFetched("larger than what Telegram hands to a bot (20 MB)") from None
            raise NotFetched(f"Telegram does not hand it over: {error.message}") from None
