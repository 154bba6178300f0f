"""Logins that stay alive: one refresh at a time, stored before it is used, and never at the cost of a newer one (product.md 5.4).

A refresh that has been sent goes on whatever becomes of who asked for it: its answer may hold the only refresh token that the
server still takes. So it is a task of its own, room for its answer is taken before, and `close` waits for it in any case.
"""

import asyncio
import logging
from collections.abc import Callable, Collection, Iterable
from dataclasses import replace
from datetime import datetime, timedelta

from core.auth.eligibility import has_lapsed
from core.auth.health import ProfileHealth, Window
from core.auth.logins import LoginStore, StoredLogin, TokenServer
from core.auth.oauth import Need, OAuthProvider, Tokens, login_command, need_of
from core.auth.ports import HealthStore, ProfileSource
from core.auth.profiles import AuthProfile
from core.auth.provider_names import provider_id
from core.auth.secret import Secret
from core.clock import Clock
from core.durations import span_is_over
from core.errors import BotError, Failure, FailureReason, ProviderError, StorageError

log = logging.getLogger(__name__)

PATIENCE = 5.0
"""Seconds that a message waits for a refresh that it can do without."""
_AGAIN = timedelta(minutes=1)
"""From a refresh that failed to the next one that nobody has to wait for, or that would be waited for in vain again."""
_QUIET = 1.0
"""Seconds that an end waits for a refresh before it says so."""
_OWN_FAULTS = (FailureReason.AUTH, FailureReason.AUTH_PERMANENT)
"""Failures that a refresh puts right: the windows of the token before say nothing about the one after."""


class Refresher:
    """Keeps the logins of an installation good. `providers` says where a provider's logins are refreshed, None where nobody
    knows; it may block, and raise BotError. `learn` hears every token before it is used; `observe` hears the provider and the
    outcome, "ok" or the reason of a failure, of each refresh that was sent."""

    def __init__(
        self,
        profiles: ProfileSource,
        store: LoginStore,
        server: TokenServer,
        providers: Callable[[str], OAuthProvider | None],
        health: HealthStore,
        clock: Clock,
        learn: Callable[[Iterable[str]], None],
        observe: Callable[[str, str], None] = lambda provider, outcome: None,
    ) -> None:
        self._profiles = profiles
        self._store = store
        self._server = server
        self._providers = providers
        self._health = health
        self._clock = clock
        self._learn = learn
        self._observe = observe
        self._running: dict[tuple[str, str], asyncio.Task[Failure | None]] = {}
        self._sent: set[asyncio.Task[Failure | None]] = set()
        self._rests: dict[tuple[str, str], tuple[datetime, Failure]] = {}

    async def ready(self, profile: AuthProfile) -> AuthProfile:
        """The profile as it may go out now. Raises ProviderError: `auth_permanent` where the login is lost, another failure
        where it had to be refreshed and could not be, and its token has ended."""
        need = need_of(profile, self._clock.now())
        if need is Need.NONE:
            return profile
        resting = self._resting(profile)
        if need is Need.MANDATORY:
            if resting is not None and self._may_go_on(profile, resting):
                return self._now(profile)
            self._raise_while_silent(profile)
            return await self._must(profile, None)
        if _key(profile) in self._running or resting is not None:
            return profile
        task = self._start(profile, wait=False, refused=None)
        await asyncio.wait((task,), timeout=PATIENCE)
        failure = task.result() if task.done() and not task.cancelled() else None
        if failure is not None and failure.reason is FailureReason.AUTH_PERMANENT:
            raise ProviderError(failure)
        return self._now(profile)

    async def after_refusal(self, profile: AuthProfile) -> AuthProfile | None:
        """Another token for one that its provider has just refused, or None without one. Raises ProviderError as `ready`."""
        if not profile.refreshable:
            return None
        self._raise_while_silent(profile)
        fresh = await self._must(profile, profile.secret)
        return fresh if fresh.secret and fresh.secret != profile.secret else None

    async def close(self) -> None:
        """Wait until every refresh that has been sent is stored; those that have not been sent are given up. A cancellation is
        kept until then: the token server's time limit bounds it."""
        for task in self._running.values():
            if task not in self._sent:
                task.cancel()
        cancelled: asyncio.CancelledError | None = None
        told = False
        while self._running:
            late: Collection[object] = ()
            try:
                _, late = await asyncio.wait(list(self._running.values()), timeout=None if told else _QUIET)
            except asyncio.CancelledError as error:
                cancelled, late = error, self._running
            if late and not told:
                log.warning("A login is being refreshed. Its tokens are stored first, which may take a minute.")
                told = True
        if cancelled is not None:
            raise cancelled

    async def _must(self, profile: AuthProfile, refused: Secret | None) -> AuthProfile:
        """The profile after a refresh, whoever makes it. Raises ProviderError."""
        under_way = self._running.get(_key(profile))
        if under_way is not None:
            self._raise_for(await asyncio.shield(under_way), profile, refused)
            fresh = self._now(profile)
            if fresh.secret != refused and need_of(fresh, self._clock.now()) is not Need.MANDATORY:
                return fresh
            # It was one that only tried, or that began before the refusal: one that waits follows it.
        task = self._running.get(_key(profile)) or self._start(profile, wait=True, refused=refused)
        self._raise_for(await asyncio.shield(task), profile, refused)
        return self._now(profile)

    def _raise_for(self, failure: Failure | None, profile: AuthProfile, refused: Secret | None) -> None:
        """Raise ProviderError for a refresh that failed, where no message may go out without it."""
        if failure is not None and (refused is not None or not self._may_go_on(profile, failure)):
            raise ProviderError(failure)

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
        task.add_done_callback(self._sent.discard)
        return task

    async def _refresh(self, profile: AuthProfile, wait: bool, refused: Secret | None) -> Failure | None:
        """One refresh. Raises nothing: whoever waits is told, and nobody may be waiting any more."""
        try:
            async with self._store.alone(profile, wait) as is_alone:
                if not is_alone:
                    return _busy(profile) if wait else None
                await self._refresh_alone(profile, refused)
            self._rests.pop(_key(profile), None)
            return None
        except ProviderError as error:
            failure = error.failure
        except BotError as error:
            failure = Failure(reason=FailureReason.NETWORK, detail=str(error))
        except Exception:
            log.exception("the refresh of %s failed unexpectedly", profile.id)
            failure = Failure(reason=FailureReason.UNKNOWN, detail=f"The refresh of {profile.id} failed.")
        self._rests[_key(profile)] = (self._clock.now(), failure)
        log.info("%s was not refreshed: %s", profile.id, failure.detail)  # whoever waits says it where people look
        return failure

    async def _refresh_alone(self, profile: AuthProfile, refused: Secret | None) -> None:
        stored = await self._store.read(profile)
        if stored is None:
            raise ProviderError(Failure(reason=FailureReason.AUTH, detail=f"{profile.id} is not stored any more."))
        if not self._is_due(profile, stored, refused):
            return
        try:
            await self._renew(profile, stored)
        except ProviderError as error:
            if error.failure.reason is not FailureReason.AUTH_PERMANENT:
                raise
            latest = await self._store.read(profile)
            if latest is not None and latest.version != stored.version:
                return  # another program was faster with the same refresh token, and what it got is there
            advice = f"Log in again on the host: {login_command(profile, self._store.home(profile))}"
            lost = replace(error.failure, detail=f"{error.failure.detail} {advice}")
            raise ProviderError(lost) from None
        await self._carry_over(profile)
        log.info("%s was refreshed.", profile.id)

    async def _renew(self, profile: AuthProfile, stored: StoredLogin) -> None:
        provider = await asyncio.to_thread(self._providers, profile.provider)
        client_id = stored.client_id or (provider.client_id if provider is not None else "")
        if provider is None or not provider.token_url or not client_id or stored.refresh is None:
            why = f"{profile.id} cannot be refreshed: auth.oauth.{profile.provider} names no token_url or no client_id."
            raise ProviderError(Failure(reason=FailureReason.AUTH, detail=why))
        async with self._store.room(profile, stored):
            if (task := asyncio.current_task()) is not None:
                self._sent.add(task)
            tokens = await self._asked(provider, stored.refresh, client_id)
            await self._store.renew(profile, stored, tokens)

    async def _asked(self, provider: OAuthProvider, token: Secret, client_id: str) -> Tokens:
        outcome = FailureReason.UNKNOWN.value
        try:
            tokens = await self._server.refresh(provider, token, client_id)
            outcome = "ok"
        except ProviderError as error:
            outcome = error.failure.reason.value
            raise
        finally:
            self._observe(provider.id, outcome)
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

    def _raise_while_silent(self, profile: AuthProfile) -> None:
        """A token server that gave no answer at all is not waited for as long again by whoever comes within a minute."""
        resting = self._resting(profile)
        if resting is not None and resting.reason is FailureReason.TIMEOUT and resting.status is None:
            raise ProviderError(replace(resting, detail=f"{resting.detail} It is asked again within a minute."))

    def _resting(self, profile: AuthProfile) -> Failure | None:
        """The failure of the last refresh, while the next one is not due yet."""
        since, failure = self._rests.get(_key(profile), (None, None))
        if since is None or span_is_over(since, since + _AGAIN, self._clock.now()):
            return None
        return failure


def _key(profile: AuthProfile) -> tuple[str, str]:
    return profile.source, profile.id


def _kept(windows: tuple[Window, ...]) -> tuple[Window, ...]:
    return tuple(window for window in windows if window.reason not in _OWN_FAULTS)


def _busy(profile: AuthProfile) -> Failure:
    detail = f"Another process has been refreshing {profile.id} for too long."
    return Failure(reason=FailureReason.TIMEOUT, detail=detail)
