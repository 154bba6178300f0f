"""Completions while somebody types after `/model`: aliases, models, `ref@profile`, reserved words, each with its state."""

from core.commands.model_request import RESERVED
from core.commands.visibility import Sees
from core.errors import Suggestion
from core.models.lookup import quote
from core.resolution import words
from core.resolution.snapshot import Snapshot
from core.resolution.view import standing

MOST = 25


def suggestions(snapshot: Snapshot, sees: Sees, typed: str) -> tuple[Suggestion, ...]:
    """At most 25, those that begin with what was typed before those that contain it. A command is what follows `/model`."""
    wanted = typed.strip().lower().removeprefix("/model").strip()
    offers = [*_models(snapshot), *_profiles(snapshot, sees, wanted), *_words()]
    fitting = [o for o in offers if wanted in o.command.lower() or wanted in o.label.lower()]
    fitting.sort(key=lambda o: not o.command.lower().startswith(wanted))
    return tuple(fitting[:MOST])


def _models(snapshot: Snapshot) -> list[Suggestion]:
    offers = []
    for ref in snapshot.lookup.refs():
        state = next((standing(p)[0] for p in snapshot.placed(ref) if p.position is not None), "no credential")
        alias = next(iter(snapshot.rules.catalog.aliases_of(ref)), None)
        label = f"{alias} = {ref} · {state}" if alias else f"{ref} · {state}"
        offers.append(Suggestion(quote(alias or str(ref)), label))
    return offers


def _profiles(snapshot: Snapshot, sees: Sees, wanted: str) -> list[Suggestion]:
    """`ref@profile` for the models that fit what stands before the `@`; for the others it would be too many."""
    model = wanted.partition("@")[0]
    offers = []
    for ref in snapshot.lookup.refs():
        alias = next(iter(snapshot.rules.catalog.aliases_of(ref)), None)
        name = quote(alias or str(ref))
        if model and model not in name.lower() and model not in str(ref).lower():
            continue
        for placed in snapshot.placed(ref):
            if placed.profile is not None and sees(placed.profile):
                text = f"{name}@{quote(placed.id)}"
                offers.append(Suggestion(text, f"{text} · {words.state(placed, snapshot.now)}"))
    return offers


def _words() -> list[Suggestion]:
    return [Suggestion(word, word) for word in RESERVED if word not in ("-", "strict", "prefer")]
