"""What commands need from outside beside what is stored."""

from datetime import datetime
from typing import Protocol

from core.auth.profiles import AuthProfile
from core.errors import Failure
from core.models.catalog import ProviderEntry
from core.models.ref import ModelRef


class CredentialCheck(Protocol):
    """Asks a provider whether it accepts a credential."""

    async def check(
        self, profile: AuthProfile, provider: ProviderEntry, model: ModelRef, deadline: datetime, *, by_answer: bool
    ) -> Failure | None:
        """Ask with this credential and no other, once, and be done by `deadline`. None: it is accepted.

        `by_answer`: only a short answer of `model` proves it, and the provider's list of models does not. Writes no health and
        raises for nothing that a provider does; `Failure.detail` shows nothing of the credential.
        """
        ...
