"""A session's standing in words: model and credential in a few lines, and a provider's credentials a line each.

Made for `/model status`, and for `models status` and `models explain`, which load nothing of the chat.
"""

from core.auth.eligibility import expiry_moment
from core.auth.order import Placed
from core.resolution import words
from core.resolution.resolver import ModelSource, Resolution
from core.resolution.snapshot import Snapshot
from core.resolution.view import Sees, model_in_use


def summary(snapshot: Snapshot, resolution: Resolution) -> list[str]:
    """Model and its source, credential in force, next, default."""
    selected, now = resolution.selected, snapshot.now
    choice = selected.choice
    by = f", chosen by {choice.set_by} {words.ago(choice.set_at, now)}" if choice and choice.model else ""
    origin = f" from {snapshot.session.key.parent}" if selected.source is ModelSource.INHERITED else ""
    lines = [
        f"Model: {words.model_name(snapshot, selected.ref)} · {selected.source}{origin}{by}{words.ending(choice, now)}"
    ]
    if selected.dropped is not None:
        lines.append(f"{selected.dropped} was chosen here but can no longer be used; the default serves instead.")
    if resolution.pinned is None:
        lines.append("Credential: automatic")
    else:
        lines.append(f"Credential: {resolution.pinned.profile} · {words.pin_words(resolution.pinned, now)}")
    lines.append(f"Next: {words.next_words(snapshot, resolution)}")
    lines.append(f"Default: {words.model_name(snapshot, snapshot.agent.default)}")
    return lines


def status_lines(snapshot: Snapshot, resolution: Resolution, provider: str, may_see: Sees, owner: bool) -> list[str]:
    """A provider's endpoint and each of its credentials, a line each."""
    entry = snapshot.rules.catalog.providers.get(provider)
    endpoint = f"{entry.base_url} · {entry.api}" if entry else "not configured"
    pinned = resolution.pinned
    placed = list(snapshot.placed(model_in_use(snapshot, resolution, provider)))
    if pinned and resolution.selected.ref.provider == provider and not any(p.id == pinned.profile for p in placed):
        placed.append(pinned.placed)
    shown = [p for p in placed if p.profile is None or may_see(p.profile) or (pinned and p.id == pinned.profile)]
    lines = [_candidate(snapshot, p, resolution, owner) for p in shown]
    return [f"[{provider}] {endpoint}", *(lines or ["  no credential"])]


def _candidate(snapshot: Snapshot, placed: Placed, resolution: Resolution, owner: bool) -> str:
    profile, now = placed.profile, snapshot.now
    number = f"{placed.position:>3}." if placed.position is not None else "  –"
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
    return f"{number} {' · '.join(parts)}"
