"""Live checks of a provider: whether it takes a credential, and what models it lists.

The list comes first: it costs no tokens, and is what somebody chooses a model from. A provider that keeps none is asked for a
short completion once the model is known.
"""

import sys
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from bot import onboard_wiring as wiring
from bot.cli import prompts
from bot.onboard.draft import Check, Credential, Draft, Verdict
from core.auth.profiles import CredentialKind
from core.errors import ProviderError
from core.models.ref import ModelRef
from core.resolution.probe import ProbeStatus, Target

if TYPE_CHECKING:
    from bot.interrupts import Interrupts
    from bot.probing import ProbeResult
    from bot.provider_clients import ProviderClients
    from core.auth.profiles import AuthProfile
    from core.models.catalog import ProviderEntry
    from core.models.listed import ListedModel

_PATIENCE = timedelta(seconds=8)
"""As long as `models status --probe` waits."""
_NO_LIST = (404, 405, 501)
_OPEN = (
    "{} lists its models without a key too, so nothing is known of this key. To ask with it: "
    "remoteclaw models status --probe --probe-level completion"
)
_WORDS = {
    ProbeStatus.AUTH: "does not accept the credential",
    ProbeStatus.RATE_LIMIT: "limits this credential at the moment",
    ProbeStatus.BILLING: "says that there is no credit",
    ProbeStatus.TIMEOUT: "did not answer in time",
    ProbeStatus.FORMAT: "refused the request",
}


@dataclass(frozen=True, slots=True)
class Answer:
    """What a provider said of a credential. `trouble`: why it does not serve, in a sentence; None: nothing speaks against it.
    `models` are those that it lists. `check` is None where only a completion can tell, for there is no list."""

    trouble: str | None
    models: "tuple[ListedModel, ...]"
    check: Check | None


def say_meanwhile(words: str) -> None:
    """What is being waited for, or what came of it, where somebody is at a terminal to wonder."""
    if sys.stderr is not None and sys.stderr.isatty():
        prompts.tell(words)


def ask_about(draft: Draft, credential: Credential, provider: str, *, asks: bool) -> Answer:
    """Whether a provider takes a credential, by its list of models. Without `asks` nobody is asked."""
    profile = credential.profile
    why = credential.unasked if asks else "--skip-checks says so"
    if why is not None or profile is None:
        name = credential.name or provider
        return Answer(None, (), Check("credential", name, Verdict.UNKNOWN, f"{name} was not checked, for {why}."))
    listed: list[ListedModel] = []
    endpoint = _endpoint(draft, provider)

    async def ask(client: "ProviderClients") -> "ProbeResult":
        result = await _probed(client, endpoint, profile, ModelRef(provider, ""))
        if result.status is ProbeStatus.OK:
            listed.extend(await _listed(client, endpoint, profile))
        return result

    say_meanwhile(f"Asking {provider} at {endpoint.base_url} ...")
    result = _with_client(draft, ask)
    if result.failure is not None and result.failure.status in _NO_LIST:
        return Answer(None, (), None)
    return _answer(profile, endpoint, result, tuple(listed))


def ask_for_completion(draft: Draft, profile: "AuthProfile", model: ModelRef) -> Answer:
    """Whether a provider that keeps no list answers with this credential and this model: at most 8 tokens."""
    endpoint = _endpoint(draft, model.provider)

    async def ask(client: "ProviderClients") -> "ProbeResult":
        return await _probed(client, endpoint, profile, model)

    say_meanwhile(f"{model.provider} lists no models. Asking {model} for an answer of at most 8 tokens ...")
    return _answer(profile, endpoint, _with_client(draft, ask), ())


def _answer(
    profile: "AuthProfile",
    endpoint: "ProviderEntry",
    result: "ProbeResult",
    listed: "tuple[ListedModel, ...]",
) -> Answer:
    if result.status is not ProbeStatus.OK:
        words = _WORDS.get(result.status, "could not be asked")
        status = f" (HTTP {result.failure.status})" if result.failure is not None and result.failure.status else ""
        said = f": {result.error.rstrip('.')}" if result.error else ""
        trouble = f"{endpoint.id} at {endpoint.base_url} {words}{status}{said}."
        return Answer(trouble, (), Check("credential", profile.id, Verdict.FAILED, trouble))
    if result.proven is False:
        return Answer(None, listed, Check("credential", profile.id, Verdict.UNKNOWN, _OPEN.format(endpoint.id)))
    keyless = profile.kind is CredentialKind.NONE
    accepted = f"{endpoint.id} answers without a key." if keyless else f"{endpoint.id} accepts {profile.id}."
    say_meanwhile(accepted)
    return Answer(None, listed, Check("credential", profile.id, Verdict.OK, accepted))


async def _probed(
    client: "ProviderClients", endpoint: "ProviderEntry", profile: "AuthProfile", model: ModelRef
) -> "ProbeResult":
    """By the list as long as no model is named, else by a completion."""
    from bot.probing import ProbeLimits, Prober

    limits = ProbeLimits(timeout=_PATIENCE, completion=bool(model.name), spends=False)
    prober = Prober(client, {endpoint.id: endpoint}, limits, wiring.system_clock())
    (result,) = await prober.run([Target(provider=endpoint.id, model=model, profile=profile)])
    return result


async def _listed(
    client: "ProviderClients", endpoint: "ProviderEntry", profile: "AuthProfile"
) -> "tuple[ListedModel, ...]":
    import asyncio

    try:
        async with asyncio.timeout(_PATIENCE.total_seconds()):
            return await client.list_models(endpoint, profile, wiring.system_clock().now() + _PATIENCE)
    except (ProviderError, TimeoutError):
        return ()


def _endpoint(draft: Draft, provider: str) -> "ProviderEntry":
    """Where a provider is, with the headers that references give."""
    entry = draft.catalog.providers[provider]
    headers = draft.desk.stores.source.headers()
    return replace(entry, headers=headers[provider]) if provider in headers else entry


def _with_client(draft: Draft, ask: "Callable[[ProviderClients], Coroutine[Any, Any, ProbeResult]]") -> "ProbeResult":
    """Raises KeyboardInterrupt where a signal has ended it."""
    from bot.claude_wiring import Claude
    from bot.cli import exit_codes
    from bot.interrupts import run_interruptible
    from bot.unwaited_threads import wait_for_no_thread

    claude = Claude(draft.settings, draft.desk.paths, draft.environment)
    found: list[ProbeResult] = []

    async def asking(_: "Interrupts") -> int:
        wait_for_no_thread()
        client = wiring.open_client(claude)
        try:
            found.append(await ask(client))
        finally:
            await client.close()
        return exit_codes.OK

    if run_interruptible(asking) == exit_codes.INTERRUPTED:
        raise KeyboardInterrupt
    return found[0]
