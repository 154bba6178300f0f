"""One candidate, tried: the request, its retries for failures of transport, and what it leaves in the profile's health."""

import asyncio
import logging
import random
from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from core.auth.health import after_failure, after_success
from core.auth.ports import HealthChange, HealthStore
from core.auth.profiles import AuthProfile
from core.chat.completion import Completed, CompletionRequest, Counted, Endpoint, Renewed, TextDelta, Timeouts, Usage
from core.chat.ports import ProviderClient
from core.chat.stop import Stop
from core.clock import Clock
from core.durations import iso
from core.errors import Failure, FailureReason, ProviderError, StorageError
from core.models.ref import ModelRef
from core.resolution.resolver import Candidate
from core.resolution.rules import Rules
from core.sessions.history import Message

log = logging.getLogger(__name__)

RETRIES = 2
"""More tries of the same credential after a failure of transport (product.md 6)."""
_FIRST_PAUSE = 0.5
_LONGEST_PAUSE = 8.0
TRANSIENT = (FailureReason.OVERLOADED, FailureReason.TIMEOUT, FailureReason.NETWORK)


@dataclass(frozen=True, slots=True)
class Attempt:
    """One request and its outcome: `ok` or a failure reason."""

    model: ModelRef
    profile: AuthProfile
    failure: Failure | None

    def view(self) -> dict[str, Any]:
        """The attempt as interfaces.md shows it."""
        failure = self.failure
        return {
            "model": str(self.model),
            "profile": self.profile.id,
            "outcome": failure.reason.value if failure else "ok",
            "status": failure.status if failure else 200,
            "retry_at": iso(failure.retry_at) if failure else None,
        }


class _Stopped(Exception):
    """A person has asked for the end."""


class Attempts:
    """Tries candidates of one turn within its deadline and keeps the account of it. `stop` may end it at any time."""

    def __init__(
        self, provider: ProviderClient, health: HealthStore, clock: Clock, rules: Rules, stream: bool, stop: Stop
    ) -> None:
        self._provider = provider
        self._health = health
        self._clock = clock
        self._rules = rules
        self._stream = stream
        self._stop = stop
        self._ends = asyncio.get_running_loop().time() + rules.deadline.total_seconds()
        self.made: list[Attempt] = []
        self.shown = ""
        """Text that the user has seen. Once there is some, no other credential is tried."""
        self.stopped = False
        self.unfinished: list[tuple[Candidate, Usage]] = []
        """Answers that broke off or were stopped, with what the provider had counted by then."""
        self.success: HealthChange | None = None
        """What the answer says of its credential: for the record of the turn, so that both are one write. A failure is stored at
        once, because other turns must see it."""

    async def run(
        self, candidate: Candidate, messages: tuple[Message, ...]
    ) -> AsyncGenerator[TextDelta | Completed, None]:
        """Try one candidate; ends with Completed, or without it: then the last of `made` has the failure."""
        for retry in range(RETRIES + 1):
            started, counted = self._clock.now(), Usage()
            try:
                async with aclosing(self._request(candidate, messages)) as pieces:
                    async for piece in pieces:
                        if isinstance(piece, Counted):
                            counted = piece.usage
                            continue
                        if isinstance(piece, Renewed):
                            candidate = replace(candidate, profile=piece.profile)
                            continue
                        if isinstance(piece, TextDelta):
                            self.shown += piece.text
                        else:
                            self._succeeded(candidate, started)
                        yield piece
                return
            except _Stopped:
                self.stopped = True
                self._broke_off(candidate, counted)
                return
            except ProviderError as error:
                failure = error.failure
            self._broke_off(candidate, counted)
            await self._failed(candidate, failure)
            if failure.reason not in TRANSIENT or self.shown or retry == RETRIES:
                return
            pause = random.uniform(0, min(_LONGEST_PAUSE, _FIRST_PAUSE * 2**retry))  # noqa: S311 - spreads retries
            if self.left() <= pause:
                return
            try:
                async with self._stop.within(self.left()):
                    await self._clock.sleep(pause)
            except TimeoutError:
                self.stopped = self._stop.asked
                return

    def _broke_off(self, candidate: Candidate, counted: Usage) -> None:
        if counted != Usage():
            self.unfinished.append((candidate, counted))

    def left(self) -> float:
        """Seconds until the turn's deadline; not more than zero when it has passed."""
        return self._ends - asyncio.get_running_loop().time()

    async def _request(
        self, candidate: Candidate, messages: tuple[Message, ...]
    ) -> AsyncGenerator[TextDelta | Counted | Renewed | Completed, None]:
        """The provider's pieces, each within what is left of the turn's deadline."""
        provider = self._rules.catalog.providers[candidate.model.provider]
        entry = self._rules.catalog.entry(candidate.model)
        request = CompletionRequest(
            endpoint=Endpoint(
                provider=provider.id, base_url=provider.base_url, api=provider.api, headers=provider.headers
            ),
            model=candidate.model.name,
            messages=messages,
            profile=candidate.profile,
            stream=self._stream,
            max_tokens=entry.max_tokens if entry else None,
            timeouts=Timeouts(first_byte=self._rules.silence, silence=self._rules.silence),
        )
        pieces = self._provider.complete(request)
        try:
            while True:
                try:
                    async with self._stop.within(self.left()):
                        piece = await anext(pieces)
                except StopAsyncIteration:
                    return
                except TimeoutError:
                    if self._stop.asked:
                        raise _Stopped from None
                    late = f"no answer within {self._rules.deadline.total_seconds():g} s"
                    raise ProviderError(Failure(reason=FailureReason.TIMEOUT, detail=late)) from None
                yield piece
        finally:
            close = getattr(pieces, "aclose", None)
            if close is not None:
                await close()

    def _succeeded(self, candidate: Candidate, started: datetime) -> None:
        now, profile, model = self._clock.now(), candidate.profile, str(candidate.model)
        self.made.append(Attempt(candidate.model, profile, None))
        self.success = HealthChange(
            profile.id, profile.fingerprint or "", lambda health: after_success(health, model, started, now)
        )

    async def _failed(self, candidate: Candidate, failure: Failure) -> None:
        now = self._clock.now()
        self.made.append(Attempt(candidate.model, candidate.profile, failure))
        if candidate.profile.from_environment and failure.reason is not FailureReason.RATE_LIMIT:
            # Keys from the environment go on to the next one only for a rate limit; anything else stays visible at once
            # on the very next message too, so it is not held against the key.
            return
        profile, model = candidate.profile, str(candidate.model)
        await self.remember(
            HealthChange(
                profile.id, profile.fingerprint or "", lambda health: after_failure(health, failure, model, now)
            )
        )

    async def remember(self, change: HealthChange) -> None:
        """Write the health at once. A database that cannot be written is no reason to keep an answer back."""
        try:
            await self._health.update_health(change.profile, change.fingerprint, change.change)
        except StorageError as error:
            log.error("the health of %s could not be stored: %s", change.profile, error)


def spent(failure: Failure, profile: AuthProfile) -> str:
    """What a failure rules out for the rest of the turn: `credential`, `model`, or `turn` (nothing else is tried)."""
    match failure.reason:
        case FailureReason.RATE_LIMIT:
            return "credential"
        case FailureReason.BILLING | FailureReason.AUTH | FailureReason.AUTH_PERMANENT:
            return "turn" if profile.from_environment else "credential"
        case (
            FailureReason.OVERLOADED
            | FailureReason.TIMEOUT
            | FailureReason.NETWORK
            | FailureReason.MODEL_NOT_FOUND
            | FailureReason.UNKNOWN
        ):
            return "model"
        case _:
            return "turn"
