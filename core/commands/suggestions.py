"""Completions while somebody types after `/model`: aliases, models, `ref@profile`, reserved words, how long; each with its state.

Asked at every key, so what was typed decides first, and only what is shown gets its state looked up.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from core.auth.profiles import AuthProfile
from core.auth.provider_names import credential_provider
from core.commands.model_request import RESERVED, Form
from core.commands.visibility import Sees
from core.errors import Suggestion, UserError
from core.models.lookup import quote, quote_part
from core.models.match import Nearness, Typed
from core.models.ref import ModelRef
from core.models.selector import Selector, find_directive
from core.resolution.labels import best_state, brief_state, label
from core.resolution.resolver import Resolution, resolve
from core.resolution.snapshot import Snapshot
from core.sessions.spending import Total

MOST = 25
_WORDS = {
    "auto": "no pin: the credential is chosen automatically",
    "default": "back to the default model, no pin",
    "undo": "take the last change back",
    "status": "everything that decides the next message",
    "why": "the last decisions, and by whom",
    "list": "all models",
    "strict": "only the pinned credential is tried",
    "prefer": "others may stand in while the pinned one is out",
}
_SPANS = {"once": "for the next turn only", "for 2h": "ends by itself", "for 1d": "ends by itself"}
_MODES = {"strict": "only this credential is tried", "prefer": "others may stand in while it is out"}
_PROFILES_AT_ONCE = 6
"""Credentials offered before anything was typed."""


@dataclass(frozen=True, slots=True)
class _Offer:
    """What could be typed, and how well it fits. Without a `ref` it is a word, and `about` says what it does."""

    nearness: Nearness
    uses: int
    """Minus how many answers it has given here."""
    kind: int
    """An alias, a ref, something with a profile, a word."""
    place: int
    ref: ModelRef | None = None
    profile: str | None = None
    about: str = ""
    text: str = ""

    @property
    def key(self) -> tuple[int, int, int, int]:
        return self.nearness, self.uses, self.kind, self.place


def suggestions(snapshot: Snapshot, sees: Sees, typed: str, totals: Sequence[Total] = ()) -> tuple[Suggestion, ...]:
    """At most 25: what is typed exactly, what begins so, has a word that begins so, contains it, is like it; within these what
    answered most in this session (`totals`), then aliases before models. A command is what follows `/model`."""
    text = typed.lstrip()
    text = (text[6:].lstrip(" :") if text.lower().startswith("/model") else text)[:200]
    return _Finder(snapshot, sees, totals).find(text)


class _Finder:
    """The names that may be offered, and what was used of them."""

    def __init__(self, snapshot: Snapshot, sees: Sees, totals: Sequence[Total]) -> None:
        self.snapshot = snapshot
        self.lookup = snapshot.lookup
        self.resolution: Resolution = resolve(snapshot)
        self.current = self.resolution.selected.ref
        catalog = snapshot.rules.catalog
        self.aliases: dict[ModelRef, list[str]] = {}
        for alias, ref in catalog.aliases.items():
            self.aliases.setdefault(ref, []).append(alias)
        listed = (m.ref for p in catalog.providers.values() if p.id in self.lookup.offered for m in p.models)
        always = (snapshot.agent.default, *snapshot.agent.fallbacks, self.current)
        self.refs = list(dict.fromkeys([*(ref for ref in listed if self.lookup.allowed(ref)), *always]))
        self.names = {ref: (*self.aliases.get(ref, ()), ref.name.lower(), str(ref).lower()) for ref in self.refs}
        self.profiles: dict[str, list[AuthProfile]] = {}
        for profile in snapshot.credentials.profiles.values():
            if sees(profile):
                for name in (credential_provider(profile.provider), *profile.lends_to):
                    self.profiles.setdefault(name, []).append(profile)
        self.models_used, self.used = dict[str, int](), dict[tuple[str, str], int]()
        for total in totals:
            self.models_used[total.model] = self.models_used.get(total.model, 0) + total.answers
            self.used[total.model, total.profile] = total.answers

    def find(self, text: str) -> tuple[Suggestion, ...]:
        """The best completions of what follows `/model`."""
        endings = self._endings(text)
        if endings:
            return tuple(endings[:MOST])
        if not text.strip():
            return tuple(self._told(offer) for offer in self._at_once())
        offers = [
            *self._models(Typed(text), "@" not in text),
            *self._pairs(text),
            *_words(Typed(text), self._is_pinned),
        ]
        best: dict[tuple[object, ...], _Offer] = {}
        for offer in sorted(offers, key=lambda offer: offer.key):
            best.setdefault((offer.ref, offer.profile, offer.text), offer)
        return tuple(self._told(offer) for offer in list(best.values())[:MOST])

    @property
    def _is_pinned(self) -> bool:
        return self.resolution.pinned is not None and self.resolution.pinned.pin is not None

    def _at_once(self) -> list[_Offer]:
        """Before anything was typed: some of everything."""
        words = _words(Typed(""), self._is_pinned)
        pairs = sorted(self._of(self.current, Typed(""), Nearness.BEGINS, alone=True), key=lambda o: o.key)
        pairs = pairs[:_PROFILES_AT_ONCE]
        models = sorted(self._models(Typed("")), key=lambda offer: offer.key)
        return [*models[: MOST - len(pairs) - len(words)], *pairs, *words]

    def _models(self, typed: Typed, also_like: bool = True) -> list[_Offer]:
        found, others = [], []
        for place, ref in enumerate(self.refs):
            near = typed.nearness(*self.names[ref])
            if near is None:
                others.append((place, ref))
            else:
                found.append(self._model(near, place, ref))
        if also_like and len(found) < MOST:
            like = ((place, ref) for place, ref in others if typed.is_like(" ".join(self.names[ref])))
            found += [self._model(Nearness.FUZZY, place, ref) for place, ref in like]
        return found

    def _model(self, near: Nearness, place: int, ref: ModelRef) -> _Offer:
        return _Offer(near, -self.models_used.get(str(ref), 0), int(ref not in self.aliases), place, ref)

    def _pairs(self, text: str) -> Iterable[_Offer]:
        """`ref@profile`, whichever `@` it is that separates; without one the credentials of a model that is written out, and those
        of the current model that fit the text."""
        if "@" not in text:
            exact = [offer for offer in self._models(Typed(text)) if offer.nearness is Nearness.EXACT]
            for offer in exact[:MOST]:
                yield from self._of(offer.ref or self.current, Typed(""), Nearness.BEGINS)
            yield from self._of(self.current, Typed(text), Nearness.WORD, alone=True)
            return
        for at in [n for n, letter in enumerate(text) if letter == "@"][:4]:
            left, right = Typed(text[:at].strip('" ')), Typed(text[at + 1 :].strip('" '))
            if not text[:at].strip():
                yield from self._of(self.current, right, Nearness.EXACT, alone=True)
                continue
            models = sorted(self._models(left), key=lambda offer: offer.key)
            for offer in models[:MOST]:
                yield from self._of(offer.ref or self.current, right, offer.nearness)

    def _of(self, ref: ModelRef, typed: Typed, least: Nearness, alone: bool = False) -> Iterable[_Offer]:
        """The credentials of a model that fit; `least` is how well the model does. `alone`: the model is not repeated."""
        for place, profile in enumerate(self.profiles.get(credential_provider(ref.provider), ())):
            names = (profile.id.lower(), profile.id.lower().partition(":")[2], (profile.label or "").lower())
            near = typed.nearness(*names)
            if near is None and typed.is_like(" ".join(names)):
                near = Nearness.FUZZY
            if near is not None:
                uses = -self.used.get((str(ref), profile.id), 0)
                yield _Offer(max(near, least), uses, 2, place, ref, profile.id, "@" if alone else "")

    def _told(self, offer: _Offer) -> Suggestion:
        if offer.ref is None:
            return Suggestion(offer.text, label(offer.text, offer.about))
        ref, snapshot = offer.ref, self.snapshot
        placed = snapshot.placed(ref)
        name = next(iter(self.aliases.get(ref, ())), None)
        pinned = self.resolution.pinned if ref == self.current and self._is_pinned else None
        if offer.profile is None:
            text = quote(name or str(ref))
            now = "now" if ref == self.current else ""
            return Suggestion(text, label(f"{text} = {ref}" if name else text, best_state(placed, snapshot.now), now))
        text = f"@{quote_part(offer.profile)}" if offer.about else quote(name or str(ref), offer.profile)
        state = next((brief_state(one, snapshot.now) for one in placed if one.id == offer.profile), "not in use")
        is_pinned = pinned is not None and pinned.profile == offer.profile
        return Suggestion(text, label(text, state, "pinned" if is_pinned else ""))

    def _endings(self, text: str) -> list[Suggestion]:
        """How long, and in which mode: once a complete reference and a blank were typed."""
        directive = find_directive(f"/model {text}")
        if directive is None or directive.argument is None or directive.selector is None:
            return []
        after = text[len(directive.argument) :]
        if not after[:1].isspace() or not text.startswith(directive.argument):
            return []
        offered = self._may_follow(directive.selector)
        typed = " ".join(after.split()).lower()
        return [
            Suggestion(f"{directive.argument} {word}", label(f"{directive.argument} {word}", about))
            for word, about in offered.items()
            if word.startswith(typed)
        ]

    def _may_follow(self, selector: Selector) -> dict[str, str]:
        form = None if selector.quoted or selector.profile else RESERVED.get(selector.model.lower())
        if form is not None:
            return _SPANS if form in (Form.AUTO, Form.DEFAULT) else {}
        alone = selector.model.startswith("@") and selector.profile is None and not selector.quoted
        profile = selector.model[1:] if alone else selector.profile
        try:
            found = None if alone or not selector.model else self.lookup.exact(selector.model)
        except UserError:  # several models have this id: it is not complete
            return {}
        ref = self.current if alone or not selector.model else found.ref if found is not None else None
        if ref is None or not self.lookup.allowed(ref):
            return {}
        own = self.profiles.get(credential_provider(ref.provider), ())
        ids = {name.lower() for one in own for name in (one.id, one.id.partition(":")[2])}
        if profile is None:
            return _SPANS
        return {**_MODES, **_SPANS} if profile.lower() in ids else {}


def _words(typed: Typed, is_pinned: bool) -> list[_Offer]:
    """Reserved words. Those about the mode of a pin only where there is one."""
    found = []
    for place, (word, about) in enumerate(_WORDS.items()):
        near = typed.nearness(word)
        if near is not None and (is_pinned or RESERVED[word] is not Form.MODE):
            found.append(_Offer(near, 0, 3, place, about=about, text=word))
    return found
