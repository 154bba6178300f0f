"""Takes snapshots: the only reader of sessions, health and credentials for a decision."""

from collections.abc import Callable, Mapping
from dataclasses import replace

from core.auth.health import ProfileHealth
from core.auth.ports import ProfileSource
from core.clock import Clock
from core.resolution.ports import StateReader
from core.resolution.rules import Rules
from core.resolution.snapshot import Snapshot, health_by_credential
from core.sessions.key import SessionKey


class SnapshotSource:
    """`rules` is asked each time, so that a reloaded configuration holds from the next snapshot on. A snapshot has the rules as
    they hold for its agent."""

    def __init__(self, rules: Callable[[], Rules], profiles: ProfileSource, state: StateReader, clock: Clock) -> None:
        self._rules = rules
        self._profiles = profiles
        self._state = state
        self._clock = clock
        self._admitted: tuple[Rules, frozenset[str], Rules] | None = None
        self._health: tuple[tuple[ProfileHealth, ...], Mapping[tuple[str, str], ProfileHealth]] = ((), {})

    def take(self, key: SessionKey) -> Snapshot:
        """Everything that a decision for this session may know, now."""
        keys = (key,) if key.parent is None else (key, key.parent)
        state = self._state.read(keys)
        return Snapshot(
            now=self._clock.now(),
            rules=self._with_paired(state.paired).of(key.agent),
            session=state.sessions[key],
            parent=state.sessions[key.parent] if key.parent is not None else None,
            credentials=self._profiles.load(key.agent),
            health=self._by_credential(state.health),
        )

    def _with_paired(self, paired: frozenset[str]) -> Rules:
        """The rules in force with those who are paired. Made anew only when one of the two has changed."""
        rules = self._rules()
        known = self._admitted
        if known is None or known[0] is not rules or (known[1] is not paired and known[1] != paired):
            access = replace(rules.access, paired=paired)
            known = self._admitted = rules, paired, replace(rules, access=access)
        return known[2]

    def _by_credential(self, health: tuple[ProfileHealth, ...]) -> Mapping[tuple[str, str], ProfileHealth]:
        """Made once for each answer of the reader, which gives the very same one while nothing has changed."""
        known, found = self._health
        if known is not health:
            found = health_by_credential(health)
            self._health = health, found
        return found
