"""A ProfileSource that holds what a test gives it."""

from collections.abc import Iterable
from dataclasses import replace

from core.auth.profiles import AuthProfile, ProfileSet
from core.sessions.key import DEFAULT_AGENT


class FakeProfileSource:
    """Profiles per agent; an agent that was given none has those of `main`. Changes are seen by the next `load`."""

    def __init__(self, profiles: Iterable[AuthProfile] = (), *, agent: str = DEFAULT_AGENT) -> None:
        self._sets = {agent: ProfileSet(profiles={p.id: p for p in profiles})}
        self.loads: list[str] = []
        """The agents that were asked for."""

    def put(self, profile: AuthProfile, *, agent: str = DEFAULT_AGENT) -> None:
        """Add a profile, or replace the one of the same id."""
        held = self._sets.get(agent, ProfileSet())
        self._sets[agent] = replace(held, profiles={**held.profiles, profile.id: profile})

    def remove(self, profile: str, *, agent: str = DEFAULT_AGENT) -> None:
        """Forget a profile."""
        held = self._sets[agent]
        self._sets[agent] = replace(held, profiles={k: v for k, v in held.profiles.items() if k != profile})

    def order(self, provider: str, *ids: str, agent: str = DEFAULT_AGENT) -> None:
        """Set the agent's own order of a provider."""
        held = self._sets.get(agent, ProfileSet())
        self._sets[agent] = replace(held, order={**held.order, provider: ids})

    def load(self, agent: str) -> ProfileSet:
        self.loads.append(agent)
        return self._sets.get(agent) or self._sets.get(DEFAULT_AGENT) or ProfileSet()
