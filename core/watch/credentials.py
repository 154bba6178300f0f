"""Credentials that end, logins that nobody takes any more, references that give nothing: owners are told once a day, before people
meet it."""

import hashlib
import json
import shlex
from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta

from core.announcements import Announcer
from core.auth.health import Lane
from core.auth.oauth import login_command
from core.auth.profiles import AuthProfile, CredentialKind
from core.clock import Clock
from core.durations import iso
from core.errors import FailureReason
from core.messages import Reply, ReplyKind
from core.ports import Inbox
from core.resolution import words
from core.resolution.credential_health import STORED_KINDS, CredentialStatus, credential_health
from core.resolution.snapshot import Snapshot
from core.resolution.source import SnapshotSource
from core.sessions.key import DEFAULT_AGENT, SessionKey

_MARKS, _CREDENTIALS = "announced", "credentials"
"""Where the inbox keeps what owners were told last, and when."""
_LOGINS = (CredentialKind.OAUTH, CredentialKind.CLI)
_AGAIN = timedelta(days=1)
_MOST_NAMED = 10


class EndingCredentials:
    """Tells owners of what needs their hand. What can be refreshed does not."""

    def __init__(self, announcer: Announcer, snapshots: SnapshotSource, marks: Inbox, clock: Clock) -> None:
        self._announcer = announcer
        self._snapshots = snapshots
        self._marks = marks
        self._clock = clock
        self._told: dict[str, str] = {}

    async def tell(self, agents: Iterable[str]) -> None:
        """One round. `agents` are all that are configured."""
        now = self._clock.now()
        concerned = self._concerned(agents, now)
        if not _due(concerned, self._told, now):
            return
        self._told = _read(await self._marks.get_mark(_MARKS, _CREDENTIALS))
        due = _due(concerned, self._told, now)
        if not due:
            return
        digest = hashlib.sha256("\n".join(due).encode()).hexdigest()[:16]
        if not await self._announcer.tell_owners(
            f"credentials:{now:%Y-%m-%d}:{digest}", _told([concerned[n] for n in due])
        ):
            return
        kept = {name: at for name, at in self._told.items() if name in concerned}
        told = kept | dict.fromkeys(due, iso(now) or "")
        await self._marks.set_mark(_MARKS, _CREDENTIALS, json.dumps(told))
        self._told = told

    def _concerned(self, agents: Iterable[str], now: datetime) -> dict[str, str]:
        """A line about each credential that needs a hand, by profile id."""
        found: dict[str, str] = {}
        for agent in sorted(agents, key=lambda agent: agent != DEFAULT_AGENT):  # whose store the others inherit from
            snapshot = self._snapshots.take(SessionKey(agent, "main"))
            for profile in snapshot.credentials.profiles.values():
                if profile.id in found or profile.kind not in STORED_KINDS:
                    continue
                line = _line(profile, agent, now, is_dead=_is_dead(profile, snapshot, now))
                if line is not None:
                    found[profile.id] = line
        return found


def _due(concerned: Iterable[str], told: Mapping[str, str], now: datetime) -> list[str]:
    """Those that nobody was told of within a day. What was told in the future was told by a clock that was wrong."""
    oldest, latest = iso(now - _AGAIN) or "", iso(now) or ""
    return sorted(name for name in concerned if not oldest < told.get(name, "") <= latest)


def _is_dead(profile: AuthProfile, snapshot: Snapshot, now: datetime) -> bool:
    """Whether it is a login that its provider will never take again."""
    if profile.kind not in _LOGINS:
        return False
    window = snapshot.health_of(profile).block("", now, Lane.DISABLED)
    return window is not None and window.reason is FailureReason.AUTH_PERMANENT


def _line(profile: AuthProfile, agent: str, now: datetime, *, is_dead: bool) -> str | None:
    if is_dead:
        return f"{profile.id}: its provider does not take this login any more. {_advice(profile, agent)}"
    if profile.is_unresolved:
        return f"{profile.id}: its secret reference gives nothing. `remoteclaw secrets audit` says more."
    health = credential_health(profile, now)
    if health.expires_at is None or health.status not in (CredentialStatus.EXPIRING, CredentialStatus.EXPIRED):
        return None
    if health.status is CredentialStatus.EXPIRING:
        end = f"expires {words.moment(health.expires_at, now)}"
    else:
        end = f"expired {words.ago(health.expires_at, now)}"
    return f"{profile.id}: {end}. {_advice(profile, agent)}"


def _advice(profile: AuthProfile, agent: str) -> str:
    """The next step. `agent` is whose store has it."""
    if profile.kind is CredentialKind.TOKEN and profile.ref is None:
        name, provider = shlex.quote(profile.id), shlex.quote(profile.provider)
        return f"Put in a new one with `remoteclaw models auth paste-token --provider {provider} --profile-id {name}`."
    if profile.ref is not None:
        return "Renew it where its secret reference points."
    if profile.kind is CredentialKind.CLI:
        return "Run `claude` and log in with /login."
    return f"Log in again with `{login_command(profile, agent)}`."


def _told(lines: list[str]) -> Reply:
    more = len(lines) - _MOST_NAMED
    text = "\n".join([
        "These credentials need your hand, on the host:",
        *(f"  {line}" for line in lines[:_MOST_NAMED]),
        *([f"  and {more} more; see `remoteclaw models status`"] if more > 0 else []),
    ])  # fmt: skip
    return Reply(kind=ReplyKind.NOTICE, code="credentials_end", text=text)


def _read(mark: str | None) -> dict[str, str]:
    """What was told, as it was stored. A mark of another shape counts as none: owners are told once more."""
    try:
        stored = json.loads(mark or "{}")
    except ValueError:
        return {}
    return {str(name): str(at) for name, at in stored.items()} if isinstance(stored, dict) else {}
