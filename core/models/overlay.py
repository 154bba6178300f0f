"""The catalogue with what models.json adds to it: config, then models.json, then the built-in table. Pure.

Sizes of answers (`max_tokens`) of known providers stay the config's: they are sent with each request, and a provider that
reserves credit for the longest possible answer would refuse.
"""

import re
from collections.abc import Iterable
from dataclasses import replace

from core.auth.markers import is_header_marker
from core.models.catalog import Catalog, ModelEntry, ProviderEntry
from core.models.document import DocumentedProvider, ModelsDocument

_URL = re.compile(r"https?://[^\s/?#@]+(?:/[^\s?#]*)?")
_ID = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}")


def with_documents(catalog: Catalog, documents: Iterable[ModelsDocument]) -> Catalog:
    """The catalogue with the files' data; of each provider the first file that has it counts. Aliases stay as they are."""
    said: dict[str, DocumentedProvider] = {}
    only_there: dict[str, ProviderEntry] = {}
    for document in documents:
        for name, found in document.providers.items():
            if name not in said:
                said[name] = found
                if found_only_there(found, document) and why_not_served(found) is None:
                    only_there[name] = _provider(found)
    known = {
        name: _with_data(entry, said[name]) if name in said else entry for name, entry in catalog.providers.items()
    }
    return replace(catalog, providers={**known, **{n: p for n, p in only_there.items() if n not in known}})


def found_only_there(found: DocumentedProvider, document: ModelsDocument) -> bool:
    """Whether another program put the provider into the file. One that this program wrote there stems from the config or the
    built-in table; gone from these, it is gone."""
    return found.id not in document.generated


def why_not_served(found: DocumentedProvider) -> str | None:
    """Why a provider that stands in models.json alone is not known by it, or None."""
    if not _ID.fullmatch(found.id):
        return "its name is no provider id"
    if not found.api:
        return "it names no API kind"
    if not _URL.fullmatch(found.base_url):
        return "its base_url is not an http or https address"
    if any(is_header_marker(value) for _, value in found.headers):
        return "the values of its headers are kept elsewhere"
    return None


def _provider(found: DocumentedProvider) -> ProviderEntry:
    """Open: its list may change with a refresh, which must not make a model of the config unknown."""
    return ProviderEntry(
        id=found.id,
        base_url=found.base_url,
        api=found.api,
        models=found.models,
        is_open=True,
        is_configured=False,
        headers=found.headers,
    )


def _with_data(entry: ProviderEntry, found: DocumentedProvider) -> ProviderEntry:
    """A provider whose models the config lists gets data and no models; the config's own figures stay."""
    said = {model.ref.name: model for model in found.models}
    models = [_filled(model, said.get(model.ref.name), entry.is_open) for model in entry.models]
    if entry.is_open:
        known = {model.ref.name for model in models}
        models += [
            replace(model, aliases=(), max_tokens=None)
            for name, model in said.items()
            if name in found.listed and name not in known
        ]
    return replace(entry, models=tuple(models))


def _filled(model: ModelEntry, said: ModelEntry | None, is_builtin: bool) -> ModelEntry:
    if said is None:
        return model
    window = said.context_window or model.context_window if is_builtin else model.context_window or said.context_window
    return replace(
        model,
        context_window=window,
        name=said.name or model.name,
        inputs=said.inputs or model.inputs,
        price=said.price or model.price,
    )
