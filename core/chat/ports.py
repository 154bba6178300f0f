"""What a turn needs from a provider."""

from collections.abc import AsyncIterator
from typing import Protocol

from core.chat.completion import Completed, CompletionRequest, TextDelta


class ProviderClient(Protocol):
    """Speaks every API kind of the installation."""

    def complete(self, request: CompletionRequest) -> AsyncIterator[TextDelta | Completed]:
        """Yield pieces of text as they come (none, if `request.stream` is false), then exactly one Completed.

        Raises ProviderError for everything that the provider or the way to it does wrong, and nothing else.
        """
        ...
