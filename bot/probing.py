"""Asks providers whether a credential works, for `models status --probe`. Looks and changes nothing: no health is written, no
other credential is tried, nothing is repeated.

Level `list` asks for the provider's list of models, which costs no tokens. A provider that keeps none (404, 405, 501) is asked
for a completion instead; one that gives its list to everybody is found out by asking once more without a credential, for then
an `ok` says nothing about the key. Level `completion` is one short request. Whatever a provider does, each target ends in time.
"""

import asyncio
import re
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from itertools import groupby
from typing import Protocol

from bot.log import redact
from core.auth.profiles import AuthProfile, CredentialKind
from core.chat.completion import Completed, CompletionRequest, Counted, Endpoint, Renewed, TextDelta, Timeouts
from core.clock import Clock
from core.errors import Failure, FailureReason, ProviderError
from core.models.catalog import ProviderEntry
from core.models.listed import ListedModel
from core.resolution.probe import ProbeStatus, Target, status_of
from core.sessions.history import Message, Role

LONGEST_ERROR = 200
_QUESTION = "Reply with OK and nothing else."
_NO_LIST = (404, 405, 501)
_OPEN = (
    "The provider lists its models without a key too, so this says nothing about the key. "
    "--probe-level completion does."
)
_SCRUBBED = (
    (re.compile(r"[^\s\"'`=:(,]*(?:\*{2,}|…|(?<=\w)\.{3}(?=\w))[^\s\"'`=:),]*"), "***"),
    (
        re.compile(r"\b((?:access|refresh)?_?token|password|secret|api[ _-]?key)(\s*[:=]\s*)\S+", re.IGNORECASE),
        r"\1\2***",
    ),
    (re.compile(r"\b(bearer\s+)(?=\S*\d|\S{20})\S+", re.IGNORECASE), r"\1***"),
)
"""Keys that a provider has cut or starred (what is left of those is the key's own), and values behind a telling name."""


_Asking = Callable[[], Awaitable[tuple[ListedModel, ...]]]


class ProbeClient(Protocol):
    """What a probe needs of the provider adapter."""

    def complete(self, request: CompletionRequest) -> AsyncGenerator[TextDelta | Counted | Renewed | Completed, None]:
        """See core.chat.ports.ProviderClient."""
        ...

    async def list_models(
        self, provider: ProviderEntry, profile: AuthProfile | None, deadline: datetime
    ) -> tuple[ListedModel, ...]:
        """The provider's own list, asked with this credential (None: with none). Raises ProviderError."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class ProbeLimits:
    """`timeout` holds for each target, all of its requests together. `completion`: ask for one at once. Without `spends`, none is
    asked for where a provider keeps no list."""

    timeout: timedelta = timedelta(seconds=8)
    concurrency: int = 2
    max_tokens: int = 8
    completion: bool = False
    spends: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class ProbeResult:
    """How one target answered. `check`: `models` (the list) or `completion`. `proven`: whether an `ok` says anything about the
    credential; None for other results. `latency` is that of the deciding request. No text here holds a secret. `failure` is what
    the status was made of."""

    target: Target
    status: ProbeStatus
    check: str
    latency: timedelta
    proven: bool | None = None
    error: str | None = None
    note: str | None = None
    failure: Failure | None = None


@dataclass(frozen=True, slots=True)
class _Outcome:
    """One request: what it gave, or how it failed, and how long it took."""

    listed: tuple[ListedModel, ...]
    failure: Failure | None
    latency: timedelta


class Prober:
    """Runs the targets of a plan. `providers` are the endpoints by id; `told` hears after each target how many are done."""

    def __init__(
        self,
        client: ProbeClient,
        providers: Mapping[str, ProviderEntry],
        limits: ProbeLimits,
        clock: Clock,
        told: Callable[[int], None] = lambda _: None,
    ) -> None:
        self._client = client
        self._providers = providers
        self._limits = limits
        self._clock = clock
        self._told = told
        self._places = asyncio.Semaphore(limits.concurrency)
        self._gives_to_all: dict[str, bool] = {}
        self._done = 0

    async def run(self, targets: Sequence[Target]) -> tuple[ProbeResult, ...]:
        """The results in the order of the targets. At most `concurrency` requests are under way at a time."""
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(self._batch(batch)) for batch in self._batches(targets)]
        return tuple(result for task in tasks for result in task.result())

    def _batches(self, targets: Iterable[Target]) -> list[list[Target]]:
        """One list answers for every model of a credential; a completion only for its own."""
        if self._limits.completion:
            return [[target] for target in targets]
        return [list(batch) for _, batch in groupby(targets, key=lambda t: (t.provider, t.profile.id))]

    async def _batch(self, targets: list[Target]) -> list[ProbeResult]:
        async with self._places:
            if self._limits.completion:
                return [await self._completion(target, self._ends()) for target in targets]
            ends = self._ends()
            listed = await self._list(targets[0], ends)
            if self._limits.spends and listed.failure is not None and listed.failure.status in _NO_LIST:
                note = f"The provider keeps no list of models (status {listed.failure.status}): a completion was asked for."
                # The first shares its time with the list; each of the others is a request of its own.
                times = [ends, *(None for _ in targets[1:])]
                return [
                    await self._completion(t, at or self._ends(), note) for t, at in zip(targets, times, strict=True)
                ]
            is_open = listed.failure is None and await self._is_open(targets[0], ends)
            return [self._by_list(target, listed, is_open) for target in targets]

    def _ends(self) -> float:
        return asyncio.get_running_loop().time() + self._limits.timeout.total_seconds()

    def _by_list(self, target: Target, outcome: _Outcome, is_open: bool) -> ProbeResult:
        notes = [_OPEN] if is_open else []
        if outcome.failure is None and not names(outcome.listed, target.model.name):
            notes.append(f"The list does not name {target.model.name}.")
        return self._result(target, outcome, "models", not is_open, " ".join(notes))

    async def _completion(self, target: Target, ends: float, note: str = "") -> ProbeResult:
        entry = self._providers[target.provider]
        span = self._limits.timeout
        request = CompletionRequest(
            endpoint=Endpoint(provider=entry.id, base_url=entry.base_url, api=entry.api, headers=entry.headers),
            model=target.model.name,
            messages=(Message(Role.USER, _QUESTION),),
            profile=target.profile,
            stream=False,
            max_tokens=self._limits.max_tokens,
            timeouts=Timeouts(connect=span, first_byte=span, silence=span),
        )

        async def answer() -> tuple[ListedModel, ...]:
            async with aclosing(self._client.complete(request)) as pieces:
                async for _ in pieces:
                    pass
            return ()

        return self._result(target, await self._timed(answer, ends), "completion", True, note)

    async def _list(self, target: Target, ends: float) -> _Outcome:
        return await self._timed(lambda: self._ask_list(target.provider, target.profile), ends)

    async def _ask_list(self, provider: str, profile: AuthProfile | None) -> tuple[ListedModel, ...]:
        deadline = self._clock.now() + self._limits.timeout
        return await self._client.list_models(self._providers[provider], profile, deadline)

    async def _is_open(self, target: Target, ends: float) -> bool:
        """Whether the provider gives its list to whoever asks: then it says nothing about a credential."""
        if target.profile.kind is CredentialKind.NONE:
            return False
        known = self._gives_to_all.get(target.provider)
        if known is not None:
            return known
        failure = (await self._timed(lambda: self._ask_list(target.provider, None), ends)).failure
        if failure is None or failure.status is not None:  # else nothing was learnt
            self._gives_to_all[target.provider] = failure is None
        return failure is None

    async def _timed(self, ask: _Asking, ends: float) -> _Outcome:
        loop = asyncio.get_running_loop()
        begun, failure = loop.time(), None
        listed: tuple[ListedModel, ...] = ()
        try:
            async with asyncio.timeout_at(ends):
                listed = await ask()
        except ProviderError as error:
            failure = error.failure
        except TimeoutError:
            seconds = self._limits.timeout.total_seconds()
            failure = Failure(reason=FailureReason.TIMEOUT, detail=f"No answer within {seconds:g} s.")
        return _Outcome(listed, failure, timedelta(seconds=loop.time() - begun))

    def _result(self, target: Target, outcome: _Outcome, check: str, proves: bool, note: str) -> ProbeResult:
        self._done += 1
        self._told(self._done)
        failure = outcome.failure
        return ProbeResult(
            target=target,
            status=status_of(failure) if failure is not None else ProbeStatus.OK,
            check=check,
            latency=outcome.latency,
            proven=proves if failure is None else None,
            error=scrubbed(failure.detail or failure.reason.value) if failure is not None else None,
            note=note or None,
            failure=replace(failure, detail=scrubbed(failure.detail)) if failure is not None else None,
        )


def names(listed: Iterable[ListedModel], model: str) -> bool:
    """Whether a list has a model. A dated id stands for its undated name, one of a vendor's namespace for the bare one."""
    name = model.lower()
    ids = [one.id.lower() for one in listed]
    return any(found == name or found.startswith(f"{name}-") or found.endswith(f"/{name}") for found in ids)


def scrubbed(text: str) -> str:
    """A provider's words as one line of at most 200 characters that shows nothing of a credential, not even a part."""
    line = " ".join(redact(text).removesuffix("…").split())
    for pattern, kept in _SCRUBBED:
        line = pattern.sub(kept, line)
    return line if len(line) <= LONGEST_ERROR else f"{line[: LONGEST_ERROR - 1].rstrip()}…"
