"""The `auth.providers` rows of `models status`: for each provider what serves it, and every credential that it has.

No character of a secret is shown (product.md 1): a credential is told from another by its fingerprint (`fp:1a2b3c4d`), or named
by its reference (`ref(source:provider:id)`).
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from core.auth.eligibility import Eligibility
from core.auth.health import Lane, Window
from core.auth.profiles import AuthProfile, CredentialKind
from core.auth.provider_names import credential_provider, provider_id
from core.durations import format_duration
from core.resolution.credential_health import STORED_KINDS
from core.resolution.origin import ProbeSource, source_of
from core.resolution.resolver import Resolution
from core.resolution.snapshot import Snapshot
from core.resolution.view import model_in_use

_COUNTED = (CredentialKind.OAUTH, CredentialKind.TOKEN, CredentialKind.API_KEY)
_SURROUNDINGS = (ProbeSource.ENV.value, ProbeSource.CONFIG.value, ProbeSource.MODELS_JSON.value)


def provider_rows(agent: Snapshot, resolution: Resolution, in_use: Sequence[str]) -> list[dict[str, Any]]:
    """One row for each provider that has a credential of any kind, sorted. `resolution` is what a new session would get."""
    by_owner: dict[str, list[AuthProfile]] = {}
    for profile in agent.credentials.profiles.values():
        by_owner.setdefault(credential_provider(profile.provider), []).append(profile)
    configured = [name for name, entry in agent.rules.catalog.providers.items() if entry.is_configured]
    named = [provider_id(profile.provider) for profile in agent.credentials.profiles.values()]
    windows = agent.open_windows()
    names = sorted({*named, *configured, *in_use})
    heads = {c.model.provider: c.profile for c in reversed(resolution.candidates)}
    found = []
    for name in names:
        own = by_owner.get(credential_provider(name))
        if own:
            head = heads.get(name)
            # What the resolver would try needs no second look: with many credentials each one takes its time.
            effective = _served_by(head) if head is not None else _standing_by(agent, name)
            found.append({"provider": name, "effective": effective, **_credentials(own, windows, agent.now)})
    return found


def _credentials(
    own: Sequence[AuthProfile], windows: Mapping[str, tuple[Window, ...]], now: datetime
) -> dict[str, Any]:
    stored = sorted((p for p in own if p.kind in STORED_KINDS), key=lambda p: p.id)
    counts = {kind.value: sum(p.kind is kind for p in stored) for kind in _COUNTED}
    labels = [credential_label(p, windows.get(p.id, ()), now) for p in stored]
    row: dict[str, Any] = {"profiles": {"count": len(stored), **counts, "labels": labels}}
    for kind in _SURROUNDINGS:
        first = next((p for p in own if p.kind is not CredentialKind.NONE and _kind(p) == kind), None)
        if first is not None:
            row[kind.replace(".", "_")] = {"value": stand_in(first), "source": first.source}
    return row


def _kind(profile: AuthProfile) -> str:
    """Where a credential comes from, in one word."""
    source = source_of(profile)
    return "profiles" if source is ProbeSource.PROFILE else source.value


def _served_by(profile: AuthProfile) -> dict[str, str]:
    return {"kind": _kind(profile), "detail": profile.id}


def _standing_by(agent: Snapshot, provider: str) -> dict[str, str]:
    """For a provider that the resolver would not ask now: the first credential that can serve, else the first that will again."""
    placed = agent.placed(model_in_use(agent, None, provider))
    in_order = [p for p in placed if p.position is not None and p.profile is not None]
    first = next((p for p in in_order if p.usable), None) or next(iter(in_order), None)
    if first is not None and first.profile is not None:
        return _served_by(first.profile)
    if agent.is_blind(provider):
        return {"kind": "missing", "detail": "store_unreadable"}
    reasons = dict.fromkeys(p.reason.value for p in placed if p.reason is not Eligibility.OK)
    return {"kind": "missing", "detail": ", ".join(reasons) or "missing"}


def credential_label(profile: AuthProfile, windows: Sequence[Window], now: datetime) -> str:
    """`acme:work=fp:1a2b3c4d [cooldown 5m]`: what a credential is, and what keeps it from serving."""
    parts = [f"{profile.id}={_kind_and_value(profile)}"]
    if profile.ref is not None and not profile.secret:
        parts.append(f"[{Eligibility.UNRESOLVED_REF}]")
    if windows:
        window = longest(windows)
        name = window.lane.value if window.lane is Lane.COOLDOWN else f"{window.lane}:{window.reason}"
        parts.append(f"[{name} {format_duration(window.until - now)}]" if window.until is not None else f"[{name}]")
    return " ".join(parts)


def longest(windows: Sequence[Window]) -> Window:
    """The window that tells most: what is disabled before what is cooling, then the one that ends last."""
    return max(
        windows, key=lambda w: (w.lane is Lane.DISABLED, w.until is None, w.until.timestamp() if w.until else 0.0)
    )


def named(profile: AuthProfile) -> str:
    """The id, with the account where it is known: `anthropic:me (ada@example.com)`."""
    name = _account(profile)
    return f"{profile.id} ({name})" if name else profile.id


def _account(profile: AuthProfile) -> str:
    return profile.metadata.get("display_name") or profile.metadata.get("email") or ""


def _kind_and_value(profile: AuthProfile) -> str:
    if profile.kind is CredentialKind.TOKEN:
        return f"token:{stand_in(profile)}"
    if profile.kind is CredentialKind.OAUTH and (profile.secret or profile.refreshable):
        name = _account(profile)
        return f"OAuth ({name})" if name else "OAuth"
    return stand_in(profile)


def stand_in(profile: AuthProfile) -> str:
    """What is shown in the place of a secret."""
    if profile.ref is not None:
        return f"ref({profile.ref.source}:{profile.ref.provider}:{profile.ref.id})"
    if not profile.secret:
        return "missing"
    return f"fp:{profile.fingerprint}" if profile.fingerprint else "present"
