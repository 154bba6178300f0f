"""A session's standing in words: model and credential in a few lines, and a provider's credentials a line each.

Made for `/model status`, and for `models status` and `models explain`, which load nothing of the chat.
"""

from dataclasses import replace

from core.auth.eligibility import expiry_moment
from core.auth.order import Placed
from core.auth.profiles import AuthProfile
from core.resolution import words
from core.resolution.resolver import ModelSource, Resolution
from core.resolution.snapshot import Snapshot
from core.resolution.view import Sees, model_in_use


def summary(snapshot: Snapshot, resolution: Resolution) -> list[str]:
    """Model and its source, credential in force, next, default: a line each."""
    return [f"{head}: {text}" if head else text for head, text in facts(snapshot, resolution)]


def facts(snapshot: Snapshot, resolution: Resolution) -> list[tuple[str, str]]:
    """The same as pairs: what it is about (may be empty), and what is said of it."""
    selected, now = resolution.selected, snapshot.now
    choice = selected.choice
    by = f", chosen by {choice.set_by} {words.ago(choice.set_at, now)}" if choice and choice.model else ""
    origin = f" from {snapshot.session.key.parent}" if selected.source is ModelSource.INHERITED else ""
    model = f"{words.model_name(snapshot, selected.ref)} · {selected.source}{origin}{by}{words.ending(choice, now)}"
    found = [("Model", model)]
    if selected.dropped is not None:
        gone = f"{selected.dropped} was chosen here but can no longer be used; the default serves instead."
        found.append(("", gone))
    pinned = resolution.pinned
    credential = "automatic" if pinned is None else f"{pinned.profile} · {words.pin_words(pinned, now)}"
    return [
        *found,
        ("Credential", credential),
        ("Next", words.next_words(snapshot, resolution)),
        ("Default", words.model_name(snapshot, snapshot.agent.default)),
    ]


def endpoint(snapshot: Snapshot, provider: str) -> str:
    """Where a provider's requests go, and in which form."""
    entry = snapshot.rules.catalog.providers.get(provider)
    return " · ".join(filter(None, (entry.base_url, entry.api))) if entry else "not configured"


def candidates(snapshot: Snapshot, resolution: Resolution, provider: str, may_see: Sees) -> list[Placed]:
    """A provider's credentials in their order: those that the viewer may see, and the pinned one."""
    pinned = resolution.pinned
    placed = list(snapshot.placed(model_in_use(snapshot, resolution, provider)))
    if pinned and resolution.selected.ref.provider == provider and not any(p.id == pinned.profile for p in placed):
        placed.append(pinned.placed)
    shown = [p for p in placed if p.profile is None or may_see(p.profile) or (pinned and p.id == pinned.profile)]
    return [p if p.profile is None or may_see(p.profile) else _unnamed(p, p.profile) for p in shown]


def _unnamed(placed: Placed, profile: AuthProfile) -> Placed:
    """A pinned credential that the viewer may not see: only how it stands. Its id is taken out with all that is said."""
    return replace(placed, profile=replace(profile, label=None))


def status_lines(snapshot: Snapshot, resolution: Resolution, provider: str, may_see: Sees, owner: bool) -> list[str]:
    """A provider's endpoint and each of its credentials, a line each."""
    shown = candidates(snapshot, resolution, provider, may_see)
    lines = [candidate_line(snapshot, resolution, p, owner) for p in shown]
    return [f"[{provider}] {endpoint(snapshot, provider)}", *(lines or ["  no credential"])]


def candidate_line(snapshot: Snapshot, resolution: Resolution, placed: Placed, owner: bool) -> str:
    """One credential in one line, with its place in the order."""
    number = f"{placed.position:>3}." if placed.position is not None else "  –"
    name, *said = candidate_words(snapshot, resolution, placed, owner)
    return f"{number} {' · '.join([name, *said])}"


def candidate_words(snapshot: Snapshot, resolution: Resolution, placed: Placed, owner: bool) -> list[str]:
    """One credential: its id and label; then kind, state, whether it is pinned or next, last use, expiry; for owners what tells
    keys apart."""
    profile, now = placed.profile, snapshot.now
    parts = [placed.id]
    if profile is not None:
        parts[0] += f" ({profile.label})" if profile.label else ""
        parts.append(profile.kind.value)
    parts.append(words.state(placed, now))
    if resolution.pinned is not None and resolution.pinned.profile == placed.id:
        parts.append("pinned" if resolution.pinned.pin is not None else "kept")
    if resolution.next.profile == placed.id:
        parts.append("next")
    if profile is not None:
        used, expires = snapshot.health_of(profile).last_used, expiry_moment(profile.expires)
        parts += [f"used {words.ago(used, now)}"] if used else []
        parts += [f"expires {words.moment(expires, now)}"] if expires and expires > now else []
        parts += [f"#{profile.fingerprint}"] if owner and profile.fingerprint else []
    return parts
