"""What models.json is to hold, out of the config, the catalogue and the file as it is (credentials.md 8.5). Pure.

| | rule |
|---|---|
| base_url | the config's; else the file's, while the API kind is the same; else the catalogue's |
| api_key | a marker of the config or of the environment; else a plain key that the file holds already; nothing else |
| headers | all of them together: the config's win, then plain ones of the file; an older marker of ours is forgotten |
| models | those of the config, of the catalogue and of the provider's own list, each once |
| of a model | sizes: the config's, the provider's, the library's, the catalogue's; the rest: never the config's |
| other providers | as they are |

`is_replacing`: the config and nothing else. Merging a result once more changes nothing.
"""

from collections.abc import Iterable, Mapping, Set
from dataclasses import dataclass, field, replace

from core.auth.markers import is_header_marker, plain_key
from core.models.catalog import ModelEntry
from core.models.document import (
    Json,
    Known,
    RawModel,
    described,
    generated_of,
    key_text,
    provider_entries,
    raw_models,
    restricted,
    strange_fields,
    text_of,
)
from core.models.ref import ModelRef


@dataclass(frozen=True, slots=True, kw_only=True)
class ProviderPart:
    """What one side says of a provider. `api_key` and the values of `headers` are markers, never secrets."""

    base_url: str | None = None
    api: str | None = None
    api_key: str | None = field(default=None, repr=False)
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    models: tuple[ModelEntry, ...] = ()


_NOTHING = ProviderPart()


@dataclass(frozen=True, slots=True, kw_only=True)
class Sources:
    """Everything that a file is made of besides itself.

    `explicit` is the config, `catalogue` what the program knows of the providers in use. `declared` are the variables that
    built-in providers declare, `known` asks a library, `digest` names all of this. `listed` are the models that providers
    have just named themselves: they take the place of what the file has from an earlier such list.
    """

    explicit: Mapping[str, ProviderPart]
    catalogue: Mapping[str, ProviderPart]
    declared: Set[str]
    known: Known
    digest: str
    is_replacing: bool = False
    listed: Mapping[str, tuple[ModelEntry, ...]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class _Before:
    """A provider's entry in the file. `was_ours`: this program wrote it; `is_ours`: the config or this program has it now."""

    raw: Json
    was_ours: bool
    is_ours: bool


def merge(sources: Sources, existing: Json) -> dict[str, object]:
    """The new content of the file."""
    names = generated_of(existing)
    if sources.is_replacing:
        providers: dict[str, object] = {name: _of_config(part) for name, part in sources.explicit.items()}
        return _document({}, sources, providers, names | set(providers))
    ours = {*sources.explicit, *sources.catalogue}
    wanted = ours | set(sources.listed)
    found, others = dict[str, Json](), dict[str, object]()
    for key, name, entry in provider_entries(existing):
        if name in wanted and name not in found and isinstance(entry, Mapping):
            found[name] = entry
        else:
            others[key] = entry
    merged = {
        name: _provider(name, sources, _Before(found.get(name, {}), name in names, name in ours)) for name in wanted
    }
    return _document(existing, sources, {**others, **merged}, names | ours)


def _document(existing: Json, sources: Sources, providers: Mapping[str, object], ours: Set[str]) -> dict[str, object]:
    kept = {name: value for name, value in existing.items() if name not in ("generated", "providers")}
    return {
        **kept,
        "generated": {"digest": sources.digest, "providers": sorted(ours)},
        "providers": dict(sorted(providers.items())),
    }


def _of_config(part: ProviderPart) -> dict[str, object]:
    return _entry(part.base_url, part.api, part.api_key, part.headers, [described(model) for model in part.models])


def _entry(
    base_url: str | None,
    api: str | None,
    api_key: str | None,
    headers: Mapping[str, str],
    models: list[dict[str, object]],
) -> dict[str, object]:
    fields = {"base_url": base_url, "api": api, "api_key": api_key, "headers": dict(sorted(headers.items()))}
    return {**{name: value for name, value in fields.items() if value}, "models": models}


def _provider(name: str, sources: Sources, before: _Before) -> dict[str, object]:
    explicit, catalogue = sources.explicit.get(name, _NOTHING), sources.catalogue.get(name, _NOTHING)
    api = explicit.api or catalogue.api
    old_api, old_url = text_of(before.raw, "api"), text_of(before.raw, "base_url", longest=None)
    is_same_api = not api or old_api in ("", api)
    base_url = explicit.base_url or (old_url if is_same_api else "") or catalogue.base_url or ""
    entry = _entry(
        base_url,
        api or old_api,
        explicit.api_key or catalogue.api_key or _old_key(name, sources, before),
        _headers(explicit, catalogue, before),
        _models(name, sources, before, base_url),
    )
    return {**strange_fields(before.raw, is_model=False), **entry}


def _old_key(name: str, sources: Sources, before: _Before) -> str | None:
    """What the file has in the place of a key, if it may stay: a plain key, or the marker of a provider that is not ours."""
    given = key_text(before.raw)
    if not before.is_ours:
        return given or None
    plain = plain_key(given, name, sources.declared)
    return plain.reveal() if plain is not None else None


def _headers(explicit: ProviderPart, catalogue: ProviderPart, before: _Before) -> dict[str, str]:
    """Names of headers mean the same in any case."""
    held = before.raw.get("headers")
    texts = {h: v for h, v in (held if isinstance(held, Mapping) else {}).items() if isinstance(v, str)}
    kept = {h: v for h, v in texts.items() if not before.is_ours or not is_header_marker(v)}
    joined: dict[str, tuple[str, str]] = {}
    for headers in (catalogue.headers, kept, explicit.headers):
        joined |= {header.lower(): (header, value) for header, value in headers.items()}
    return dict(joined.values())


def _models(name: str, sources: Sources, before: _Before, base_url: str) -> list[dict[str, object]]:
    explicit = {m.ref.name: m for m in sources.explicit.get(name, _NOTHING).models}
    catalogue = {m.ref.name: m for m in sources.catalogue.get(name, _NOTHING).models}
    old = raw_models(name, before.raw)
    own = _own_list(old, before.was_ours)
    if name in sources.listed:
        own = {model.ref.name: model for model in sources.listed[name]}
    models = []
    for model in dict.fromkeys([*explicit, *catalogue, *sorted(own)]):
        mine = own.get(model)
        rest = [mine, sources.known(name, base_url, model), catalogue.get(model)]
        entry = _joined(ModelRef(name, model), explicit.get(model), [said for said in rest if said is not None])
        extra = strange_fields(old[model].raw, is_model=True) if model in old else {}
        models.append({**extra, **described(entry), **_origin(entry, mine)})
    return models


def _own_list(old: Mapping[str, RawModel], was_ours: bool) -> dict[str, ModelEntry]:
    """What the file has from the provider's own list. All of it, where another program wrote it: nobody knows better."""
    found = {name: restricted(model.entry, model.listed) for name, model in old.items() if model.listed is not None}
    if not was_ours:
        found |= {name: _as_others_wrote(model.entry) for name, model in old.items() if model.listed is None}
    return found


def _as_others_wrote(entry: ModelEntry) -> ModelEntry:
    """Other programs write zeros for a price that they do not know."""
    price = entry.price
    is_known = price is not None and any((price.input, price.output, price.cache_read, price.cache_write))
    return replace(entry, price=price if is_known else None)


def _joined(ref: ModelRef, explicit: ModelEntry | None, others: Iterable[ModelEntry]) -> ModelEntry:
    """One model out of what everybody says of it; the first word counts."""
    rest = tuple(others)
    everybody = (explicit, *rest) if explicit is not None else rest
    return ModelEntry(
        ref=ref,
        aliases=next((e.aliases for e in everybody if e.aliases), ()),
        context_window=next((e.context_window for e in everybody if e.context_window), None),
        max_tokens=next((e.max_tokens for e in everybody if e.max_tokens), None),
        name=next((e.name for e in rest if e.name), None),
        inputs=next((e.inputs for e in rest if e.inputs), ()),
        price=next((e.price for e in rest if e.price is not None), None),
    )


def _origin(entry: ModelEntry, own: ModelEntry | None) -> dict[str, object]:
    """Which fields are the provider's own words, so that they outlast the next merge."""
    if own is None:
        return {}
    said, result = described(own), described(entry)
    return {"listed": [name for name in said if name != "id" and said[name] == result.get(name)]}
