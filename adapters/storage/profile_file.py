"""auth-profiles.json, and what older layouts keep beside it, of every agent as they are now (product.md 2, credentials.md 1).

Only reads, and only from disk: references stay unresolved and fingerprints unset. Loaded by `models status`, so it needs
nothing but the standard library.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from adapters.storage.guarded_file import GuardedFile, Read
from adapters.storage.older_logins import AUTH, OAUTH, is_newer_layout, older_logins, set_aside
from adapters.storage.profile_document import read_order, shown_id
from adapters.storage.profile_entry import oauth_references, read_entry
from core.auth.eligibility import expiry_moment
from core.auth.profiles import AuthProfile, CredentialKind, ProfileSet
from core.auth.provider_names import provider_id
from core.auth.secret import Secret, unsendable
from core.sessions.key import DEFAULT_AGENT, agent_id

STORE = "auth-profiles.json"
STATE = "auth-state.json"
_MOST_PROBLEMS = 20


@dataclass(frozen=True, slots=True)
class _Store:
    """What one agent's own files hold. `broken`: there is a store, and it cannot be used."""

    profiles: Mapping[str, AuthProfile] = field(default_factory=dict)
    order: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    problems: tuple[str, ...] = ()
    secrets: tuple[Secret, ...] = ()
    oauth_references: tuple[tuple[str, str], ...] = ()
    broken: bool = False
    damaged: frozenset[str] = frozenset()


_NOTHING = _Store()


@dataclass(slots=True)
class _Agent:
    """One agent's files with what was made of them last: the store, its older state file, older files of credentials."""

    store: GuardedFile
    state: GuardedFile
    older: tuple[GuardedFile, ...]
    seen: tuple[Read, ...] = ()
    parsed: _Store = field(default_factory=_Store)


@dataclass(frozen=True, slots=True)
class _Raw:
    """One entry as it stands in a file. `provider` is what is known of it where the entry does not tell."""

    id: str
    entry: object
    source: str
    provider: str | None = None


class AuthProfileFiles:
    """The profile stores of a state directory. A change on disk is seen by the very next `load`."""

    def __init__(self, state_dir: Path, oauth_dir: Path | None = None) -> None:
        """`oauth_dir` is where the older oauth.json of all agents is; left out, `credentials` of the state directory."""
        self._root = state_dir / "agents"
        self._oauth = (oauth_dir or state_dir / "credentials") / OAUTH
        self._agents: dict[str, _Agent] = {}
        self._joined: dict[str, tuple[_Store, _Store, ProfileSet]] = {}

    def load(self, agent: str = DEFAULT_AGENT) -> ProfileSet:
        """An agent's profiles, read through to `main` for ids that it lacks; its own entries and orders win.

        Never raises: whatever cannot be used is named in `problems`. An agent whose own store is there but cannot be used
        gets nothing from `main` either, for else another credential would serve than the one that it has. Returns the very
        same object while no file has changed.
        """
        name = agent_id(agent)
        own = self._own(name)
        main = _NOTHING if name == DEFAULT_AGENT or own.broken else self._own(DEFAULT_AGENT)
        known = self._joined.get(name)
        if known is not None and known[0] is own and known[1] is main:
            return known[2]
        joined = ProfileSet(
            profiles={**main.profiles, **own.profiles, **_renewed_in_main(own, main)},
            order={**main.order, **own.order},
            problems=own.problems + main.problems,
            unreadable=own.broken or main.broken,
            oauth_references=own.oauth_references + main.oauth_references,
            damaged=own.damaged | main.damaged,
        )
        self._joined[name] = (own, main, joined)
        return joined

    def secrets(self) -> tuple[Secret, ...]:
        """Every confidential text of the stores that were loaded, for redaction."""
        return tuple(secret for agent in self._agents.values() for secret in agent.parsed.secrets)

    def _own(self, name: str) -> _Store:
        agent = self._agents.get(name)
        if agent is None:
            folder = self._root / name / "agent"
            older = (folder / AUTH, self._oauth) if name == DEFAULT_AGENT else (folder / AUTH,)
            # The state file holds no secret, but who can write it decides which credential serves.
            state = GuardedFile(folder / STATE, forbidden=0o022)
            agent = _Agent(GuardedFile(folder / STORE), state, tuple(map(GuardedFile, older)))
            self._agents[name] = agent
        seen = tuple(file.read() for file in (agent.store, agent.state, *agent.older))
        if len(seen) != len(agent.seen) or any(one is not other for one, other in zip(seen, agent.seen, strict=True)):
            agent.parsed = _parse(agent, *seen)
            agent.seen = seen
        return agent.parsed


def _renewed_in_main(own: _Store, main: _Store) -> dict[str, AuthProfile]:
    """Logins that an agent has a copy of, as older versions made them, and that `main` has refreshed since: of the same account,
    beyond doubt, and with a later end. The copy's refresh token is spent by then (credentials.md 10, 13 C220)."""
    return {
        name: theirs
        for name, mine in own.profiles.items()
        if (theirs := main.profiles.get(name)) is not None
        and _is_same_login(mine, theirs)
        and _ends_later(theirs, mine)
    }


def _is_same_login(one: AuthProfile, other: AuthProfile) -> bool:
    are_logins = one.kind is other.kind is CredentialKind.OAUTH and one.provider == other.provider
    told = ((one.metadata.get(key), other.metadata.get(key)) for key in ("email", "account_id"))
    known = [(a, b) for a, b in told if a is not None or b is not None]
    return are_logins and bool(known) and all(a == b for a, b in known)


def _ends_later(one: AuthProfile, other: AuthProfile) -> bool:
    end, before = expiry_moment(one.expires), expiry_moment(other.expires)
    return end is not None and (before is None or end > before)


def _parse(agent: _Agent, store: Read, state: Read, *older: Read) -> _Store:
    problems = [read.error for read in (store, state, *older) if read.error is not None]
    profiles: dict[str, AuthProfile] = {}
    secrets: list[Secret] = []
    references: list[tuple[str, str]] = []
    damaged: set[str] = set()
    found, is_broken = _entries(agent, store, older, problems)
    for raw in found:
        if raw.id in profiles:
            continue  # what one older file has of an id counts before what the next one has
        references += [(raw.id, name) for name in oauth_references(raw.entry)]
        try:
            entry = read_entry(raw.id, raw.entry, raw.source)
        except ValueError as error:
            problems.append(f"{raw.source}: profile {shown_id(raw.id)} is not used: {error}.")
            damaged |= _provider_of(raw)
        else:
            profile = entry.profile
            if profile.secret and (reason := unsendable(profile.secret.reveal())) is not None:
                problems.append(f"{raw.source}: the secret of profile {shown_id(raw.id)} {reason}. Store it again.")
                profile = replace(profile, secret=None)
            profiles[raw.id] = profile
            secrets += entry.secrets
    return _Store(
        profiles=profiles,
        order={**_order(agent.store.path, store, problems), **_order(agent.state.path, state, problems)},
        problems=_bounded(problems),
        secrets=tuple(secrets),
        oauth_references=tuple(references),
        broken=is_broken,
        damaged=frozenset(damaged),
    )


def _entries(agent: _Agent, store: Read, older: Sequence[Read], problems: list[str]) -> tuple[list[_Raw], bool]:
    """The entries of the store, and those that only older files have; and whether a file that may hold some cannot be used. Older
    files say nothing beside a store that cannot be used: it may have something else under their ids."""
    document = store.data or {}
    own = document.get("profiles", {})
    if not isinstance(own, dict):
        problems.append(f"{agent.store.path}: 'profiles' is not an object.")
        return [], True
    found = [_Raw(name, entry, str(agent.store.path)) for name, entry in own.items()]
    if store.error is not None:
        return [], True
    for file, read in zip(agent.older, older, strict=True):
        found += [raw for raw in _older(file.path, read, document, problems) if raw.id not in own]
    return found, any(read.error is not None for read in older)


def _older(path: Path, read: Read, document: Mapping[str, object], problems: list[str]) -> Iterator[_Raw]:
    """The credentials of an older file that the store has not had from there before."""
    data = read.data or {}
    if is_newer_layout(data):
        problems.append(f"{path}: is laid out as {STORE}, so it is not used.")
    aside = set_aside(document, path.name)
    for login in older_logins(path.name, data):
        if login.id not in aside:
            yield _Raw(login.id, login.entry, str(path), login.provider)
        elif path.name == AUTH:
            problems.append(f"{path}: {shown_id(login.key)} is not used: {shown_id(login.id)} was in the store before.")


def _provider_of(raw: _Raw) -> set[str]:
    named = raw.entry.get("provider") if isinstance(raw.entry, dict) else None
    provider = named if isinstance(named, str) and named.strip() else raw.provider
    return {provider_id(provider)} if provider else set()


def _order(path: Path, read: Read, problems: list[str]) -> dict[str, tuple[str, ...]]:
    order, wrong = read_order(read.data or {})
    problems += [f"{path}: {sentence}" for sentence in wrong]
    return order


def _bounded(problems: list[str]) -> tuple[str, ...]:
    more = len(problems) - _MOST_PROBLEMS
    return (*problems[:_MOST_PROBLEMS], f"... and {more} more.") if more > 0 else tuple(problems)
