"""Asks a provider whether it accepts a credential that is out, with the requests of `models status --probe`.

The list of models comes first, because it costs nothing: a refusal there is an answer. That it is given proves as much as what
keeps the credential out allows (core.resolution.outage.needs_answer), and nothing where the provider gives it to everybody,
keeps none, or does not show it to this key, which may be allowed to answer and not to list. Then a completion of eight tokens
decides.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

from bot.probing import ProbeClient, ProbeLimits, Prober, ProbeResult
from core.auth.profiles import AuthProfile
from core.clock import Clock
from core.errors import Failure, FailureReason
from core.models.catalog import ProviderEntry
from core.models.ref import ModelRef
from core.resolution.probe import Target

_SILENT_STATUS = (403, 404, 405, 501)
_SILENT_REASON = (FailureReason.FORMAT, FailureReason.MODEL_NOT_FOUND, FailureReason.UNKNOWN)
_SHORTEST = 0.1
_NO_LIST = "The provider gives this key no list of models."
_OPEN = "The provider lists its models without a key too."
_NO_PROOF = "The provider knows the key, but its list of models says nothing about credit and limits."


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """What a provider said. Neither `accepted` nor a `failure`: it proves nothing, for the reason in `note`. `check` is `models`
    (the list) or `completion`."""

    model: ModelRef
    check: str
    latency: timedelta
    accepted: bool
    failure: Failure | None = None
    note: str | None = None


class ProviderCheck:
    """`core.commands.ports.CredentialCheck`, and its two requests one by one, for who asks a person before tokens are spent."""

    def __init__(self, client: ProbeClient, clock: Clock) -> None:
        self._client = client
        self._clock = clock

    async def check(
        self, profile: AuthProfile, provider: ProviderEntry, model: ModelRef, deadline: datetime, *, by_answer: bool
    ) -> Failure | None:
        """Ask for the list, and where that is no proof for a completion."""
        said = await self.by_list(profile, provider, model, deadline, by_answer=by_answer)
        if not said.accepted and said.failure is None:
            said = await self.by_answer(profile, provider, model, deadline)
        return said.failure

    async def by_list(
        self, profile: AuthProfile, provider: ProviderEntry, model: ModelRef, deadline: datetime, *, by_answer: bool
    ) -> Said:
        """What the list of models says. With `by_answer` it cannot say that the credential is accepted."""
        result = await self._ask(profile, provider, model, deadline, completion=False)
        note, failure = None, result.failure
        if failure is not None and (failure.status in _SILENT_STATUS or failure.reason in _SILENT_REASON):
            note, failure = _NO_LIST, None
        elif failure is None and not result.proven:
            note = _OPEN
        elif failure is None and by_answer:
            note = _NO_PROOF
        return _said(result, failure, note)

    async def by_answer(
        self, profile: AuthProfile, provider: ProviderEntry, model: ModelRef, deadline: datetime
    ) -> Said:
        """What a completion of eight tokens says."""
        result = await self._ask(profile, provider, model, deadline, completion=True)
        return _said(result, result.failure, None)

    async def _ask(
        self, profile: AuthProfile, provider: ProviderEntry, model: ModelRef, deadline: datetime, *, completion: bool
    ) -> ProbeResult:
        left = max(_SHORTEST, round((deadline - self._clock.now()).total_seconds(), 1))
        limits = ProbeLimits(timeout=timedelta(seconds=left), completion=completion, spends=False)
        prober = Prober(self._client, {provider.id: provider}, limits, self._clock)
        (result,) = await prober.run([Target(provider=provider.id, model=model, profile=profile)])
        return result


def _said(result: ProbeResult, failure: Failure | None, note: str | None) -> Said:
    return Said(
        model=result.target.model,
        check=result.check,
        latency=result.latency,
        accepted=failure is None and note is None,
        failure=failure,
        note=note,
    )
