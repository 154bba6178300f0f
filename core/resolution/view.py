"""A resolution as the JSON of interfaces.md. The one place that knows its shape; words for people are made elsewhere."""

from collections.abc import Callable, Iterable
from datetime import datetime
from typing import Any

from core.auth.eligibility import Eligibility, expiry_moment
from core.auth.health import Lane
from core.auth.order import Placed
from core.auth.profiles import AuthProfile, CredentialKind
from core.durations import iso
from core.models.ref import ModelRef
from core.resolution.resolver import Pinned, Resolution
from core.resolution.snapshot import Snapshot

Sees = Callable[[AuthProfile], bool]


def everyone(profile: AuthProfile) -> bool:
    """The operator on the host sees every profile."""
    return True


def session_view(
    snapshot: Snapshot, resolution: Resolution, sees: Sees = everyone, owner: bool = True
) -> dict[str, Any]:
    """`status.data`, `models explain --json`, and `session` of `models status --json`.

    Profiles that the viewer may not see are left out, except the one in force, whose name core.screening takes out on the way
    to that viewer. Fingerprints are for owners.
    """
    providers = dict.fromkeys(
        [resolution.selected.ref.provider, snapshot.agent.default.provider]
        + [ref.provider for ref in snapshot.agent.fallbacks]
    )
    return {
        "session": str(snapshot.session.key),
        "agent": snapshot.session.key.agent,
        "model": model_view(snapshot, resolution),
        "pin": pin_view(resolution.pinned),
        "next": {
            "model": str(resolution.next.model),
            "profile": resolution.next.profile,
            "reason": resolution.next.reason.value,
            "until": iso(resolution.next.until),
        },
        "default": str(snapshot.agent.default),
        "candidates": [
            {"model": str(c.model), "profile": c.profile.id}
            for c in resolution.candidates
            if c.profile.id == resolution.next.profile or sees(c.profile)
        ],
        "providers": [provider_view(snapshot, resolution, provider, sees, owner) for provider in providers],
    }


def model_view(snapshot: Snapshot, resolution: Resolution) -> dict[str, Any]:
    """The model in force and where it comes from."""
    selected = resolution.selected
    chosen = selected.choice if selected.choice is not None and selected.choice.model == selected.ref else None
    return {
        "ref": str(selected.ref),
        "alias": next(iter(snapshot.rules.catalog.aliases_of(selected.ref)), None),
        "source": selected.source.value,
        "set_by": chosen.set_by if chosen else None,
        "set_at": iso(chosen.set_at) if chosen else None,
    }


def pin_view(pinned: Pinned | None) -> dict[str, Any] | None:
    """The pin in force, or None."""
    if pinned is None:
        return None
    at = pinned.pin.set_at if pinned.pin else pinned.auto.set_at if pinned.auto else None
    return {
        "profile": pinned.profile,
        "source": pinned.source.value,
        "mode": pinned.mode.value,
        "set_by": pinned.pin.set_by if pinned.pin else None,
        "set_at": iso(at),
        "expires_at": iso(pinned.choice.expires_at) if pinned.choice else None,
        "turns_left": pinned.choice.turns_left if pinned.choice else None,
    }


def provider_view(
    snapshot: Snapshot, resolution: Resolution | None, provider: str, sees: Sees = everyone, owner: bool = True
) -> dict[str, Any]:
    """A provider's endpoint and every candidate in order, as they stand for the model that the session would use there."""
    entry = snapshot.rules.catalog.providers.get(provider)
    model = model_in_use(snapshot, resolution, provider)
    pinned = resolution.pinned.profile if resolution and resolution.pinned else None
    placed: Iterable[Placed] = snapshot.placed(model)
    if resolution and resolution.pinned and resolution.selected.ref.provider == provider:
        stands = resolution.pinned.placed
        placed = [*placed, *([] if any(p.id == stands.id for p in placed) else [stands])]
    return {
        "provider": provider,
        "base_url": entry.base_url if entry else None,
        "api": entry.api if entry else None,
        "candidates": [
            candidate_view(snapshot, p, p.id == pinned, owner, p.profile is None or sees(p.profile))
            for p in placed
            if p.id == pinned or p.profile is None or sees(p.profile)
        ],
    }


def model_in_use(snapshot: Snapshot, resolution: Resolution | None, provider: str) -> ModelRef:
    """The model of a provider for which states are shown: the selected one, the default, a fallback, the first listed."""
    refs = [resolution.selected.ref] if resolution else []
    refs += [snapshot.agent.default, *snapshot.agent.fallbacks]
    entry = snapshot.rules.catalog.providers.get(provider)
    refs += [m.ref for m in entry.models] if entry else []
    return next((ref for ref in refs if ref.provider == provider), ModelRef(provider, ""))


def candidate_view(snapshot: Snapshot, placed: Placed, pinned: bool, owner: bool, seen: bool = True) -> dict[str, Any]:
    """One credential. `reason` is the failure that keeps it out, or why it may not be used at all. Where it is not to be `seen`
    there is only how it stands."""
    profile = placed.profile
    state, reason, until, scope = standing(placed)
    return {
        "profile": placed.id,
        "kind": (profile.kind if profile else CredentialKind.NONE).value,
        "state": state,
        "reason": reason,
        "until": iso(until),
        "model_scope": scope,
        "position": placed.position,
        "pinned": pinned,
        "last_used": iso(snapshot.health_of(profile).last_used) if profile else None,
        "expires_at": iso(expiry_moment(profile.expires)) if profile else None,
        "fingerprint": profile.fingerprint if profile and owner else None,
        "label": profile.label if profile and seen else None,
    }


def standing(placed: Placed) -> tuple[str, str | None, datetime | None, str | None]:
    """State, reason, return, and the model that it concerns: `ready`, `cooling`, `disabled` or `ineligible`."""
    if placed.reason is not Eligibility.OK:
        return "ineligible", placed.reason.value, None, None
    window = placed.block
    if window is None:
        return "ready", None, None, None
    state = "cooling" if window.lane is Lane.COOLDOWN else "disabled"
    return state, window.reason.value, window.until, window.model or None
