"""Completions while somebody types after `/model`: aliases, models, `ref@profile`, reserved words, each with its state."""

from dataclasses import dataclass
from itertools import chain, islice

from core.auth.provider_names import credential_provider
from core.commands.model_request import RESERVED
from core.commands.visibility import Sees
from core.errors import Suggestion
from core.models.lookup import quote, quote_part
from core.models.ref import ModelRef
from core.resolution import words
from core.resolution.resolver import resolve
from core.resolution.snapshot import Snapshot
from core.resolution.view import standing

MOST = 25


def suggestions(snapshot: Snapshot, sees: Sees, typed: str) -> tuple[Suggestion, ...]:
    """At most 25, those that begin with what was typed before those that contain it. A command is what follows `/model`.

    Asked at every key, so the text decides first, and only what is shown gets its state looked up.
    """
    wanted = typed.strip().lower().removeprefix("/model").strip()
    offers = [*_models(snapshot), *_profiles(snapshot, sees), *_words()]
    begin = (o for o in offers if o.text.lower().startswith(wanted))
    contain = (
        o
        for o in offers
        if not o.text.lower().startswith(wanted) and (wanted in o.text.lower() or wanted in o.name.lower())
    )
    return tuple(_labelled(snapshot, offer) for offer in islice(chain(begin, contain), MOST))


@dataclass(frozen=True, slots=True)
class _Offer:
    """What could be typed. `name` is the model's full name."""

    text: str
    name: str
    ref: ModelRef | None = None
    profile: str | None = None


def _models(snapshot: Snapshot) -> list[_Offer]:
    catalog = snapshot.rules.catalog
    named = ((next(iter(catalog.aliases_of(ref)), None), ref) for ref in snapshot.lookup.refs())
    return [_Offer(quote(alias or str(ref)), str(ref), ref) for alias, ref in named]


def _profiles(snapshot: Snapshot, sees: Sees) -> list[_Offer]:
    """`ref@profile` for every model and each of its provider's credentials; `@profile` for the current model's."""
    catalog, by_provider = snapshot.rules.catalog, dict[str, list[str]]()
    for profile in snapshot.credentials.profiles.values():
        if sees(profile):
            by_provider.setdefault(credential_provider(profile.provider), []).append(profile.id)
    current = resolve(snapshot).selected.ref
    offers = [
        _Offer(f"@{name}", str(current), current, name)
        for name in by_provider.get(credential_provider(current.provider), [])
    ]
    for ref in snapshot.lookup.refs():
        alias = next(iter(catalog.aliases_of(ref)), None)
        names = by_provider.get(credential_provider(ref.provider), [])
        offers += [_Offer(f"{alias or ref}@{name}", f"{ref}@{name}", ref, name) for name in names]
    return offers


def _labelled(snapshot: Snapshot, offer: _Offer) -> Suggestion:
    if offer.ref is None:
        return Suggestion(offer.text, offer.text)
    placed = snapshot.placed(offer.ref)
    if offer.profile is not None:
        state = next((words.state(p, snapshot.now) for p in placed if p.id == offer.profile), "")
        alias, _, _ = offer.text.rpartition(f"@{offer.profile}")
        text = quote(alias, offer.profile) if alias else f"@{quote_part(offer.profile)}"
        return Suggestion(text, f"{text} · {state}")
    state = next((standing(p)[0] for p in placed if p.position is not None), "no credential")
    name = f"{offer.text} = {offer.name}" if offer.text != offer.name else offer.text
    return Suggestion(offer.text, f"{name} · {state}")


def _words() -> list[_Offer]:
    return [_Offer(word, word) for word in RESERVED if word not in ("-", "strict", "prefer")]
