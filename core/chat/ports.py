"""What a turn needs from outside: a provider, and to be alone in its session."""

from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager
from typing import Protocol

from core.chat.completion import Completed, CompletionRequest, Counted, Renewed, TextDelta
from core.sessions.key import SessionKey


class ProviderClient(Protocol):
    """Speaks every API kind of the installation."""

    def complete(self, request: CompletionRequest) -> AsyncIterator[TextDelta | Counted | Renewed | Completed]:
        """Yield pieces of text as they come (none, if `request.stream` is false), and counts where a stream tells them on the way;
        then exactly one Completed. Renewed comes before anything else: whose token is on its way instead of the request's.

        Raises ProviderError for everything that the provider or the way to it does wrong, and nothing else.
        """
        ...


class TurnGuard(Protocol):
    """Keeps turns of one session apart that run in different processes on the same state directory."""

    def hold(self, key: SessionKey) -> AbstractAsyncContextManager[None]:
        """Wait for the session and hold it. A process that dies lets go of it."""
        ...
