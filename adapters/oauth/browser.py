"""Logins through a browser: on this machine, whose redirect comes back by itself, or on another one, whose address is pasted."""

import asyncio
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta

from adapters.oauth.authorization import Attempt, begin, read_redirect
from adapters.oauth.loopback import Loopback
from adapters.oauth.token_server import TokenEndpoint
from core.auth.oauth import OAuthProvider, Tokens
from core.auth.secret import Secret
from core.errors import BotError

PATIENCE = timedelta(minutes=10)
"""How long a redirect is waited for."""
_LOWEST_PORT, _PORTS = 49152, 16384
"""Where a redirect that nobody waits for may go."""


@dataclass(frozen=True, slots=True)
class Allowed:
    """What a person has allowed: the tokens, and what the id token among them must repeat."""

    tokens: Tokens
    nonce: str | None


async def by_redirect(
    provider: OAuthProvider, server: TokenEndpoint, show: Callable[[str], None], patience: timedelta = PATIENCE
) -> Allowed:
    """`show` brings the address before the person. Raises BotError: port_busy, login_denied, login_expired, login_refused."""
    async with Loopback(provider) as door:
        attempt = begin(provider, door.redirect_uri)
        door.expect(lambda query: read_redirect(attempt, query))
        show(attempt.url)
        try:
            async with asyncio.timeout(patience.total_seconds()):
                code = await door.code()
        except TimeoutError:
            minutes = f"{patience.total_seconds() / 60:g}"
            raise BotError(
                "login_expired", f"Nobody logged in within {minutes} minutes. Nothing was stored.", "Begin again."
            ) from None
    return await exchanged(provider, server, attempt, code)


def paste_attempt(provider: OAuthProvider) -> Attempt:
    """A login whose redirect goes nowhere: the person pastes its address (see authorization.read_pasted)."""
    port = provider.redirect_port or _LOWEST_PORT + secrets.randbelow(_PORTS)
    return begin(provider, f"http://{provider.redirect_host}:{port}{provider.redirect_path}")


async def exchanged(provider: OAuthProvider, server: TokenEndpoint, attempt: Attempt, code: Secret) -> Allowed:
    """The tokens for the code. Raises BotError."""
    form = {
        "grant_type": "authorization_code",
        "code": code.reveal(),
        "redirect_uri": attempt.redirect_uri,
        "code_verifier": attempt.verifier.reveal(),
    }
    return Allowed(await server.exchange(provider, form), attempt.nonce)
