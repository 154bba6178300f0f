"""Every way to a model behind one client: over HTTP with a credential of ours, or through the Claude command line with its own."""

from collections.abc import AsyncGenerator
from datetime import datetime
from typing import Protocol

from core.auth.cli_login import PROVIDER
from core.auth.profiles import AuthProfile, CredentialKind
from core.chat.completion import Completed, CompletionRequest, Counted, TextDelta
from core.errors import Failure, FailureReason, ProviderError
from core.models.catalog import ProviderEntry
from core.models.listed import ListedModel

_NO_LIST = 501
"""The status of a provider that keeps none."""


class Answering(Protocol):
    """Whoever answers; see core.chat.ports.ProviderClient."""

    def complete(self, request: CompletionRequest) -> AsyncGenerator[TextDelta | Counted | Completed, None]: ...


class HttpAnswering(Answering, Protocol):
    """Who speaks to providers over HTTP."""

    async def list_models(
        self, provider: ProviderEntry, profile: AuthProfile | None, deadline: datetime
    ) -> tuple[ListedModel, ...]: ...

    async def close(self) -> None: ...


class ProviderClients:
    """The credential decides the way as much as the provider does: a login of the command line never goes over HTTP."""

    def __init__(self, http: HttpAnswering, cli: Answering) -> None:
        self._http = http
        self._cli = cli

    def complete(self, request: CompletionRequest) -> AsyncGenerator[TextDelta | Counted | Completed, None]:
        """See core.chat.ports.ProviderClient."""
        is_cli = _is_cli(request.endpoint.api, request.profile)
        return (self._cli if is_cli else self._http).complete(request)

    async def list_models(
        self, provider: ProviderEntry, profile: AuthProfile | None, deadline: datetime
    ) -> tuple[ListedModel, ...]:
        """What the provider says that it serves. Raises ProviderError; `status` is 501 where there is no list to ask for."""
        if _is_cli(provider.api, profile):
            told = "The Claude CLI has no list of models."
            raise ProviderError(Failure(reason=FailureReason.FORMAT, status=_NO_LIST, detail=told))
        return await self._http.list_models(provider, profile, deadline)

    async def close(self) -> None:
        """Close every connection. A run of the command line ends with whoever waits for it."""
        await self._http.close()


def _is_cli(api: str, profile: AuthProfile | None) -> bool:
    return api == PROVIDER or (profile is not None and profile.kind is CredentialKind.CLI)
