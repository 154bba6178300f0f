"""A store of logins and a token server, in memory: `core.auth.logins.LoginStore` and `TokenServer`."""

import asyncio
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import timedelta

from core.auth.logins import StoredLogin
from core.auth.oauth import OAuthProvider, Tokens
from core.auth.profiles import AuthProfile
from core.auth.secret import Secret
from core.clock import Clock
from core.errors import Failure, FailureReason, ProviderError, StoreError
from tests.fakes.profile_source import FakeProfileSource


class FakeLoginStore:
    """Its profiles are those of a FakeProfileSource. `taken` names those that another process refreshes; `broken` cannot be
    written, and `full` has no room either."""

    def __init__(self, profiles: FakeProfileSource) -> None:
        self._profiles = profiles
        self._locks: dict[str, asyncio.Lock] = {}
        self.refresh: dict[str, str] = {}
        self.taken: set[str] = set()
        self.broken = False
        self.full = False

    def home(self, profile: AuthProfile) -> str:
        return "main"

    @asynccontextmanager
    async def alone(self, profile: AuthProfile, wait: bool) -> AsyncIterator[bool]:
        if profile.id in self.taken:
            yield False
            return
        async with self._locks.setdefault(profile.id, asyncio.Lock()):
            yield True

    async def read(self, profile: AuthProfile) -> StoredLogin | None:
        found = self._profiles.load("main").profiles.get(profile.id)
        if found is None or found.provider != profile.provider:
            return None
        refresh = self.refresh.get(profile.id, "refresh-0")
        return StoredLogin(
            access=found.secret,
            refresh=Secret(refresh),
            expires=found.expires,
            obtained=found.obtained,
            client_id=None,
            version=f"{found.secret.reveal() if found.secret else ''}/{refresh}",
        )

    @asynccontextmanager
    async def room(self, profile: AuthProfile, before: StoredLogin) -> AsyncIterator[None]:
        if self.full:
            raise StoreError("store_write", "there is no space left.")
        yield

    async def renew(self, profile: AuthProfile, before: StoredLogin, tokens: Tokens) -> None:
        if self.broken:
            raise StoreError("store_write", "the store cannot be written.")
        latest = await self.read(profile)
        if latest is None or latest.version != before.version:
            return
        self.put(profile, tokens)

    def put(self, profile: AuthProfile, tokens: Tokens) -> None:
        """What another process does, too."""
        ends = tokens.expires.timestamp() * 1000 if tokens.expires is not None else None
        held = self._profiles.load("main").profiles[profile.id]
        self._profiles.put(
            replace(
                held,
                secret=tokens.access,
                expires=ends,
                obtained=tokens.obtained.timestamp() * 1000,
                fingerprint=tokens.access.reveal(),
            )
        )
        if tokens.refresh is not None:
            self.refresh[profile.id] = tokens.refresh.reveal()


class FakeTokenServer:
    """Gives `access-<n>`. `script` is used up: a reason is a refusal. While `held` is set it waits for `release`.
    With `same` the tokens stay what they were, and only their end moves."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self.script: deque[FailureReason] = deque()
        self.spent: list[str] = []
        self.life = timedelta(hours=1)
        self.held = False
        self.same = False
        self.release = asyncio.Event()
        self.asked = asyncio.Event()

    async def refresh(self, provider: OAuthProvider, token: Secret, client_id: str) -> Tokens:
        self.spent.append(token.reveal())
        self.asked.set()
        if self.held:
            await self.release.wait()
        if self.script:
            raise ProviderError(Failure(reason=self.script.popleft(), detail="The token server refused."))
        now, n = self._clock.now(), 0 if self.same else len(self.spent)
        return Tokens(
            access=Secret(f"access-{n}"), refresh=Secret(f"refresh-{n}"), expires=now + self.life, obtained=now
        )
