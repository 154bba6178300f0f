"""A CredentialCheck that says what it is told to."""

import asyncio
from collections import defaultdict
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime

from core.auth.profiles import AuthProfile
from core.errors import Failure, FailureReason
from core.models.catalog import ProviderEntry
from core.models.ref import ModelRef


@dataclass(frozen=True, slots=True)
class Checked:
    """One question as it came."""

    profile: str
    model: str
    endpoint: str
    deadline: datetime
    by_answer: bool


class FakeCredentialCheck:
    """`core.commands.ports.CredentialCheck`. `script[profile_id] = [FailureReason.BILLING, None]` is used up; unscripted, every
    credential is accepted. `meanwhile` is awaited while a provider thinks. Look at `asked`."""

    def __init__(self) -> None:
        self.script: dict[str, list[Failure | FailureReason | None]] = defaultdict(list)
        self.asked: list[Checked] = []
        self.meanwhile: Callable[[], Awaitable[object]] = lambda: asyncio.sleep(0)

    async def check(
        self, profile: AuthProfile, provider: ProviderEntry, model: ModelRef, deadline: datetime, *, by_answer: bool
    ) -> Failure | None:
        self.asked.append(Checked(profile.id, str(model), provider.base_url, deadline, by_answer))
        steps = self.script[profile.id]
        said = steps.pop(0) if steps else None
        await self.meanwhile()
        return Failure(reason=said) if isinstance(said, FailureReason) else said
