"""What keeping logins alive needs from outside: where they are stored, and who gives new tokens (product.md 5.4)."""

from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Protocol

from core.auth.oauth import OAuthProvider, Tokens
from core.auth.profiles import AuthProfile
from core.auth.secret import Secret


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredLogin:
    """A login as its store has it now. `version` names exactly these tokens."""

    access: Secret | None
    refresh: Secret | None
    expires: object
    obtained: object
    client_id: str | None
    version: str


class LoginStore(Protocol):
    """Where logins are kept. Every method may raise StoreError; then nothing is changed."""

    def home(self, profile: AuthProfile) -> str:
        """The agent whose store has it. Another agent reads it through."""
        ...

    def alone(self, profile: AuthProfile, wait: bool) -> AbstractAsyncContextManager[bool]:
        """Keep everybody else, in whichever process, from refreshing this login; gives whether that worked. Without `wait` it is
        tried once. A process that dies lets go."""
        ...

    async def read(self, profile: AuthProfile) -> StoredLogin | None:
        """The login, after what an earlier process could not finish is finished. None: it is gone. Call it while `alone`."""
        ...

    def room(self, profile: AuthProfile, before: StoredLogin) -> AbstractAsyncContextManager[None]:
        """Keep what `renew` will need to write the tokens down that come for these. Raises StoreError where there is none."""
        ...

    async def renew(self, profile: AuthProfile, before: StoredLogin, tokens: Tokens) -> None:
        """Put tokens in the place of those that were there `before`, unless others are there by now: those stay. Durable when it
        returns; where it cannot be, the tokens are kept and the next `read` tries again."""
        ...


class TokenServer(Protocol):
    """The far end of a refresh."""

    async def refresh(self, provider: OAuthProvider, token: Secret, client_id: str) -> Tokens:
        """Spend a refresh token. Raises ProviderError: `auth_permanent` where it is lost."""
        ...
