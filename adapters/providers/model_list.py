"""A provider's own list of its models: one GET, or a few where it comes in pages. It costs no tokens.

| API kind | request | pages |
|---|---|---|
| openai-completions, openai-responses | GET <base>/models | one; some give `links.next` |
| anthropic-messages | GET <base>/v1/models?limit=1000 | `has_more`, then `after_id` |
| google-generative-ai | GET <base>/models?pageSize=1000 | `nextPageToken` |

Nearly every provider tells more than the id, each in its own words; what is not understood is left out. Of a link to the next
page only its query is used, so that no answer leads a credential elsewhere.
"""

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Protocol

import httpx

from adapters.providers import json_fields
from adapters.providers.anthropic_messages import AnthropicMessages
from adapters.providers.endpoint import call_url, origin
from adapters.providers.google_generative import GoogleGenerative
from adapters.providers.http_client import Call, HttpClient
from adapters.providers.openai_completions import OpenAICompletions
from adapters.providers.wire import checked
from core.auth.profiles import CredentialKind
from core.chat.completion import Timeouts
from core.errors import Failure, FailureReason, ProviderError
from core.models.catalog import Price
from core.models.listed import ListedModel

MOST_PAGES = 20
MOST_MODELS = 10_000
_LONGEST_TEXT = 256
_PAGE = "1000"
_Json = Mapping[str, object]


class _Speaker(Protocol):
    """The part of a wire format that a list needs as well."""

    def headers(self) -> dict[str, str]: ...

    def credential(self, kind: CredentialKind, secret: str) -> dict[str, str]: ...


@dataclass(frozen=True, slots=True)
class ListFormat:
    """How one API kind lists its models. `path` and `not_doubled` are for `call_url`, `first` is the query of the first page,
    `following` gives what the next page's query adds, empty after the last one."""

    speaker: _Speaker
    path: str
    not_doubled: str
    first: Mapping[str, str]
    field: str
    following: Callable[[_Json], Mapping[str, str]]

    def url(self, base_url: str) -> httpx.URL:
        """Where the list begins. Raises ProviderError (format) for what is no address."""
        url = call_url(base_url, self.path, not_doubled=self.not_doubled)
        return url.copy_merge_params(dict(self.first)) if self.first else url


def _linked(answer: _Json) -> Mapping[str, str]:
    link = json_fields.text(json_fields.mapping(answer.get("links")).get("next"))
    try:
        return dict(httpx.URL(link).params)
    except (httpx.InvalidURL, ValueError):
        return {}


def _after(answer: _Json) -> Mapping[str, str]:
    last = json_fields.text(answer.get("last_id"))
    return {"after_id": last} if answer.get("has_more") is True and last else {}


def _token(answer: _Json) -> Mapping[str, str]:
    token = json_fields.text(answer.get("nextPageToken"))
    return {"pageToken": token} if token else {}


_OPENAI = ListFormat(OpenAICompletions(), "/models", "", {}, "data", _linked)
FORMATS: Mapping[str, ListFormat] = {
    "openai-completions": _OPENAI,
    "openai-responses": _OPENAI,
    "anthropic-messages": ListFormat(AnthropicMessages(), "/v1/models", "/v1", {"limit": _PAGE}, "data", _after),
    "google-generative-ai": ListFormat(GoogleGenerative(), "/models", "", {"pageSize": _PAGE}, "models", _token),
}


def list_format(api: str) -> ListFormat:
    """The format of an API kind. Raises ProviderError (format) for one that has no list."""
    try:
        return FORMATS[api]
    except KeyError:
        raise _wrong(f'The API kind "{api}" has no list of models.') from None


async def fetch(
    http: HttpClient,
    form: ListFormat,
    url: httpx.URL,
    headers: Mapping[str, str],
    longest: timedelta,
    provider: str,
) -> tuple[ListedModel, ...]:
    """Every model of the list, each once. `longest` is for each single wait; the caller limits the whole.

    Raises ProviderError, or RefusedInBody for an error inside an answer that began with 200.
    """
    timeouts = Timeouts(connect=longest, first_byte=longest, silence=longest)
    found: dict[str, ListedModel] = {}
    page, seen = url, set[str]()
    while str(page) not in seen and len(seen) < MOST_PAGES:
        seen.add(str(page))
        call = Call(url=page, headers=headers, body=b"", timeouts=timeouts, method="GET", provider=provider)
        async with http.open(call) as body:
            payload = await body.read_json(dict, list)
        answer = checked(payload) if isinstance(payload, dict) else {form.field: payload}
        for model in _models(answer, form.field, origin(url)):
            found.setdefault(model.id, model)
        following = form.following(answer)
        if not following or len(found) >= MOST_MODELS:
            break
        page = url.copy_merge_params(dict(following))
    return tuple(found.values())[:MOST_MODELS]


def _models(answer: _Json, field: str, place: str) -> Iterator[ListedModel]:
    entries = answer.get(field)
    if not isinstance(entries, list):
        raise _wrong(f"{place} answered with something that is no list of models. Check base_url.")
    for entry in map(json_fields.mapping, entries):
        name = _line(entry.get("id")) or _line(entry.get("name")).removeprefix("models/")
        if name:
            yield _model(name, entry)


def _model(name: str, entry: _Json) -> ListedModel:
    top = json_fields.mapping(entry.get("top_provider"))
    shown = _line(entry.get("display_name")) or _line(entry.get("displayName")) or _line(entry.get("name"))
    return ListedModel(
        id=name,
        name=shown.removeprefix("models/") or None,
        context_window=_first(entry, *_WINDOWS) or _first(top, "context_length"),
        max_tokens=_first(top, "max_completion_tokens") or _first(entry, *_ANSWERS),
        inputs=_inputs(entry),
        price=_price(json_fields.mapping(entry.get("pricing"))),
    )


_WINDOWS = (
    "context_length", "context_window", "max_context_length", "max_model_len", "max_input_tokens", "inputTokenLimit",
)  # fmt: skip
_ANSWERS = ("max_completion_tokens", "max_output_tokens", "max_output_length", "max_tokens", "outputTokenLimit")


def _first(entry: _Json, *names: str) -> int | None:
    return next((found for name in names if (found := json_fields.count(entry.get(name)))), None)


def _inputs(entry: _Json) -> tuple[str, ...]:
    """Either a list of kinds, or flags of capabilities beside text."""
    for holder in (json_fields.mapping(entry.get("architecture")), entry):
        kinds = [_line(kind).lower() for kind in json_fields.items(holder.get("input_modalities"))]
        if any(kinds):
            return tuple(dict.fromkeys(filter(None, kinds)))
    able = json_fields.mapping(entry.get("capabilities"))
    images = able.get("vision"), json_fields.mapping(able.get("image_input")).get("supported")
    if True in images:
        return ("text", "image")
    return ("text",) if False in images else ()


def _price(pricing: _Json) -> Price | None:
    """OpenRouter's form: dollars for one token, as text. A negative price means that it depends on what serves."""
    price = Price(
        input=_dollars(pricing.get("prompt")),
        output=_dollars(pricing.get("completion")),
        cache_read=_dollars(pricing.get("input_cache_read")),
        cache_write=_dollars(pricing.get("input_cache_write")),
    )
    return None if price == Price() else price


def _dollars(value: object) -> float | None:
    """For a million tokens."""
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        return None
    try:
        dollars = float(value) * 1_000_000
    except (ValueError, OverflowError):
        return None
    return round(dollars, 6) if math.isfinite(dollars) and dollars >= 0 else None


def _line(value: object) -> str:
    """One printable line, or nothing: what is longer or odder names no model."""
    text = json_fields.text(value).strip()
    return text if text.isprintable() and len(text) <= _LONGEST_TEXT else ""


def _wrong(detail: str) -> ProviderError:
    return ProviderError(Failure(reason=FailureReason.FORMAT, detail=detail))
