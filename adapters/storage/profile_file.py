"""auth-profiles.json and auth-state.json of every agent, as they are now (product.md 2, credentials.md 1).

Only reads, and only from disk: references stay unresolved and fingerprints unset. Loaded by `models status`, so it needs
nothing but the standard library.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from adapters.storage.guarded_file import GuardedFile, Read
from adapters.storage.profile_entry import read_entry
from core.auth.profiles import AuthProfile, ProfileSet
from core.auth.provider_names import provider_id
from core.auth.secret import Secret
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
    broken: bool = False
    damaged: frozenset[str] = frozenset()


_NOTHING = _Store()


@dataclass(slots=True)
class _Agent:
    """One agent's files with what was made of them last."""

    store: GuardedFile
    state: GuardedFile
    seen: tuple[Read, Read] | None = None
    parsed: _Store = field(default_factory=_Store)


class AuthProfileFiles:
    """The profile stores of a state directory. A change on disk is seen by the very next `load`."""

    def __init__(self, state_dir: Path) -> None:
        self._root = state_dir / "agents"
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
            profiles={**main.profiles, **own.profiles},
            order={**main.order, **own.order},
            problems=own.problems + main.problems,
            unreadable=own.broken or main.broken,
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
            # The state file holds no secret, but who can write it decides which credential serves.
            agent = _Agent(GuardedFile(folder / STORE), GuardedFile(folder / STATE, forbidden=0o022))
            self._agents[name] = agent
        store, state = agent.store.read(), agent.state.read()
        if agent.seen is None or agent.seen[0] is not store or agent.seen[1] is not state:
            agent.parsed = _parse(agent.store.path, store, agent.state.path, state)
            agent.seen = (store, state)
        return agent.parsed


def _parse(store_path: Path, store: Read, state_path: Path, state: Read) -> _Store:
    problems = [read.error for read in (store, state) if read.error is not None]
    profiles: dict[str, AuthProfile] = {}
    secrets: list[Secret] = []
    damaged: frozenset[str] = frozenset()
    for name, raw in _entries(store_path, store.data, problems):
        try:
            entry = read_entry(name, raw, str(store_path))
        except ValueError as error:
            problems.append(f"{store_path}: profile {_shown(name)} is not used: {error}.")
            damaged |= _provider_of(raw)
        else:
            profiles[name] = entry.profile
            secrets += entry.secrets
    order = {**_order(store_path, store.data, problems), **_order(state_path, state.data, problems)}
    is_broken = store.error is not None
    return _Store(profiles, order, _bounded(problems), tuple(secrets), broken=is_broken, damaged=damaged)


def _provider_of(raw: object) -> frozenset[str]:
    named = raw.get("provider") if isinstance(raw, dict) else None
    return frozenset({provider_id(named)}) if isinstance(named, str) and named.strip() else frozenset()


def _entries(path: Path, data: dict[str, object] | None, problems: list[str]) -> Iterable[tuple[str, object]]:
    profiles = (data or {}).get("profiles", {})
    if isinstance(profiles, dict):
        return profiles.items()
    problems.append(f"{path}: 'profiles' is not an object.")
    return ()


def _order(path: Path, data: dict[str, object] | None, problems: list[str]) -> dict[str, tuple[str, ...]]:
    raw = (data or {}).get("order")
    if raw is None:
        return {}
    if not isinstance(raw, dict):
        problems.append(f"{path}: 'order' is not an object.")
        return {}
    order = {}
    for provider, ids in raw.items():
        if not isinstance(ids, list):
            problems.append(f"{path}: the order of {_shown(provider)} is not a list.")
            continue
        names = tuple(dict.fromkeys(i.strip() for i in ids if isinstance(i, str) and i.strip()))
        if names and provider.strip():
            order[provider_id(provider)] = names
    return order


def _shown(name: str) -> str:
    return ascii(name if len(name) <= 60 else f"{name[:57]}...")


def _bounded(problems: list[str]) -> tuple[str, ...]:
    more = len(problems) - _MOST_PROBLEMS
    return (*problems[:_MOST_PROBLEMS], f"... and {more} more.") if more > 0 else tuple(problems)
