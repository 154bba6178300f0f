"""Logging in at providers, with its adapters: for `models auth login`. A part of the composition root."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from bot.oauth_wiring import Sources, login_provider
from core.auth.oauth import OAuthProvider
from core.auth.secret import Secret
from core.errors import ConfigError

if TYPE_CHECKING:
    from adapters.oauth.authorization import Attempt
    from adapters.oauth.browser import Allowed
    from adapters.oauth.token_server import TokenEndpoint
    from adapters.storage.login_files import LoginFiles
    from bot.config.settings import Settings
    from bot.paths import Paths
    from core.auth.oauth import Account, Tokens
    from core.clock import Clock


@dataclass(frozen=True, slots=True)
class LoggedIn:
    """A login that was made, and whose it is."""

    tokens: "Tokens"
    account: "Account"

    def entry(self, provider: OAuthProvider) -> dict[str, Any]:
        """As auth-profiles.json keeps it (credentials.md 1.2, 9.4): without a refresh token it is a token like any other."""
        from adapters.storage.login_entry import fields_of

        fields = fields_of(self.tokens)
        if "refresh" in fields:
            entry = {"type": "oauth", "provider": provider.id, **fields, "clientId": provider.client_id}
        else:
            ends = {"expires": fields["expires"]} if "expires" in fields else {}
            entry = {"type": "token", "provider": provider.id, "token": fields["access"], **ends}
        told = {"email": self.account.email, "accountId": self.account.id}
        return {**entry, **{key: value for key, value in told.items() if value is not None}}


class LoginTools:
    """What `models auth login` works with. Every method may raise BotError; then nothing was stored."""

    def __init__(self, settings: "Settings", paths: "Paths", environ: Mapping[str, str], sources: Sources) -> None:
        from bot.system_clock import SystemClock

        self._settings = settings
        self._environ = environ
        self._sources = sources
        self._paths = paths
        self._clock: Clock = SystemClock()

    def provider(self, name: str) -> OAuthProvider:
        """What is known of a provider's logins."""
        found = login_provider(name, self._settings, self._environ, self._sources)
        if found is None:
            path = f"auth.oauth.{name}"
            raise ConfigError(path, "is not configured, so nobody knows where to log in.", f"Write a table [{path}].")
        return found

    async def by_redirect(self, provider: OAuthProvider, show: Callable[[str], None]) -> LoggedIn:
        """The browser comes back to this machine."""
        from adapters.oauth.browser import by_redirect

        server = self._server()
        return await self._whose(provider, server, await by_redirect(provider, server, show))

    def begin_paste(self, provider: OAuthProvider) -> "Attempt":
        """A login whose address is pasted; `url` is where it begins."""
        from adapters.oauth.browser import paste_attempt

        return paste_attempt(provider)

    def read_pasted(self, attempt: "Attempt", text: str) -> Secret:
        """The code in what was pasted. Raises UserError where something else may be pasted."""
        from adapters.oauth.authorization import read_pasted

        return read_pasted(attempt, text)

    async def by_paste(self, provider: OAuthProvider, attempt: "Attempt", code: Secret) -> LoggedIn:
        """The end of that login."""
        from adapters.oauth.browser import exchanged

        server = self._server()
        return await self._whose(provider, server, await exchanged(provider, server, attempt, code))

    async def by_device(self, provider: OAuthProvider, show: Callable[[str, str, str], None]) -> LoggedIn:
        """The person allows it elsewhere. `show` is given the address, the code to enter there, and the address that has the
        code in it already, empty if there is none."""
        from adapters.oauth.browser import Allowed
        from adapters.oauth.device import log_in

        server = self._server()
        tokens = await log_in(provider, server, self._clock, lambda i: show(i.uri, i.user_code, i.complete))
        return await self._whose(provider, server, Allowed(tokens, None))

    def files(self) -> "LoginFiles":
        """Where logins are kept."""
        from adapters.storage.login_files import LoginFiles

        return LoginFiles(self._paths.state, self._clock, self._paths.oauth)

    def default_model(self, provider: str) -> str | None:
        """A model to begin with: the first that the config lists for the provider, else the built-in one."""
        from adapters.providers.builtin import builtin_providers

        configured = self._settings.models.providers.get(provider)
        if configured is not None and configured.models:
            return f"{provider}/{configured.models[0].id}"
        known = builtin_providers().get(provider)
        return f"{provider}/{known.default_model}" if known is not None and known.default_model else None

    def _server(self) -> "TokenEndpoint":
        from adapters.oauth.token_server import TokenEndpoint

        return TokenEndpoint(self._clock)

    async def _whose(self, provider: OAuthProvider, server: "TokenEndpoint", allowed: "Allowed") -> LoggedIn:
        from bot.log import learn_secrets

        tokens = allowed.tokens
        given = (tokens.access, tokens.refresh, tokens.id_token)
        learn_secrets([secret.reveal() for secret in given if secret is not None])
        return LoggedIn(tokens, await server.account(provider, tokens, allowed.nonce))
