"""A provider client whose logins are good when they go out: refreshed before their end, and once more after a refusal."""

from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import replace
from datetime import datetime
from typing import Protocol

from core.auth.profiles import AuthProfile
from core.chat.completion import Completed, CompletionRequest, Counted, Renewed, TextDelta
from core.errors import FailureReason, ProviderError
from core.models.catalog import ProviderEntry
from core.models.listed import ListedModel


class Logins(Protocol):
    """`core.auth.refreshing.Refresher`, as far as a request needs it. The first two raise ProviderError."""

    async def ready(self, profile: AuthProfile) -> AuthProfile:
        """The profile as it may go out now."""
        ...

    async def after_refusal(self, profile: AuthProfile) -> AuthProfile | None:
        """Another token for one that was refused, or None."""
        ...

    async def close(self) -> None:
        """Wait for what is under way."""
        ...


class PlainClient(Protocol):
    """A client that sends what it is given."""

    def complete(self, request: CompletionRequest) -> AsyncGenerator[TextDelta | Counted | Completed, None]: ...

    async def list_models(
        self, provider: ProviderEntry, profile: AuthProfile | None, deadline: datetime
    ) -> tuple[ListedModel, ...]: ...

    async def close(self) -> None: ...


class RenewingClient:
    """A ProviderClient around another one. Only what can be refreshed is looked at."""

    def __init__(self, client: PlainClient, logins: Logins) -> None:
        self._client = client
        self._logins = logins

    async def complete(
        self, request: CompletionRequest
    ) -> AsyncGenerator[TextDelta | Counted | Renewed | Completed, None]:
        """See core.chat.ports. `Renewed` comes before the first piece that another token than the request's has earned."""
        sent = request
        if request.profile is not None and request.profile.refreshable:
            sent = replace(request, profile=await self._logins.ready(request.profile))
        if sent.profile is not None and sent.profile is not request.profile:
            yield Renewed(sent.profile)
        refusal: ProviderError | None = None
        has_begun = False
        try:
            async with aclosing(self._client.complete(sent)) as pieces:
                async for piece in pieces:
                    has_begun = True
                    yield piece
        except ProviderError as error:
            if has_begun or error.failure.reason is not FailureReason.AUTH:
                raise
            refusal = error
        if refusal is None:
            return
        other = await self._logins.after_refusal(sent.profile) if sent.profile is not None else None
        if other is None:
            raise refusal
        yield Renewed(other)
        async with aclosing(self._client.complete(replace(sent, profile=other))) as pieces:
            async for piece in pieces:
                yield piece

    async def list_models(
        self, provider: ProviderEntry, profile: AuthProfile | None, deadline: datetime
    ) -> tuple[ListedModel, ...]:
        """The provider's own list, asked with a good token. Raises ProviderError."""
        if profile is not None and profile.refreshable:
            profile = await self._logins.ready(profile)
        return await self._client.list_models(provider, profile, deadline)

    async def close(self) -> None:
        """Let every refresh end, then close every connection."""
        try:
            await self._logins.close()
        finally:
            await self._client.close()
