"""`/model status`: everything that decides the next message (product.md 4.3), and `/status`: the same in five lines."""

from core.auth.eligibility import expiry_moment
from core.auth.order import Placed
from core.commands.command import CommandContext, Outcome
from core.commands.visibility import Sees, is_owner, sees
from core.messages import Reply, ReplyKind
from core.resolution import words
from core.resolution.resolver import ModelSource, Resolution, resolve
from core.resolution.snapshot import Snapshot
from core.resolution.view import model_in_use, session_view


def show_status(context: CommandContext) -> Outcome:
    """The full view."""
    snapshot = context.snapshot
    owner = is_owner(context.sender, snapshot.rules.access)
    may_see = sees(context.sender, snapshot.rules.access)
    resolution = resolve(snapshot)
    data = session_view(snapshot, resolution, may_see, owner)
    lines = [*summary(snapshot, resolution), ""]
    for provider in [p["provider"] for p in data["providers"]]:
        lines += [*status_lines(snapshot, resolution, provider, may_see, owner), ""]
    if owner:
        lines += [f"Note: {problem}" for problem in snapshot.credentials.problems]
    return Outcome((Reply(kind=ReplyKind.STATUS, text="\n".join(lines).strip(), data=data),))


async def show_short(context: CommandContext, argument: str) -> Outcome:
    """`/status`: the session in a few lines."""
    snapshot = context.snapshot
    resolution = resolve(snapshot)
    owner = is_owner(context.sender, snapshot.rules.access)
    data = session_view(snapshot, resolution, sees(context.sender, snapshot.rules.access), owner)
    lines = [f"Session: {snapshot.session.key}", *summary(snapshot, resolution)]
    if snapshot.session.served is not None:
        served = snapshot.session.served
        lines.append(f"Last answer: {served.model} with {served.profile}, {words.ago(served.at, snapshot.now)}")
    if context.busy:
        lines.append("A message is being answered now.")
    return Outcome((Reply(kind=ReplyKind.STATUS, text="\n".join(lines), data=data),))


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
