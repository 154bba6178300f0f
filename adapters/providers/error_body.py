"""What a vendor's error body says: typed codes and one sentence, whatever its shape.

| shape | who |
|---|---|
| `{"error": {"message", "type", "code", ...}}` | OpenAI and most others; Anthropic beside a `type` of its own |
| `{"error": {"code": 429, "status", "message", "details": [{"reason"}]}}`, also in a list | Google |
| `{"error": {..., "metadata": {"raw", "provider_name", "headers"}}}` | OpenRouter: what the vendor behind it said |
| `{"error": "words", "code", "message", "error_description"}` | xAI, Ollama, TGI, authorisation servers |
| `{"object": "error", "message", ...}`, `{"type": "error", ...}` | vLLM, Mistral; events of OpenAI's Responses |
| `{"errors": [{"code", "message"}]}` | Cloudflare |
| `{"base_resp": {"status_code", "status_msg"}}` inside a 200 | MiniMax |
| `{"detail": "words" or [{"msg"}]}`, `{"message": "words"}`, `{"statusCode", "message"}`, no JSON at all | FastAPI, gateways |
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime

from adapters.providers import json_fields
from core.auth.failure import classify, is_about_the_account
from core.auth.reset_time import reset_time
from core.errors import Failure, FailureReason, ProviderError

_LONGEST_CODE = 100
_MOST_DETAILS = 10
_NOISE = re.compile(r"^\s*[<{\[]|<(?:!doctype|html|head|body)\b", re.IGNORECASE)
"""A page or a data structure where a sentence should be: nothing that a person should be shown."""
_WORDS = ("message", "error_description", "detail", "msg", "status_msg", "error_message", "title", "error")
_NUMBERS = ("code", "status", "status_code", "statusCode")
_CREDENTIAL = (401, 402, 403)
_ACCOUNT = (*_CREDENTIAL, 429)
"""What the vendor behind an aggregator says with these is about the aggregator's account and not about our credential: none of
its codes counts, and its words may stand beside a rate limit only, where they decide nothing."""

_Json = Mapping[str, object]


@dataclass(frozen=True, slots=True, repr=False)
class ErrorBody:
    """`codes` are the typed fields as strings, the most telling first; `status` is a numeric code that stands for one; `headers`
    are those of an upstream, in lower case. No repr: it may echo a key."""

    codes: tuple[str, ...] = ()
    sentence: str = ""
    status: int | None = None
    payload: object = None
    headers: Mapping[str, str] = field(default_factory=dict)


class RefusedInBody(Exception):
    """An answer that began with 200 says that it failed. Caught by the provider client, never seen outside."""

    def __init__(self, body: ErrorBody) -> None:
        super().__init__("the answer holds an error")
        self.body = body


def read_error(payload: object) -> ErrorBody | None:
    """The error in a parsed body, or None if it holds none."""
    found = _error_in(payload)
    return _typed(found, payload) if found else None


def read_refusal(raw: bytes) -> ErrorBody:
    """What the body of a 4xx or 5xx says. What is not JSON is its own sentence."""
    payload = json_fields.parse(raw)
    if payload is None or isinstance(payload, str):
        return ErrorBody(sentence=payload if isinstance(payload, str) else raw.decode("utf-8", "replace").strip())
    return _typed(_refused(payload), payload)


def _refused(payload: object) -> _Json:
    """The object that explains a refusal, whether or not it calls itself an error."""
    outer = _outer(payload)
    detail = json_fields.mapping(outer.get("detail"))
    return _error_in(outer) or _error_in(detail) or detail or outer


def _outer(payload: object) -> dict[str, object]:
    return json_fields.mapping(payload[0] if isinstance(payload, list) and payload else payload)


def _error_in(payload: object) -> _Json:
    """The object that says what went wrong; an empty one if nothing did."""
    outer = _outer(payload)
    error = outer.get("error")
    if isinstance(error, str) and error:
        return outer
    if inner := json_fields.mapping(error) or _outer(outer.get("errors")):
        return inner
    if outer.get("object") == "error" or outer.get("type") == "error":
        return outer
    gateway = json_fields.mapping(outer.get("base_resp"))
    return gateway if gateway.get("status_code") else {}


def _typed(error: _Json, payload: object) -> ErrorBody:
    status = next(filter(None, (_status(error.get(name)) for name in _NUMBERS)), None)
    codes, sentence = [*_codes(error)], _sentence(error)
    metadata = json_fields.mapping(error.get("metadata"))
    headers = json_fields.mapping(metadata.get("headers"))
    behind = _upstream(metadata)
    if behind and status not in _ACCOUNT:
        codes += _codes(behind)
    if behind and status not in _CREDENTIAL:
        sentence = _with_upstream(sentence, json_fields.text(metadata.get("provider_name")), _sentence(behind))
    lower = {name.lower(): value for name, value in headers.items() if isinstance(value, str)}
    return ErrorBody(tuple(dict.fromkeys(codes)), sentence, status, payload, lower)


def _codes(error: _Json) -> Iterator[str]:
    """Google's reasons before its status, which only repeats the status of HTTP."""
    inner = json_fields.mapping(error.get("innererror"))
    details = [json_fields.mapping(d) for d in json_fields.items(error.get("details"))[:_MOST_DETAILS]]
    shape = json_fields.text(error.get("__type")).rpartition("#")[2]
    kinds = [error.get(name) for name in ("type", "error_type", "status", "status_code", "error")]
    for code in (error.get("code"), inner.get("code"), *(d.get("reason") for d in details), *kinds, shape):
        if isinstance(code, str) and code:
            yield code[:_LONGEST_CODE]
        elif type(code) is int and abs(code) < 10**9:
            yield str(code)


def _status(value: object) -> int | None:
    """A number that HTTP would give, also as text."""
    if isinstance(value, str) and re.fullmatch(r"[45]\d\d", value):
        value = int(value)
    return value if type(value) is int and 400 <= value <= 599 else None


def _sentence(error: _Json) -> str:
    for name in _WORDS:
        said = error.get(name)
        if isinstance(said, list) and said:
            said = json_fields.mapping(said[0]).get("msg")
        if words := json_fields.text(said):
            return words
    return ""


def _upstream(metadata: _Json) -> _Json:
    """What the vendor behind an aggregator answered. One step only: it is no aggregator itself."""
    raw = metadata.get("raw")
    if not isinstance(raw, str):
        return _refused(raw) if isinstance(raw, dict) else {}
    payload = json_fields.parse(raw)
    return _refused(payload) if isinstance(payload, dict | list) else {"message": raw}


def _with_upstream(sentence: str, name: str, said: str) -> str:
    said = "" if _NOISE.search(said) else said
    behind = f"{name}: {said}" if name and said else said or name
    return f"{sentence} ({behind})" if sentence and behind else sentence or behind


def refusal(
    status: int | None, headers: Mapping[str, str], body: ErrorBody, now: datetime, place: str, provider: str = ""
) -> ProviderError:
    """The classified error for a refusal by this provider. `headers` have lower-case names. `status` None: the error came
    inside an answer, whose own code then counts."""
    status = body.status if status is None else status
    fallback = f"{place} answered with an error" if status is None else f"{place} answered with status {status}"
    reason = classify(status, body.codes, body.sentence, provider)
    headers = {**body.headers, **headers}
    return ProviderError(
        Failure(
            reason=reason,
            status=status,
            retry_at=reset_time(headers, body.payload, now, body.sentence),
            detail=fallback if not body.sentence or _NOISE.search(body.sentence) else body.sentence,
            whole_profile=reason is FailureReason.RATE_LIMIT and is_about_the_account(headers, body.sentence),
        )
    )


def broken(detail: str) -> ProviderError:
    """Something was lost on the way: worth another try with the same credential."""
    return ProviderError(Failure(reason=FailureReason.NETWORK, detail=detail))
