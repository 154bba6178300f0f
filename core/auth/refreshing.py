"""Logins that stay alive: one refresh at a time, stored before it is used, and never at the cost of a newer one (product.md 5.4).

A refresh that has been sent goes on whatever becomes of who asked for it: its answer may hold the only refresh token that the
server still takes. So it is a task of its own, and `close` waits for it.
"""

import asyncio
import logging
from collections.abc import Callable, Iterable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Protocol

from core.auth.eligibility import has_lapsed
from core.auth.health import ProfileHealth, Window
from core.auth.oauth import Need, OAuthProvider, Tokens, login_command, need_of
from core.auth.ports import HealthStore, ProfileSource
from core.auth.profiles import AuthProfile
from core.auth.provider_names import provider_id
from core.auth.secret import Secret
from core.clock import Clock
from core.errors import BotError, Failure, FailureReason, ProviderError, StorageError

log = logging.getLogger(__name__)

PATIENCE = 5.0
"""Seconds that a message waits for a refresh that it can do without."""
_AGAIN = timedelta(minutes=1)
"""From a refresh that failed to the next one that nobody has to wait for."""
_OWN_FAULTS = (FailureReason.AUTH, FailureReason.AUTH_PERMANENT)
"""Failures that a refresh puts right: the windows of the token before say nothing about the one after."""


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

    async def renew(self, profile: AuthProfile, before: StoredLogin, tokens: Tokens) -> None:
        """Put tokens in the place of those that were there `before`, unless others are there by now: those stay. Durable when it
        returns; where it cannot be, the tokens are kept and the next `read` tries again."""
        ...


class TokenServer(Protocol):
    """The far end of a refresh."""

    async def refresh(self, provider: OAuthProvider, token: Secret, client_id: str) -> Tokens:
        """Spend a refresh token. Raises ProviderError: `auth_permanent` where it is lost."""
        ...


class Refresher:
    """Keeps the logins of an installation good. `providers` says where a provider's logins are refreshed, None where nobody
    knows; it may block, and raise BotError. `learn` hears every token before it is used."""

    def __init__(
        self,
        profiles: ProfileSource,
        store: LoginStore,
        server: TokenServer,
        providers: Callable[[str], OAuthProvider | None],
        health: HealthStore,
        clock: Clock,
        learn: Callable[[Iterable[str]], None],
    ) -> None:
        self._profiles = profiles
        self._store = store
        self._server = server
        self._providers = providers
        self._health = health
        self._clock = clock
        self._learn = learn
        self._running: dict[tuple[str, str], asyncio.Task[Failure | None]] = {}
        self._rests: dict[tuple[str, str], datetime] = {}

    async def ready(self, profile: AuthProfile) -> AuthProfile:
        """The profile as it may go out now. Raises ProviderError: `auth_permanent` where the login is lost, another failure
        where it had to be refreshed and could not be, and its token has ended."""
        need = need_of(profile, self._clock.now())
        if need is Need.NONE:
            return profile
        if need is Need.MANDATORY:
            return await self._must(profile, None)
        if _key(profile) in self._running or self._rests_until(profile) > self._clock.now():
            return profile
        task = self._start(profile, wait=False, refused=None)
        await asyncio.wait((task,), timeout=PATIENCE)
        failure = task.result() if task.done() else None
        if failure is not None and failure.reason is FailureReason.AUTH_PERMANENT:
            raise ProviderError(failure)
        return self._now(profile)

    async def after_refusal(self, profile: AuthProfile) -> AuthProfile | None:
        """Another token for one that its provider has just refused, or None without one. Raises ProviderError as `ready`."""
        if not profile.refreshable:
            return None
        fresh = await self._must(profile, profile.secret)
        return fresh if fresh.secret and fresh.secret != profile.secret else None

    async def close(self) -> None:
        """Wait until every refresh that is under way has been stored."""
        while self._running:
            await asyncio.wait(list(self._running.values()))

    async def _must(self, profile: AuthProfile, refused: Secret | None) -> AuthProfile:
        """The profile after a refresh, whoever makes it. Raises ProviderError."""
        for _ in range(2):  # what is under way may be one that only tries: then one that waits follows it
            task = self._running.get(_key(profile)) or self._start(profile, wait=True, refused=refused)
            failure = await asyncio.shield(task)
            fresh = self._now(profile)
            is_new = bool(fresh.secret) and fresh.secret != (refused or profile.secret)
            if is_new and need_of(fresh, self._clock.now()) is not Need.MANDATORY:
                return fresh
            if failure is not None and refused is None and self._may_go_on(profile, failure):
                return fresh
            if failure is not None:
                raise ProviderError(failure)
        return fresh

    def _may_go_on(self, profile: AuthProfile, failure: Failure) -> bool:
        """Whether a message may go out with the token that is there, though its refresh has failed: it still holds."""
        there = self._stored(profile)
        is_lost = there is None or failure.reason is FailureReason.AUTH_PERMANENT
        return not is_lost and not has_lapsed(there, self._clock.now())

    def _start(self, profile: AuthProfile, wait: bool, refused: Secret | None) -> "asyncio.Task[Failure | None]":
        key = _key(profile)
        task = asyncio.get_running_loop().create_task(self._refresh(profile, wait, refused))
        self._running[key] = task
        task.add_done_callback(lambda _: self._running.pop(key, None))
        return task

    async def _refresh(self, profile: AuthProfile, wait: bool, refused: Secret | None) -> Failure | None:
        """One refresh. Raises nothing: whoever waits is told, and nobody may be waiting any more."""
        try:
            async with self._store.alone(profile, wait) as is_alone:
                if not is_alone:
                    return _busy(profile) if wait else None
                await self._refresh_alone(profile, refused)
            return None
        except ProviderError as error:
            failure = error.failure
        except BotError as error:
            failure = Failure(reason=FailureReason.NETWORK, detail=str(error))
        except Exception:
            log.exception("the refresh of %s failed unexpectedly", profile.id)
            failure = Failure(reason=FailureReason.UNKNOWN, detail=f"The refresh of {profile.id} failed.")
        self._rests[_key(profile)] = self._clock.now() + _AGAIN
        log.info("%s was not refreshed: %s", profile.id, failure.detail)  # whoever waits says it where people look
        return failure

    async def _refresh_alone(self, profile: AuthProfile, refused: Secret | None) -> None:
        stored = await self._store.read(profile)
        if stored is None:
            raise ProviderError(Failure(reason=FailureReason.AUTH, detail=f"{profile.id} is not stored any more."))
        if not self._is_due(profile, stored, refused):
            return
        try:
            tokens = await self._asked(profile, stored)
        except ProviderError as error:
            if error.failure.reason is not FailureReason.AUTH_PERMANENT:
                raise
            latest = await self._store.read(profile)
            if latest is not None and latest.version != stored.version:
                return  # another program was faster with the same refresh token, and what it got is there
            advice = f"Log in again on the host: {login_command(profile, self._store.home(profile))}"
            lost = replace(error.failure, detail=f"{error.failure.detail} {advice}")
            raise ProviderError(lost) from None
        await self._store.renew(profile, stored, tokens)
        await self._carry_over(profile)
        log.info("%s was refreshed.", profile.id)

    async def _asked(self, profile: AuthProfile, stored: StoredLogin) -> Tokens:
        provider = await asyncio.to_thread(self._providers, profile.provider)
        client_id = stored.client_id or (provider.client_id if provider is not None else "")
        if provider is None or not provider.token_url or not client_id or stored.refresh is None:
            why = f"{profile.id} cannot be refreshed: auth.oauth.{profile.provider} names no token_url or no client_id."
            raise ProviderError(Failure(reason=FailureReason.AUTH, detail=why))
        tokens = await self._server.refresh(provider, stored.refresh, client_id)
        self._learn([secret.reveal() for secret in (tokens.access, tokens.refresh) if secret is not None])
        return tokens

    def _is_due(self, profile: AuthProfile, stored: StoredLogin, refused: Secret | None) -> bool:
        """Whether it is still to be refreshed: somebody else may have done so since the profile was looked at."""
        if stored.access == profile.secret:
            return True
        if refused is not None:
            return stored.access is None or stored.access == refused
        found = replace(profile, secret=stored.access, expires=stored.expires, obtained=stored.obtained)
        return need_of(found, self._clock.now()) is Need.MANDATORY

    async def _carry_over(self, before: AuthProfile) -> None:
        """A refreshed login is the same account: a rate limit or an empty balance holds on, and so does when it last served."""
        after = self._now(before)
        known: list[ProfileHealth] = []

        def look(health: ProfileHealth) -> ProfileHealth:
            known.append(health)
            return health

        try:
            await self._health.update_health(before.id, before.fingerprint or "", look)
            kept = _kept(known[-1].windows) if known else ()
            if not known or not (kept or known[-1].last_used) or after.fingerprint == before.fingerprint:
                return
            await self._health.update_health(
                before.id,
                after.fingerprint or "",
                lambda health: replace(
                    health, last_used=health.last_used or known[-1].last_used, windows=health.windows or kept
                ),
            )
        except StorageError as error:
            log.error("the health of %s could not be carried over: %s", before.id, error)

    def _now(self, profile: AuthProfile) -> AuthProfile:
        """The profile as its store has it by now, else as it was."""
        return self._stored(profile) or profile

    def _stored(self, profile: AuthProfile) -> AuthProfile | None:
        """The same login as its store has it by now. None: it is gone, or its id is another provider's by now."""
        found = self._profiles.load(self._store.home(profile)).profiles.get(profile.id)
        if found is None or found.kind is not profile.kind:
            return None
        return found if provider_id(found.provider) == provider_id(profile.provider) else None

    def _rests_until(self, profile: AuthProfile) -> datetime:
        return self._rests.get(_key(profile), datetime.min.replace(tzinfo=self._clock.now().tzinfo))


def _key(profile: AuthProfile) -> tuple[str, str]:
    return profile.source, profile.id


def _kept(windows: tuple[Window, ...]) -> tuple[Window, ...]:
    return tuple(window for window in windows if window.reason not in _OWN_FAULTS)


def _busy(profile: AuthProfile) -> Failure:
    detail = f"Another process has been refreshing {profile.id} for too long."
    return Failure(reason=FailureReason.TIMEOUT, detail=detail)
