"""`models list --refresh`: asks providers for their own lists of models and keeps the answers in models.json.

Looks and changes nothing else: no health is written, no other credential is tried. A provider that does not answer keeps what
the file has of it.
"""

import asyncio
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Protocol

from bot.models_documents import Makings, sources_of, write
from core.auth.cli_login import PROVIDER as CLAUDE_CLI
from core.auth.profiles import AuthProfile, CredentialKind
from core.auth.provider_names import provider_id
from core.errors import BotError, Failure, FailureReason, ProviderError, shown
from core.models.catalog import ModelEntry, ProviderEntry
from core.models.document import ModelsDocument
from core.models.listed import ListedModel
from core.models.ref import ModelRef
from core.resolution.snapshot import Snapshot
from core.resolution.view import model_in_use
from core.sessions.key import DEFAULT_AGENT, SessionKey

if TYPE_CHECKING:
    from bot.app import Inspection

OK = "ok"
NO_CREDENTIALS = "no_credentials"
EMPTY = "empty"


class ListClient(Protocol):
    """What a refresh needs of the provider adapter."""

    async def list_models(
        self, provider: ProviderEntry, profile: AuthProfile | None, deadline: datetime
    ) -> tuple[ListedModel, ...]:
        """The provider's own list, asked with this credential. Raises ProviderError."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class RefreshLimits:
    """`timeout` holds for each provider; at most `concurrency` are asked at a time."""

    timeout: timedelta = timedelta(seconds=15)
    concurrency: int = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class RefreshRow:
    """What came of one provider. `outcome` is `ok`, `no_credentials`, `empty` or a failure reason; `models` is how many the
    provider has named, `added` and `gone` which of them are new or missing since its last list. `detail` says why it failed."""

    provider: str
    outcome: str
    profile: str | None = None
    models: int = 0
    added: tuple[str, ...] = ()
    gone: tuple[str, ...] = ()
    detail: str = ""


@dataclass(frozen=True, slots=True)
class _Answer:
    """What one provider said."""

    provider: str
    profile: AuthProfile | None
    models: tuple[ListedModel, ...] = ()
    failure: Failure | None = None


async def refresh_models(
    inspection: "Inspection",
    makings: Makings,
    client: ListClient,
    provider: str | None = None,
    agent: str = DEFAULT_AGENT,
    limits: RefreshLimits | None = None,
) -> tuple[RefreshRow, ...]:
    """Ask the provider, or every provider on offer, with the credential that the resolver would use there, and write what
    they say into the agent's models.json. Rows in the order of the catalogue.

    Raises BotError: `unknown_provider`, `models_mode` where the config wants nothing but itself, and StoreError where the file
    cannot be written. The rules of `inspection` are those of before; open another one to see what the file adds.
    """
    snapshot = inspection.snapshots.take(SessionKey(agent, "main"))
    wanted = _wanted(snapshot, makings, provider)
    bounds = limits or RefreshLimits()
    places = asyncio.Semaphore(bounds.concurrency)
    endpoints = inspection.providers(snapshot.rules)
    async with asyncio.TaskGroup() as group:
        tasks = [
            group.create_task(_ask(client, endpoints[name], _credential(snapshot, name), inspection, bounds, places))
            for name in wanted
        ]
    answers = [task.result() for task in tasks]
    before = makings.store.load(agent)
    listed = {a.provider: _entries(a) for a in answers if a.models}
    if listed:
        write(makings, agent, sources_of(makings, agent, snapshot.credentials, listed))
    return tuple(_row(answer, before) for answer in answers)


def _wanted(snapshot: Snapshot, makings: Makings, provider: str | None) -> list[str]:
    if makings.settings.models.mode == "replace":
        raise BotError(
            "models_mode",
            'models.mode is "replace": models.json holds the configuration alone.',
            'Set models.mode = "merge" to keep what providers say.',
        )
    known = snapshot.rules.catalog.providers
    if provider is None:
        return [name for name, entry in known.items() if name in snapshot.offered and entry.api != CLAUDE_CLI]
    name = provider_id(provider)
    if name not in known:
        raise BotError(
            "unknown_provider",
            f"There is no provider {shown(provider)}.",
            f"Known here: {', '.join(p for p in known if p in snapshot.offered) or 'none'}.",
        )
    return [name]


def _credential(snapshot: Snapshot, provider: str) -> AuthProfile | None:
    """The credential that the next request to this provider would carry, of those that can ask for a list."""
    placed = snapshot.placed(model_in_use(snapshot, None, provider))
    usable = (p.profile for p in placed if p.usable and p.profile is not None)
    return next((profile for profile in usable if profile.kind is not CredentialKind.CLI), None)


async def _ask(
    client: ListClient,
    endpoint: ProviderEntry,
    profile: AuthProfile | None,
    inspection: "Inspection",
    limits: RefreshLimits,
    places: asyncio.Semaphore,
) -> _Answer:
    if profile is None:
        return _Answer(endpoint.id, None)
    async with places:
        seconds = limits.timeout.total_seconds()
        try:
            async with asyncio.timeout(seconds):
                deadline = inspection.clock.now() + limits.timeout
                return _Answer(endpoint.id, profile, await client.list_models(endpoint, profile, deadline))
        except ProviderError as error:
            failure = error.failure
        except TimeoutError:
            failure = Failure(reason=FailureReason.TIMEOUT, detail=f"No answer within {seconds:g} s.")
    return _Answer(endpoint.id, profile, failure=failure)


def _entries(answer: _Answer) -> tuple[ModelEntry, ...]:
    return tuple(
        ModelEntry(
            ref=ModelRef(answer.provider, model.id),
            name=model.name,
            context_window=model.context_window,
            max_tokens=model.max_tokens,
            inputs=model.inputs,
            price=model.price,
        )
        for model in answer.models
    )


def _row(answer: _Answer, before: ModelsDocument) -> RefreshRow:
    if answer.profile is None:
        told = "No credential of it can be used now. See `remoteclaw models status`."
        return RefreshRow(provider=answer.provider, outcome=NO_CREDENTIALS, detail=told)
    if answer.failure is not None:
        failure = answer.failure
        return RefreshRow(
            provider=answer.provider, outcome=failure.reason.value, profile=answer.profile.id, detail=failure.detail
        )
    if not answer.models:
        told = "The list is empty; what was known of it stays."
        return RefreshRow(provider=answer.provider, outcome=EMPTY, profile=answer.profile.id, detail=told)
    known = before.providers.get(answer.provider)
    old, new = known.listed if known is not None else frozenset(), {model.id for model in answer.models}
    return RefreshRow(
        provider=answer.provider,
        outcome=OK,
        profile=answer.profile.id,
        models=len(new),
        added=tuple(sorted(new - old)),
        gone=tuple(sorted(old - new)),
    )
