"""What the picker may offer to one sender: providers, models and credentials, each with its state. Decides nothing."""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from functools import cached_property

from core.auth.eligibility import serves
from core.auth.order import Placed
from core.commands.command import CommandContext
from core.commands.visibility import Sees, sees
from core.models.match import Nearness, Typed, rank
from core.models.ref import ModelRef
from core.resolution.labels import best_state
from core.resolution.resolver import Resolution, resolve
from core.sessions.session import Choice
from core.sessions.spending import Total

MOST_RECENT = 4
"""Models that answered lately among the quick choices."""


class Choices:
    """Everything that one sender may choose in one session, at one moment, as far as it may be shown where it is read."""

    def __init__(self, context: CommandContext) -> None:
        self.context = context
        self.snapshot = context.snapshot
        self.resolution = resolve(context.snapshot)
        self.lookup = context.snapshot.lookup
        self.may_see = context.reader.sees

    @property
    def current(self) -> ModelRef:
        """The session's model."""
        return self.resolution.selected.ref

    def alias(self, ref: ModelRef) -> str | None:
        """The alias by which a model is shown."""
        return self._aliases.get(ref)

    @cached_property
    def _aliases(self) -> dict[ModelRef, str]:
        found: dict[ModelRef, str] = {}
        for alias, ref in self.snapshot.rules.catalog.aliases.items():
            found.setdefault(ref, alias)
        return found

    @cached_property
    def _models(self) -> dict[str, list[ModelRef]]:
        agent, lookup = self.snapshot.agent, self.lookup
        found: dict[str, list[ModelRef]] = {}
        for name, entry in self.snapshot.rules.catalog.providers.items():
            if name in lookup.offered:
                refs = [model.ref for model in entry.models if lookup.allowed(model.ref)]
                if refs or (entry.is_open and lookup.allowed(ModelRef(name, ""))):
                    found[name] = refs
        for ref in (agent.default, *agent.fallbacks, self.current):
            # What serves without being listed can be chosen all the same.
            if ref.provider in self.snapshot.rules.catalog.providers:
                listed = found.setdefault(ref.provider, [])
                listed += [] if ref in listed else [ref]
        return {name: sorted(refs, key=lambda ref: ref not in self._aliases) for name, refs in found.items()}

    def providers(self) -> tuple[str, ...]:
        """Providers with something to choose, in the order of the catalogue."""
        return tuple(self._models)

    def models(self, provider: str) -> Sequence[ModelRef]:
        """A provider's models, those with an alias first. One that nobody has a credential for can be looked at too."""
        entry = self.snapshot.rules.catalog.providers.get(provider)
        if provider in self._models or entry is None:
            return self._models.get(provider, [])
        return [model.ref for model in entry.models if self.lookup.allowed(model.ref)]

    def has(self, ref: ModelRef) -> bool:
        """Whether a model can be chosen now."""
        return ref in self.models(ref.provider) or self.lookup.holds(ref)

    def credentials(self, ref: ModelRef) -> tuple[Placed, ...]:
        """The credentials of a model's provider that may be shown, in their order."""
        return self._credentials(ref, self.may_see)

    def may_pin(self, ref: ModelRef, profile: str) -> bool:
        """Whether the sender may pin a credential for a model, shown here or not."""
        allowed = sees(self.context.sender, self.snapshot.rules.access)
        return any(placed.id == profile for placed in self._credentials(ref, allowed))

    def _credentials(self, ref: ModelRef, fits: Sees) -> tuple[Placed, ...]:
        return tuple(
            one
            for one in self.snapshot.placed(ref)
            if one.profile is not None and fits(one.profile) and serves(one.profile, ref.provider)
        )

    def state(self, ref: ModelRef) -> str:
        """Whether something can serve a model, and when again."""
        return best_state(self.snapshot.placed(ref), self.snapshot.now)

    def automatic(self, ref: ModelRef) -> Resolution:
        """What would serve if this model were chosen with no pin."""
        now = self.snapshot.now
        choice = Choice(model=ref, pin=None, set_by=self.context.sender.key, set_at=now)
        return resolve(replace(self.snapshot, session=self.snapshot.session.chosen(choice, now)))

    async def quick(self, most: int) -> tuple[ModelRef, ...]:
        """At most so many models for one press: aliases, then what answered here lately; the current one is among them."""
        every = [ref for refs in self._models.values() for ref in refs]
        named = [ref for ref in every if ref in self._aliases]
        recent = [ref for ref in await self._recent() if ref not in self._aliases][:MOST_RECENT]
        others = [self.current, self.snapshot.agent.default, *(every if len(every) <= most else [])]
        # The current one first, so that it stays where there is no room for all.
        kept = set(list(dict.fromkeys([self.current, *recent, *named, *others]))[:most])
        return tuple(ref for ref in dict.fromkeys([*named, *recent, *others]) if ref in kept)

    async def _recent(self) -> list[ModelRef]:
        session = self.snapshot.session.key
        totals = await self.context.sessions.totals(session)
        if not totals and session.parent is not None:
            totals = await self.context.sessions.totals(session.parent)
        return [ref for ref in used_models(totals) if self.has(ref)]

    def find(self, text: str) -> tuple[tuple[ModelRef, ...], tuple[ModelRef, ...]]:
        """Models that fit what was typed, nearest first; and the three nearest where none does."""
        catalog = self.snapshot.rules.catalog
        shown = {m.ref: m.name.lower() for p in catalog.providers.values() for m in p.models if m.name}
        aliases: dict[ModelRef, list[str]] = {}
        for alias, ref in catalog.aliases.items():
            aliases.setdefault(ref, []).append(alias)
        every = {ref for refs in self._models.values() for ref in refs}
        ranked = [match.ref for match in rank(text, every, aliases, self.lookup.default)]
        typed, fits = Typed(text), dict[ModelRef, Nearness]()
        for ref in ranked:
            names = [ref.name.lower(), str(ref).lower(), *aliases.get(ref, ()), shown.get(ref, "")]
            near = typed.nearness(*names)
            if near is not None or typed.is_like(" ".join(names)):
                fits[ref] = Nearness.FUZZY if near is None else near
        # Sorting keeps the rank among those that fit equally well.
        return tuple(sorted(fits, key=lambda ref: fits[ref])), tuple(ranked[:3])


def used_models(totals: Iterable[Total]) -> list[ModelRef]:
    """The models of totals, each once, in their order. What cannot be read any more is left out."""
    found = []
    for total in totals:
        try:
            found.append(ModelRef.parse(total.model))
        except ValueError:
            continue
    return list(dict.fromkeys(found))
