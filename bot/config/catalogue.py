"""The catalogue of an installation: the providers and models of the config, and the built-in ones after them."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from bot.config.problems import Problem, did_you_mean, dotted
from core.auth.provider_names import provider_id
from core.auth.secret import Secret
from core.models.catalog import Catalog, ModelEntry, ProviderEntry
from core.models.document import ModelsDocument
from core.models.overlay import with_documents
from core.models.ref import ModelRef

if TYPE_CHECKING:
    from adapters.providers.builtin import BuiltinProvider
    from bot.config.settings import Provider, Settings
    from core.models.merge import ProviderPart

_WITHOUT_URL = "claude-cli"


def build_catalog(
    settings: "Settings",
    builtin: Mapping[str, "BuiltinProvider"],
    aliases: Sequence[tuple[str, ModelRef, str]],
    documents: Sequence[ModelsDocument] = (),
) -> tuple[Catalog, list[Problem]]:
    """The catalogue, and what keeps it from being whole. `aliases` are those of the config; built-in ones yield to them.
    `documents` are the files of models.json that apply, the agent's own before that of `main`."""
    problems: list[Problem] = []
    providers: dict[str, ProviderEntry] = {}
    for name, provider in settings.models.providers.items():
        providers[name] = _configured(name, provider, builtin.get(name), problems)
    for name, known in builtin.items():
        if name not in providers:
            providers[name] = ProviderEntry(
                id=name,
                base_url=known.base_url,
                api=known.api,
                models=_builtin_models(name, known),
                is_open=True,
                is_configured=False,
            )
    catalog = with_documents(Catalog(providers), documents)
    for text in settings.agents.defaults.models:
        catalog = _with_model(catalog, text, problems)
    return _with_aliases(catalog, aliases), problems


def _configured(
    name: str, provider: "Provider", known: "BuiltinProvider | None", problems: list[Problem]
) -> ProviderEntry:
    path = ("models", "providers", name)
    base_url = provider.base_url or (known.base_url if known else None)
    api = provider.api or (known.api if known else None)
    if api is None:
        problems.append(Problem(dotted((*path, "api")), f"is missing, and {name} is not a built-in provider"))
    if base_url is None and api != _WITHOUT_URL:
        problems.append(Problem(dotted((*path, "base_url")), f"is missing, and {name} is not a built-in provider"))
    seen: set[str] = set()
    for n, model in enumerate(provider.models):
        if model.id in seen:
            problems.append(Problem(dotted((*path, "models", n)), "is listed twice"))
        seen.add(model.id)
    inputs = {model.id: model.inputs for model in known.models} if known else {}
    models = tuple(
        ModelEntry(
            ref=ModelRef(name, model.id),
            aliases=(model.alias,) if model.alias else (),
            context_window=model.context_window,
            max_tokens=model.max_tokens,
            inputs=inputs.get(model.id, ()),
        )
        for model in provider.models
    )
    return ProviderEntry(
        id=name,
        base_url=base_url or "",
        api=api or "",
        models=models or (_builtin_models(name, known) if known else ()),
        is_open=not models,
        is_keyless=provider.auth == "none",
        headers=tuple(
            (header, value.reveal()) for header, value in provider.headers.items() if isinstance(value, Secret)
        ),
    )


def _builtin_models(name: str, known: "BuiltinProvider") -> tuple[ModelEntry, ...]:
    """The models of the built-in table, the default one always among them."""
    entries = [
        ModelEntry(
            ref=ModelRef(name, model.id),
            aliases=(model.alias.lower(),) if model.alias else (),
            context_window=model.context_window,
            inputs=model.inputs,
        )
        for model in known.models
    ]
    if known.default_model is not None and all(entry.ref.name != known.default_model for entry in entries):
        entries.insert(0, ModelEntry(ref=ModelRef(name, known.default_model)))
    return tuple(entries)


def addresses(settings: "Settings", builtin: Mapping[str, "BuiltinProvider"]) -> dict[str, str]:
    """Where requests to each provider go that the config or the built-in table knows."""
    catalog, _ = build_catalog(settings, builtin, ())
    return {name: entry.base_url for name, entry in catalog.providers.items()}


def catalogue_parts(settings: "Settings", builtin: Mapping[str, "BuiltinProvider"]) -> dict[str, "ProviderPart"]:
    """What the program knows of each provider besides the config's own tables: addresses of the built-in table, its models,
    and models on which the config has notes."""
    from core.models.merge import ProviderPart

    catalog, _ = build_catalog(settings, builtin, ())
    parts = {}
    for name, entry in catalog.providers.items():
        known = builtin.get(name)
        models = {model.ref: model for model in (_builtin_models(name, known) if known else ())}
        listed = {model.id for model in settings.models.providers[name].models} if entry.is_configured else set()
        noted = [model for model in entry.models if model.ref not in models and model.ref.name not in listed]
        parts[name] = ProviderPart(
            base_url=known.base_url if known else None,
            api=known.api if known else None,
            models=(*models.values(), *noted),
        )
    return parts


def _with_model(catalog: Catalog, text: str, problems: list[Problem]) -> Catalog:
    """With a model of `agents.defaults.models` among those of its provider."""
    path = dotted(("agents", "defaults", "models", text))
    left, slash, right = text.partition("/")
    provider = catalog.providers.get(provider_id(left))
    if not slash or not right.strip():
        problems.append(Problem(path, "must be of the form provider/model"))
    elif provider is None:
        problems.append(Problem(path, unknown_provider(left, catalog)))
    elif catalog.entry(ModelRef(provider.id, right.strip())) is None:
        added = ModelEntry(ref=ModelRef(provider.id, right.strip()))
        grown = replace(provider, models=(*provider.models, added))
        return replace(catalog, providers={**catalog.providers, provider.id: grown})
    return catalog


def unknown_provider(text: str, catalog: Catalog) -> str:
    """The sentence for a provider that is neither configured nor built in."""
    configured = [name for name, entry in catalog.providers.items() if entry.is_configured]
    near = did_you_mean(provider_id(text), [*configured, *(n for n in catalog.providers if n not in configured)])
    return f"names no provider of this installation.{near}"


def _with_aliases(catalog: Catalog, configured: Sequence[tuple[str, ModelRef, str]]) -> Catalog:
    aliases: dict[str, ModelRef] = {}
    for alias, ref, _ in configured:
        entry = catalog.entry(ref)
        if entry is not None:
            aliases.setdefault(alias, entry.ref)
    # A built-in alias must not hide a model that the operator has listed under that very name.
    taken = {m.ref.name.lower() for p in catalog.providers.values() if p.is_configured for m in p.models}
    for alias, ref in _builtin_aliases(catalog):
        if alias not in taken:
            aliases.setdefault(alias, ref)
    return replace(catalog, aliases=aliases)


def _builtin_aliases(catalog: Catalog) -> Iterator[tuple[str, ModelRef]]:
    for provider in catalog.providers.values():
        for entry in provider.models:
            for alias in entry.aliases:
                yield alias, entry.ref
