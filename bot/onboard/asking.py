"""Live checks: whether a provider takes a credential, what models it lists, whose a bot token is."""

from collections.abc import Callable, Coroutine
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from bot import onboard_wiring as wiring
from bot.onboard.draft import Credential, Draft
from core.errors import ProviderError
from core.models.ref import ModelRef
from core.resolution.probe import ProbeStatus, Target

if TYPE_CHECKING:
    from bot.interrupts import Interrupts
    from bot.probing import ProbeResult
    from bot.provider_clients import ProviderClients
    from core.models.catalog import ProviderEntry

_PATIENCE = timedelta(seconds=8)
"""As long as `models status --probe` waits."""
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


def trouble_with(draft: Draft, credential: Credential, model: ModelRef) -> str | None:
    """Why a credential does not serve its provider, in a sentence; None: it does. What is worth knowing becomes a note."""
    from bot.probing import ProbeLimits, Prober

    profile = credential.profile
    if profile is None or not credential.can_be_asked:
        return None
    target = Target(provider=model.provider, model=model, profile=profile)
    endpoint = _endpoint(draft, model.provider)
    found: list[ProbeResult] = []

    async def ask(client: "ProviderClients") -> None:
        prober = Prober(client, {endpoint.id: endpoint}, ProbeLimits(timeout=_PATIENCE), wiring.system_clock())
        found.extend(await prober.run([target]))

    _with_client(draft, ask)
    (result,) = found
    if result.status is ProbeStatus.OK:
        if result.proven is False:
            draft.notes.append(_OPEN.format(endpoint.id))
        elif result.note is not None:
            draft.notes.append(result.note)
        return None
    words = _WORDS.get(result.status, "could not be asked")
    status = f" (HTTP {result.failure.status})" if result.failure is not None and result.failure.status else ""
    said = f": {result.error.rstrip('.')}" if result.error else ""
    return f"{endpoint.id} at {endpoint.base_url} {words}{status}{said}."


def listed_models(draft: Draft, credential: Credential, provider: str) -> list[str]:
    """What a provider says that it serves; nothing where it does not say."""
    if not credential.can_be_asked:
        return []
    endpoint, clock = _endpoint(draft, provider), wiring.system_clock()
    found: list[str] = []

    async def ask(client: "ProviderClients") -> None:
        import asyncio

        try:
            async with asyncio.timeout(_PATIENCE.total_seconds()):
                listed = await client.list_models(endpoint, credential.profile, clock.now() + _PATIENCE)
        except (ProviderError, TimeoutError):
            return
        found.extend(model.id for model in listed)

    _with_client(draft, ask)
    return found


def _endpoint(draft: Draft, provider: str) -> "ProviderEntry":
    """Where a provider is, with the headers that references give."""
    entry = draft.catalog.providers[provider]
    headers = draft.desk.stores.source.headers()
    return replace(entry, headers=headers[provider]) if provider in headers else entry


def _with_client(draft: Draft, ask: "Callable[[ProviderClients], Coroutine[Any, Any, None]]") -> None:
    """Raises KeyboardInterrupt where a signal has ended it."""
    from bot.claude_wiring import Claude
    from bot.cli import exit_codes
    from bot.interrupts import run_interruptible
    from bot.unwaited_threads import wait_for_no_thread

    claude = Claude(draft.settings, draft.desk.paths, draft.environment)

    async def asking(_: "Interrupts") -> int:
        wait_for_no_thread()
        client = wiring.open_client(claude)
        try:
            await ask(client)
        finally:
            await client.close()
        return exit_codes.OK

    if run_interruptible(asking) == exit_codes.INTERRUPTED:
        raise KeyboardInterrupt
