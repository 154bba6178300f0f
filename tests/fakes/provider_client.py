"""A ProviderClient that says what it is told to."""

import asyncio
from collections import defaultdict
from collections.abc import AsyncGenerator
from dataclasses import dataclass, field

from core.chat.completion import Completed, CompletionRequest, Counted, TextDelta, Usage
from core.errors import Failure, FailureReason, ProviderError


@dataclass(frozen=True, slots=True)
class Breaks:
    """Some text, then a failure."""

    text: str
    failure: Failure


@dataclass(slots=True)
class Held:
    """An answer that waits for `release.set()`, after it has said `first`. `started` is set when it waits."""

    text: str
    first: str = ""
    release: asyncio.Event = field(default_factory=asyncio.Event)
    started: asyncio.Event = field(default_factory=asyncio.Event)


Outcome = str | Failure | FailureReason | Breaks | Held


class FakeProviderClient:
    """`client.script[profile_id] = ["text", FailureReason.RATE_LIMIT, ...]` is used up outcome by outcome.

    Unscripted it answers `served-by:<profile id>` (`served-by:none` without a credential). `requests` are all that came.
    """

    def __init__(self) -> None:
        self.script: dict[str, list[Outcome]] = defaultdict(list)
        self.requests: list[CompletionRequest] = []
        self.usage = Usage(7, 3)
        self.stop_reason = "stop"

    @property
    def served(self) -> list[str]:
        """The profile ids of the requests, in order."""
        return [_profile(request) for request in self.requests]

    async def complete(self, request: CompletionRequest) -> AsyncGenerator[TextDelta | Counted | Completed, None]:
        self.requests.append(request)
        steps = self.script[_profile(request)]
        outcome = steps.pop(0) if steps else f"served-by:{_profile(request)}"
        if isinstance(outcome, Held):
            if outcome.first:
                yield Counted(Usage(self.usage.input_tokens))
                yield TextDelta(outcome.first)
            outcome.started.set()
            await outcome.release.wait()
        if isinstance(outcome, FailureReason):
            outcome = Failure(reason=outcome)
        if isinstance(outcome, Failure):
            raise ProviderError(outcome)
        text = outcome if isinstance(outcome, str) else outcome.text
        if request.stream:
            for word in text.split(" ")[:-1]:
                yield TextDelta(f"{word} ")
            if last := text.rpartition(" ")[2]:
                yield TextDelta(last)
        if isinstance(outcome, Breaks):
            yield Counted(self.usage)
            raise ProviderError(outcome.failure)
        yield Completed(text, self.usage, self.stop_reason)

    async def close(self) -> None:
        """Nothing to close."""


def _profile(request: CompletionRequest) -> str:
    return request.profile.id if request.profile is not None else "none"
