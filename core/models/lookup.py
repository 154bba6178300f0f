"""From a typed model text to one model (product.md 4.1).

Alias (only without `/`), then the first `/` splits provider and model, then the one provider that lists exactly this id, then
the default provider; then what is near. Nothing inexact is applied where a profile is named: the wrong model would be billed
to a carefully chosen account.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from core.auth.provider_names import provider_id
from core.errors import Suggestion, UserError, shown
from core.models.catalog import Catalog
from core.models.policy import allows
from core.models.ref import ModelRef

if TYPE_CHECKING:
    from core.models.selector import Selector

# What is typed and what is near to it is read where somebody has typed something: the config is read without.


@dataclass(frozen=True, slots=True)
class Found:
    """The model that a text means. `near`: it was not written exactly. `listed`: the catalogue knows it."""

    ref: ModelRef
    near: bool = False
    listed: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Lookup:
    """Everything that a lookup depends on. `allow_path` is the dotted name of the policy that applies."""

    catalog: Catalog
    default: ModelRef
    offered: frozenset[str]
    """Providers that are configured or have a credential. What the program knows of others is found only by its full name."""
    fallbacks: tuple[ModelRef, ...] = ()
    allow: tuple[str, ...] = ()
    allow_path: str = "model_policy.allow"

    def find(self, selector: "Selector") -> Found:
        """The model, or UserError: model_unknown, model_ambiguous, model_not_allowed."""
        found = self.exact(selector.model) or self._near(selector)
        if not self.allowed(found.ref):
            raise UserError(
                "model_not_allowed",
                f"{found.ref} is not among the models that {self.allow_path} allows.",
                "Choose one with /model list, or ask an owner to widen the policy.",
            )
        return found

    def allowed(self, ref: ModelRef) -> bool:
        """Whether the policy lets a session select it. The default and its fallbacks always are."""
        return ref == self.default or ref in self.fallbacks or allows(self.allow, ref)

    def holds(self, ref: ModelRef) -> bool:
        """Whether a selection of this model can still stand: its provider is there and serves it, and the policy lets it."""
        provider = self.catalog.providers.get(ref.provider)
        if provider is None or not self.allowed(ref):
            return False
        return provider.is_open or self.catalog.entry(ref) is not None or ref in (self.default, *self.fallbacks)

    def refs(self) -> tuple[ModelRef, ...]:
        """Every listed model that a session is offered: of an offered provider, and allowed. Aliased ones first."""
        refs = [ref for ref in self.catalog.refs() if ref.provider in self.offered and self.allowed(ref)]
        return tuple(sorted(refs, key=lambda ref: not self.catalog.aliases_of(ref)))

    def exact(self, text: str) -> Found | None:
        """The model that is written exactly so (the provider in any case and by any of its names), or None."""
        text = text.strip()
        alias = self.catalog.aliases.get(text.lower())
        if alias is not None and alias.provider in self.offered:
            return Found(alias)
        left, slash, right = text.partition("/")
        provider = self.catalog.providers.get(provider_id(left))
        if slash and right and provider is not None:
            entry = self.catalog.entry(ModelRef(provider.id, right))
            if entry is not None:
                return Found(entry.ref)
        listing = [m for m in self.catalog.listing(text) if m.ref.provider in self.offered]
        if listing:
            own = [m for m in listing if m.ref.provider == self.default.provider]
            if len(listing) == 1 or len(own) == 1:
                return Found((own or listing)[0].ref)
            raise self._ambiguous(text, [m.ref for m in listing], None)
        if slash and right and not right.endswith("/") and provider is not None and provider.is_open:
            return Found(ModelRef(provider.id, right), listed=False)
        return None

    def _near(self, selector: "Selector") -> Found:
        from core.models import match

        text = selector.model
        left, slash, right = text.partition("/")
        provider = provider_id(left) if slash and provider_id(left) in self.catalog.providers else None
        pool = [ref for ref in self.refs() if provider in (None, ref.provider)]
        if provider is not None and provider not in self.offered:
            pool = [m.ref for m in self.catalog.providers[provider].models if self.allowed(m.ref)]
        aliases: Mapping[ModelRef, Sequence[str]] = (
            {} if provider else {ref: self.catalog.aliases_of(ref) for ref in pool}
        )
        fragment = right if provider else text
        ranked = match.rank(fragment, pool, aliases, self.default)
        least = match.ACCEPT_WITH_PROVIDER if provider else match.ACCEPT
        good = [m for m in ranked if m.points >= least]
        if good and selector.profile is None and not selector.quoted:
            close = [m for m in good if good[0].points - m.points < match.CLEAR]
            if len(close) == 1:
                return Found(good[0].ref, near=True)
            raise self._ambiguous(text, [m.ref for m in close[:5]], None)
        if len(good) > 1:
            raise self._ambiguous(text, [m.ref for m in good[:5]], selector.profile)
        alias = self.catalog.aliases.get(text.lower())
        if alias is not None:
            return Found(alias)
        own = self.catalog.providers.get(self.default.provider)
        if "/" not in text and not text.startswith("@") and own is not None and own.is_open:
            return Found(ModelRef(own.id, text), listed=False)
        raise self._unknown(text, [m.ref for m in ranked[:3]], selector.profile)

    def _ambiguous(self, text: str, refs: Sequence[ModelRef], profile: str | None) -> UserError:
        names = ", ".join(str(ref) for ref in refs)
        return UserError(
            "model_ambiguous",
            f"{shown(text)} may be any of {names}. Nothing was changed.",
            "Did you mean one of these?",
            _suggestions(refs, profile),
        )

    def _unknown(self, text: str, refs: Sequence[ModelRef], profile: str | None) -> UserError:
        names = ", ".join(str(ref) for ref in refs)
        nearest = f"The nearest are {names}." if refs else "No model is configured."
        return UserError(
            "model_unknown",
            f"No model {shown(text)} is known. Nothing was changed. {nearest}",
            "See them all with /model list.",
            _suggestions(refs, profile),
        )


def quote(model: str, profile: str | None = None) -> str:
    """A model, or `model@profile`, as it can be typed: in quotes, if the grammar would read it otherwise."""
    from core.models.selector import Selector, find_directive

    plain = model if profile is None else f"{model}@{profile}"
    directive = find_directive(f"/model {plain}")
    if directive and (directive.argument, directive.tail, directive.selector) == (plain, "", Selector(model, profile)):
        return plain
    return "@".join(json.dumps(part, ensure_ascii=False) for part in (model, profile) if part is not None)


def quote_part(profile: str) -> str:
    """A profile as it can be typed after a lone `@`."""
    from core.models.selector import find_directive

    directive = find_directive(f"/model @{profile}")
    plain = directive is not None and (directive.argument, directive.tail) == (f"@{profile}", "")
    return profile if plain else json.dumps(profile, ensure_ascii=False)


def _suggestions(refs: Sequence[ModelRef], profile: str | None) -> tuple[Suggestion, ...]:
    suffix = f"@{profile}" if profile else ""
    return tuple(Suggestion(f"/model {quote(str(ref), profile)}", f"{ref}{suffix}") for ref in refs)
