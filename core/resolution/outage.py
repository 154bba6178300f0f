"""What keeps a credential out, in whose record that stands, and what would prove that it is over. Pure.

A credential is held back by its own record, and by a rate limit in the record of another one of the same account: whoever puts
it back into service has to end both.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from core.auth.eligibility import Eligibility
from core.auth.health import Lane, Window
from core.auth.order import Placed
from core.auth.profiles import AuthProfile
from core.auth.provider_names import credential_provider
from core.errors import FailureReason
from core.models.ref import ModelRef
from core.resolution.resolver import Resolution
from core.resolution.snapshot import Snapshot
from core.resolution.view import model_in_use

MOST_CHECKS = 3
"""Buttons that offer to ask a provider again; they stand below a text that is read on a phone."""
HELD = (FailureReason.RATE_LIMIT, FailureReason.BILLING, FailureReason.AUTH, FailureReason.AUTH_PERMANENT)
"""Refusals that are about the credential, and not about the way there or the request."""
_LIST_PROVES = (FailureReason.AUTH, FailureReason.AUTH_PERMANENT)


@dataclass(frozen=True, slots=True)
class Hold:
    """One window and the credential in whose record it stands."""

    profile: AuthProfile
    window: Window


def recorded(snapshot: Snapshot, profile: AuthProfile, model: str = "") -> tuple[Hold, ...]:
    """Every window, open or ended, that counts for this credential with `model` (empty: with whichever): its own first."""
    found = [Hold(profile, window) for window in snapshot.health_of(profile).concerning(model)]
    for other in snapshot.credentials.profiles.values():
        if other.id != profile.id and _shares_account(other, profile):
            limits = snapshot.health_of(other).concerning(model, Lane.COOLDOWN)
            found += [Hold(other, window) for window in limits]
    return tuple(found)


def _shares_account(one: AuthProfile, other: AuthProfile) -> bool:
    same = credential_provider(one.provider) == credential_provider(other.provider)
    return one.account is not None and one.account == other.account and same


def needs_answer(windows: Iterable[Window]) -> bool:
    """Whether only an answer of the model proves that these are over. A list of models shows that the provider knows the
    credential; of its credit and its limits it says nothing."""
    return any(window.reason not in _LIST_PROVES for window in windows)


def in_use(snapshot: Snapshot, resolution: Resolution) -> tuple[tuple[ModelRef, Placed], ...]:
    """Every credential of the providers that a session uses, with the model that it would serve there."""
    agent = snapshot.agent
    providers = dict.fromkeys(ref.provider for ref in (resolution.selected.ref, agent.default, *agent.fallbacks))
    models = [model_in_use(snapshot, resolution, provider) for provider in providers]
    return tuple((model, placed) for model in models for placed in snapshot.placed(model))


def is_out(placed: Placed) -> bool:
    """Whether its record alone keeps it from serving: then a provider that accepts it again brings it back."""
    may = placed.eligibility is Eligibility.OK
    return may and placed.profile is not None and placed.block is not None


def check_choices(placed: Iterable[Placed]) -> list[tuple[str, str]]:
    """A label and a command for each credential that is out, at most three. For owners only."""
    out = dict.fromkeys(one.id for one in placed if is_out(one))
    return [(f"Check {name} again", f"/recheck {name}") for name in out][:MOST_CHECKS]
