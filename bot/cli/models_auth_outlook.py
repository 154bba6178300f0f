"""What the end of a credential means for the agents that have it: which others serve then."""

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from bot.cli.models_auth import Desk
from bot.cli.models_auth_line import line_of
from bot.cli.output import on_one_line
from core.auth.order import explicit_order
from core.auth.profiles import ProfileSet
from core.sessions.key import DEFAULT_AGENT

if TYPE_CHECKING:
    from bot.config.settings import Settings


@dataclass(frozen=True, slots=True)
class Outlook:
    """One agent without the credential. `serves` are those that can serve it then, in order; `gained` those of them that were
    left out before; `ends_order`: they are what follows an order that had no other."""

    agent: str
    is_other: bool
    name: str
    provider: str
    serves: tuple[str, ...]
    gained: tuple[str, ...]
    ends_order: bool

    def before(self) -> str | None:
        """What to know before it is removed; None: nothing."""
        if self.ends_order:
            return f"Note: {self._order} has only this one, so it would be gone; then these serve: {self._served}."
        if self.gained:
            return f"Note: without {on_one_line(self.name)}, these would serve{self._whom}: {self._served}."
        return None

    def after(self, left_order: bool) -> str | None:
        """What to know once it is removed; `left_order`: an order of this agent's own has lost it."""
        if self.ends_order:
            return f"Note: {self._order} had only this one, so it is gone; now these serve: {self._served}."
        if self.gained:
            return f"Note: without {on_one_line(self.name)}, these serve{self._whom} now: {self._served}."
        return f"Note: {self._order} has lost it, too." if left_order else None

    @property
    def _whom(self) -> str:
        return f" at agent {self.agent}" if self.is_other else ""

    @property
    def _order(self) -> str:
        return f"the order of {self.provider}{self._whom}"

    @property
    def _served(self) -> str:
        return ", ".join(map(on_one_line, self.serves))


def outlooks(desk: Desk, name: str, provider: str) -> list[Outlook]:
    """The agents that would lose the credential of this id: first the one whose store has it, then, if that is `main`, those
    that read it through, as far as there is more to say of them than of `main`."""
    held = desk.credentials().profiles[name].source if name in desk.credentials().profiles else None
    losing = [desk.agent]
    if desk.agent == DEFAULT_AGENT and held is not None:
        readers = (agent for agent in desk.agents if agent != DEFAULT_AGENT)
        losing += [a for a in readers if (p := desk.stored(a).get(name)) is not None and p.source == held]
    settings = _settings_after(desk, name, losing)
    first, *others = (_outlook(desk, agent, name, provider, settings) for agent in losing)
    return [first, *(one for one in others if one.serves != first.serves or _has_own_order(desk, one.agent, provider))]


def _has_own_order(desk: Desk, agent: str, provider: str) -> bool:
    return agent == DEFAULT_AGENT or desk.stores.writer(agent).has_order(provider)


def _outlook(desk: Desk, agent: str, name: str, provider: str, settings: "Settings") -> Outlook:
    now, known, later = desk.stores.clock.now(), desk.credentials(agent), _after(desk, agent, name, provider)
    line, then = line_of(provider, known, desk.settings, now), line_of(provider, later, settings, now)
    serves = tuple(profile.id for profile in then.usable())
    order = explicit_order(provider, known.order, desk.settings.auth.order)
    return Outlook(
        agent=agent,
        is_other=agent != desk.agent,
        name=name,
        provider=provider,
        serves=serves,
        gained=tuple(one for one in serves if one not in line.base),
        ends_order=bool(serves)
        and order == (name,)
        and explicit_order(provider, later.order, settings.auth.order) != order,
    )


def _after(desk: Desk, agent: str, name: str, provider: str) -> ProfileSet:
    """What the agent may use then."""
    known, main = desk.credentials(agent), desk.credentials(DEFAULT_AGENT)
    profiles = {i: profile for i, profile in known.profiles.items() if i != name}
    if desk.agent != DEFAULT_AGENT and name in main.profiles:
        profiles[name] = main.profiles[name]
    own = known.order if _has_own_order(desk, agent, provider) else {}
    order = _shorter(explicit_order(provider, own), name)
    if order is None and agent != DEFAULT_AGENT:
        order = explicit_order(provider, main.order)
        order = _shorter(order, name) if desk.agent == DEFAULT_AGENT else order
    return replace(known, profiles=profiles, order={provider: order} if order is not None else {})


def _shorter(order: tuple[str, ...] | None, name: str) -> tuple[str, ...] | None:
    """An order that loses its last id is gone."""
    return tuple(one for one in order if one != name) or None if order is not None else None


def _settings_after(desk: Desk, name: str, losing: list[str]) -> "Settings":
    """What the config says then: it forgets the id once no agent has it."""
    from bot.config.edit import remove_profile, settings_of

    is_kept = any(name in desk.stored(agent) for agent in desk.agents if agent not in losing)
    path, environ = desk.paths.config, desk.stores.source.environment
    if is_kept or not path.exists():
        return desk.settings
    return settings_of(path.read_bytes(), environ, str(path), remove_profile(name))
