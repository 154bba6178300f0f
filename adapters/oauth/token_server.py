"""The token endpoint: codes and refresh tokens in, tokens out (RFC 6749 4.1.3, 6; OpenID Connect Core 3.1.3.7)."""

import base64
from collections.abc import Mapping
from urllib.parse import quote_plus

from adapters.oauth.calls import Answer, OAuthHttp, origin
from core.auth.oauth import (
    Account,
    OAuthProvider,
    Tokens,
    account_of,
    claims_of,
    error_code,
    read_tokens,
    refresh_refused,
)
from core.auth.secret import Secret
from core.clock import Clock
from core.errors import BotError, Failure, FailureReason, ProviderError

_LONGEST_WORDS = 200


class TokenEndpoint:
    """`core.auth.logins.TokenServer`, and what logins need besides."""

    def __init__(self, clock: Clock, http: OAuthHttp | None = None) -> None:
        self._clock = clock
        self._http = http or OAuthHttp()

    async def refresh(self, provider: OAuthProvider, token: Secret, client_id: str) -> Tokens:
        """See TokenServer. An answer that cannot be read is one that is lost: nobody knows what the server has done."""
        asked, place = self._clock.now(), origin(provider.token_url)
        form = {"grant_type": "refresh_token", "refresh_token": token.reveal()}
        answer = await self.ask(provider, form, client_id)
        if not answer.is_ok:
            raise ProviderError(refresh_refused(answer.status, answer.fields, place))
        try:
            return read_tokens(answer.fields, asked)
        except ValueError as error:
            raise ProviderError(Failure(reason=FailureReason.NETWORK, detail=f"{place} {error}.")) from None

    async def exchange(self, provider: OAuthProvider, form: Mapping[str, str]) -> Tokens:
        """The tokens for what somebody has just allowed. Raises BotError."""
        asked, place = self._clock.now(), origin(provider.token_url)
        answer = await self.ask(provider, form, provider.client_id)
        if not answer.is_ok:
            raise login_refused(answer, place)
        try:
            return read_tokens(answer.fields, asked)
        except ValueError as error:
            raise BotError("login_failed", f"{place} {error}.") from None

    async def ask(self, provider: OAuthProvider, form: Mapping[str, str], client_id: str) -> Answer:
        """One request to the token endpoint, in which the client says who it is. Raises ProviderError."""
        body, headers = {**dict(provider.token_parameters), **form, "client_id": client_id}, dict(provider.headers)
        secret = provider.client_secret if client_id == provider.client_id else None
        if secret is not None and provider.client_auth == "basic":
            pair = f"{quote_plus(client_id)}:{quote_plus(secret.reveal())}"
            headers["authorization"] = f"Basic {base64.b64encode(pair.encode()).decode()}"
        elif secret is not None:
            body["client_secret"] = secret.reveal()
        return await self._http.post(provider.token_url, body, headers)

    async def start_device(self, provider: OAuthProvider) -> Mapping[str, object]:
        """The first answer of the device flow (RFC 8628 3.2). Raises BotError."""
        form = {**dict(provider.device_parameters), "client_id": provider.client_id}
        if provider.scopes:
            form["scope"] = " ".join(provider.scopes)
        answer = await self._http.post(provider.device_url, form, dict(provider.headers))
        if not answer.is_ok:
            raise login_refused(answer, origin(provider.device_url))
        return answer.fields

    async def account(self, provider: OAuthProvider, tokens: Tokens, nonce: str | None) -> Account:
        """Whose login it is: by the id token, else by the userinfo endpoint; nobody's where neither tells. Raises BotError for an
        id token that was made for somebody else."""
        account = Account()
        if tokens.id_token is not None:
            account = account_of(self._checked(provider, tokens.id_token, nonce))
        if account.email is None and provider.userinfo_url:
            bearer = {"authorization": f"Bearer {tokens.access.reveal()}"}
            answer = await self._http.get(provider.userinfo_url, {**dict(provider.headers), **bearer})
            told = account_of(answer.fields) if answer.is_ok else Account()
            if account.id in (None, told.id):
                return told if told != Account() else account
        return account

    def _checked(self, provider: OAuthProvider, token: Secret, nonce: str | None) -> Mapping[str, object]:
        place = origin(provider.token_url)
        try:
            claims = claims_of(token)
        except ValueError as error:
            raise BotError("login_failed", f"{place} {error}.") from None
        audience = claims.get("aud")
        wrong = ""
        if provider.client_id not in (audience if isinstance(audience, list) else [audience]):
            wrong = "for another client"
        elif provider.issuer and claims.get("iss") != provider.issuer:
            wrong = f"of another issuer than {provider.issuer}"
        elif nonce is not None and claims.get("nonce") != nonce:
            wrong = "of another login"
        if wrong:
            raise BotError("login_failed", f"{place} gave an id token {wrong}. Nothing was stored.")
        return claims


def login_refused(answer: Answer, place: str) -> BotError:
    """The error for a login that a server did not complete, with its own words where it has some."""
    code, words = error_code(answer.fields), answer.fields.get("error_description")
    if code == "access_denied":
        return BotError("login_denied", "The login was denied. Nothing was stored.")
    said = " ".join(words.split())[:_LONGEST_WORDS] if isinstance(words, str) else ""
    shown = f" It said: {said}" if said.isprintable() and said else ""
    return BotError(
        "login_refused", f"{place} refused the login ({code or f'HTTP {answer.status}'}). Nothing was stored.{shown}"
    )
