"""models.json as values: what it says of providers and their models, read from whatever stands there (credentials.md 8.5).

Both spellings are read, `context_window` and the older `contextWindow`; what has the wrong type counts as not written.
A model that the provider's own list gave has a list `listed`: its fields that are the provider's own words.
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from core.auth.provider_names import provider_id
from core.auth.secret import Secret, clean_secret
from core.models.catalog import ModelEntry, Price
from core.models.ref import ModelRef

Json = Mapping[str, object]
Known = Callable[[str, str, str], ModelEntry | None]
"""What somebody knows of a model: of provider, base URL and model id."""
MOST_TOKENS = 1_000_000_000
_LONGEST_TEXT = 256
_PRICES = ("input", "output", "cache_read", "cache_write")
_FIELDS = ("name", "context_window", "max_tokens", "input", "cost", "alias")
"""The fields of a model besides its id, as `listed` names them."""
_OF_MODEL = ("id", "listed", *_FIELDS)
_OF_PROVIDER = ("base_url", "api", "api_key", "headers", "models")


@dataclass(frozen=True, slots=True, kw_only=True)
class DocumentedProvider:
    """One provider of the file. `listed` are the names of the models that the provider itself named."""

    id: str
    base_url: str = ""
    api: str = ""
    api_key: Secret | None = None
    headers: tuple[tuple[str, str], ...] = field(default=(), repr=False)
    models: tuple[ModelEntry, ...] = ()
    listed: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelsDocument:
    """One models.json. `generated` are the providers that this program wrote; the others stem from elsewhere.

    `source` is its path, `problem` the sentence that says why a file that is there cannot be used.
    """

    providers: Mapping[str, DocumentedProvider] = field(default_factory=dict)
    generated: frozenset[str] = frozenset()
    source: str = ""
    problem: str | None = None


def models_document(raw: Json, source: str = "") -> ModelsDocument:
    """What a file means. Never raises."""
    found: dict[str, DocumentedProvider] = {}
    generated = generated_of(raw)
    for _, provider, entry in provider_entries(raw):
        if provider and provider not in found and isinstance(entry, Mapping):
            found[provider] = _provider(provider, entry, provider in generated)
    return ModelsDocument(providers=found, generated=generated, source=source)


def provider_entries(raw: Json) -> list[tuple[str, str, object]]:
    """(key, provider, entry) of everything under `providers`. An entry under the provider's one name comes before those under
    its other names: where two mean one provider, the first counts."""
    entries = [(key, provider_id(key), entry) for key, entry in _mapping(raw.get("providers")).items()]
    return sorted(entries, key=lambda found: found[0] != found[1])


def generated_of(raw: Json) -> frozenset[str]:
    """The providers that this program wrote into a file."""
    names = _mapping(raw.get("generated")).get("providers")
    return frozenset(n for n in names if isinstance(n, str)) if isinstance(names, list | tuple) else frozenset()


def _provider(name: str, raw: Json, is_ours: bool) -> DocumentedProvider:
    key = clean_secret(key_text(raw))
    headers = ((h, v) for h, v in _mapping(raw.get("headers")).items() if isinstance(v, str))
    models = raw_models(name, raw)
    return DocumentedProvider(
        id=name,
        base_url=text_of(raw, "base_url", longest=None).rstrip("/"),
        api=text_of(raw, "api"),
        api_key=Secret(key) if key else None,
        headers=tuple(headers),
        models=tuple(model.entry for model in models.values()),
        listed=frozenset(m for m, model in models.items() if model.listed is not None or not is_ours),
    )


@dataclass(frozen=True, slots=True)
class RawModel:
    """A model with what stands there and with the fields that the provider's own list gave; None: it did not name the model."""

    raw: Json
    entry: ModelEntry
    listed: frozenset[str] | None


def raw_models(provider: str, raw: Json) -> dict[str, RawModel]:
    """The models of a provider's entry by their ids; of a repeated one the first."""
    models = raw.get("models")
    found: dict[str, RawModel] = {}
    for model in models if isinstance(models, list | tuple) else ():
        name = text_of(model, "id") if isinstance(model, Mapping) else ""
        if name and name not in found:
            names = model.get("listed")
            listed = frozenset(n for n in names if isinstance(n, str)) if isinstance(names, list | tuple) else None
            found[name] = RawModel(model, _model(provider, model), listed)
    return found


def _model(provider: str, raw: Json) -> ModelEntry:
    alias = text_of(raw, "alias")
    return ModelEntry(
        ref=ModelRef(provider, text_of(raw, "id")),
        aliases=(alias.lower(),) if alias else (),
        context_window=_count(spelled(raw, "context_window")),
        max_tokens=_count(spelled(raw, "max_tokens")),
        name=text_of(raw, "name") or None,
        inputs=_kinds(raw.get("input")),
        price=_price(_mapping(raw.get("cost"))),
    )


def described(entry: ModelEntry) -> dict[str, object]:
    """The fields of a model as the file has them, without those that nobody knows."""
    price = entry.price
    cost = {name: getattr(price, name) for name in _PRICES if getattr(price, name) is not None} if price else {}
    fields: dict[str, object] = {
        "id": entry.ref.name,
        "name": entry.name,
        "context_window": entry.context_window,
        "max_tokens": entry.max_tokens,
        "input": list(entry.inputs),
        "cost": cost,
        "alias": next(iter(entry.aliases), None),
    }
    return {name: value for name, value in fields.items() if value not in (None, [], {})}


def restricted(entry: ModelEntry, fields: frozenset[str]) -> ModelEntry:
    """The model with these of its fields only."""
    return ModelEntry(
        ref=entry.ref,
        aliases=entry.aliases if "alias" in fields else (),
        context_window=entry.context_window if "context_window" in fields else None,
        max_tokens=entry.max_tokens if "max_tokens" in fields else None,
        name=entry.name if "name" in fields else None,
        inputs=entry.inputs if "input" in fields else (),
        price=entry.price if "cost" in fields else None,
    )


def strange_fields(raw: Json, is_model: bool) -> dict[str, object]:
    """What an entry holds besides the fields of this program, in either spelling."""
    own = {spelling for name in (_OF_MODEL if is_model else _OF_PROVIDER) for spelling in (name, camel(name))}
    return {name: value for name, value in raw.items() if name not in own}


def spelled(raw: Json, name: str) -> object:
    """A field by its name, or by the older spelling of it."""
    value = raw.get(name)
    return value if value is not None else raw.get(camel(name))


def key_text(raw: Json) -> str:
    """What stands in the place of a provider's key, in the first spelling that has something; empty for nothing."""
    texts = (raw.get(name) for name in ("api_key", camel("api_key")))
    return next((text for text in texts if isinstance(text, str) and text.strip()), "")


def camel(name: str) -> str:
    """`context_window` as `contextWindow`."""
    first, *others = name.split("_")
    return first + "".join(part.capitalize() for part in others)


def text_of(raw: Json, name: str, longest: int | None = _LONGEST_TEXT) -> str:
    """A field as one printable line without outer blanks; empty where it is none, or too long."""
    value = spelled(raw, name)
    text = value.strip() if isinstance(value, str) else ""
    return text if text.isprintable() and (longest is None or len(text) <= longest) else ""


def _mapping(value: object) -> Json:
    return {k: v for k, v in value.items() if isinstance(k, str)} if isinstance(value, Mapping) else {}


def _count(value: object) -> int | None:
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return value if type(value) is int and 0 < value <= MOST_TOKENS else None


def _kinds(value: object) -> tuple[str, ...]:
    kinds = value if isinstance(value, list | tuple) else ()
    texts = (kind.strip().lower() for kind in kinds if isinstance(kind, str))
    return tuple(dict.fromkeys(t for t in texts if t.isidentifier() and len(t) <= 32))


def _price(raw: Json) -> Price | None:
    found = {name: _dollars(spelled(raw, name)) for name in _PRICES}
    return Price(**found) if any(value is not None for value in found.values()) else None


def _dollars(value: object) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        dollars = float(value)
    except OverflowError:
        return None
    return dollars if math.isfinite(dollars) and dollars >= 0 else None
